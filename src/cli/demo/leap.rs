//! Leap's side of the conversation: bodies as Leap writes them, signed, over real HTTP.

use std::net::SocketAddr;

use serde_json::Value;

use crate::cli::failure::Failure;
use crate::config::SigningKey;
use crate::http::signature;

/// A caller who holds the signing key.
pub struct Leap {
    client: reqwest::Client,
    base: String,
    key: SigningKey,
}

/// One request and its answer.
pub struct Exchange {
    pub path: String,
    pub signature: String,
    /// The bytes that were signed and sent.
    pub body: String,
    /// The HTTP status.
    pub status: u16,
    pub answer_text: String,
    /// Null where the answer is no JSON.
    pub answer: Value,
}

/// A body under construction. Values are JSON text, so that amounts keep their decimals.
#[derive(Debug, Clone, Default)]
pub struct Body(Vec<(&'static str, String)>);

impl Body {
    /// Adds a value that is JSON already, as an amount or an object.
    pub fn json(mut self, name: &'static str, json: impl Into<String>) -> Self {
        self.0.push((name, json.into()));
        self
    }

    pub fn text(self, name: &'static str, text: &str) -> Self {
        self.json(name, Value::from(text).to_string())
    }

    /// With a line for each field, as it is shown and sent.
    pub fn in_lines(&self) -> String {
        let lines: Vec<String> = self.0.iter().map(|(name, json)| format!("  \"{name}\": {json}")).collect();
        format!("{{\n{}\n}}", lines.join(",\n"))
    }

    /// Without any blank, to be pasted.
    pub fn compact(&self) -> String {
        let fields: Vec<String> = self.0.iter().map(|(name, json)| format!("\"{name}\":{json}")).collect();
        format!("{{{}}}", fields.join(","))
    }
}

impl Leap {
    pub fn new(address: SocketAddr, key: SigningKey) -> Self {
        Self { client: reqwest::Client::new(), base: format!("http://{address}"), key }
    }

    pub fn sign(&self, body: &str) -> String {
        signature::sign(self.key.bytes(), body.as_bytes())
    }

    /// Sends the signed body.
    pub async fn call(&self, path: &str, body: &Body) -> Result<Exchange, Failure> {
        let body = body.in_lines();
        let signature = self.sign(&body);
        let request = self
            .client
            .post(format!("{}{path}", self.base))
            .header("Content-Type", "application/json")
            .header("X-Signature", &signature)
            .body(body.clone());
        let unreachable =
            |error: reqwest::Error| Failure::refused(format!("the server did not answer {path}: {error}"));
        let response = request.send().await.map_err(unreachable)?;
        let status = response.status().as_u16();
        let answer_text = response.text().await.map_err(unreachable)?;
        let answer = serde_json::from_str(&answer_text).unwrap_or_default();
        Ok(Exchange { path: path.to_owned(), signature, body, status, answer_text, answer })
    }

    /// A command line that sends the same; the body holds no apostrophe.
    pub fn curl(&self, path: &str, body: &Body) -> String {
        let body = body.compact();
        format!(
            "curl -s {}{path} -H 'Content-Type: application/json' -H 'X-Signature: {}' --data-binary '{body}'",
            self.base,
            self.sign(&body)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_keeps_its_order_and_its_decimals_in_both_forms() {
        let body = Body::default().text("Currency", "MXN").json("Amount", "1500.00");
        assert_eq!(body.compact(), r#"{"Currency":"MXN","Amount":1500.00}"#);
        assert_eq!(body.in_lines(), "{\n  \"Currency\": \"MXN\",\n  \"Amount\": 1500.00\n}");
    }
}
