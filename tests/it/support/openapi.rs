//! Holds every exchange against `openapi/*.yaml`, in both directions.
//!
//! A request that is not marked as deliberately off contract must be one that the contract describes. An answer must
//! always be: its status is listed, its headers are there, its body is valid. Where the contract has no such path or
//! method, the answer must be a 404 or 405 (401 under `/admin`, which shows nothing to strangers) in the one error form.

use std::collections::HashMap;
use std::fs;
use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};

use jsonschema::{Draft, Registry, Validator};
use serde_json::{Value, json};

/// One request and its answer, as they went over the wire.
pub struct Exchange<'a> {
    pub method: &'a str,
    /// Below the base path, with its query.
    pub path: &'a str,
    pub request: &'a [u8],
    pub request_headers: &'a reqwest::header::HeaderMap,
    /// The test does not mean the request to be valid.
    pub off_contract: bool,
    pub status: u16,
    pub headers: &'a reqwest::header::HeaderMap,
    pub body: &'a [u8],
}

/// What Leap calls.
pub static VNA: LazyLock<Contract> = LazyLock::new(|| Contract::new("vna.yaml"));
/// What the partner's people call.
pub static ADMIN: LazyLock<Contract> = LazyLock::new(|| Contract::new("admin.yaml"));

/// Both documents, so that a `$ref` from one to the other leads somewhere.
static DOCUMENTS: LazyLock<Registry<'static>> = LazyLock::new(|| {
    let mut documents = Registry::new();
    for file in ["vna.yaml", "admin.yaml"] {
        documents = documents.add(address(file), Draft::Draft202012.create_resource(read(file))).unwrap();
    }
    documents.prepare().unwrap()
});

/// One OpenAPI document, with the validators that were needed so far.
pub struct Contract {
    file: &'static str,
    document: Value,
    validators: Mutex<HashMap<String, Arc<Validator>>>,
}

impl Contract {
    /// Panics, saying where, if the exchange is not as the contract says.
    #[track_caller]
    pub fn hold(&self, exchange: &Exchange<'_>) {
        if let Err(why) = self.check(exchange) {
            panic!("off contract: {} {} → {}: {why}", exchange.method, exchange.path, exchange.status);
        }
    }

    /// What is not as the contract says.
    pub fn check(&self, exchange: &Exchange<'_>) -> Result<(), String> {
        let (path, query) = exchange.path.split_once('?').unwrap_or((exchange.path, ""));
        let Some(template) = self.template_of(path) else {
            return self.check_refused(exchange, if path.starts_with("/admin") { &[401, 404] } else { &[404] });
        };
        let at = format!("#/paths/{}/{}", escape(&template), exchange.method.to_lowercase());
        if self.follow(&at).is_none() {
            return self.check_refused(exchange, &[405]);
        }
        if !exchange.off_contract {
            self.check_request(&at, query, exchange).map_err(|why| format!("the request: {why}"))?;
        }
        self.check_answer(&at, exchange).map_err(|why| format!("the answer: {why}"))
    }

    /// Checks every example of the document against its schema; returns how many there were.
    pub fn check_examples(&self) -> Result<usize, String> {
        let mut found = Vec::new();
        collect_media_types(&self.document, "#", &mut found);
        let mut count = 0;
        for (pointer, media_type) in found {
            for (name, example) in media_type["examples"].as_object().into_iter().flatten() {
                self.validate(&format!("{pointer}/schema"), &example["value"])
                    .map_err(|why| format!("example {name} at {pointer}: {why}"))?;
                count += 1;
            }
        }
        Ok(count)
    }

    fn new(file: &'static str) -> Self {
        Self { file, document: read(file), validators: Mutex::default() }
    }

    /// The path of the document that a real path is an instance of.
    fn template_of(&self, path: &str) -> Option<String> {
        let fits = |template: &str| {
            let (wanted, given): (Vec<_>, Vec<_>) = (template.split('/').collect(), path.split('/').collect());
            wanted.len() == given.len()
                && wanted.iter().zip(given).all(|(wanted, given)| wanted.starts_with('{') || *wanted == given)
        };
        self.document["paths"].as_object()?.keys().find(|template| fits(template)).cloned()
    }

    fn check_request(&self, at: &str, query: &str, exchange: &Exchange<'_>) -> Result<(), String> {
        let parameters = self.parameters_of(at);
        for (name, text) in query.split('&').filter_map(|pair| pair.split_once('=')) {
            let (schema, kind) = parameters
                .iter()
                .find(|(_, parameter)| parameter["in"] == "query" && parameter["name"] == name)
                .map(|(at, parameter)| (format!("{at}/schema"), &parameter["schema"]["type"]))
                .ok_or_else(|| format!("there is no query parameter {name}"))?;
            self.validate(&schema, &typed(name, text, kind)?).map_err(|why| format!("{name}: {why}"))?;
        }
        for (_, parameter) in parameters.iter().filter(|(_, parameter)| parameter["in"] == "header") {
            let name = parameter["name"].as_str().unwrap_or_default();
            if parameter["required"] == true && !exchange.request_headers.contains_key(name) {
                return Err(format!("the header {name} is missing"));
            }
        }
        let body_at = self.resolved(&format!("{at}/requestBody"));
        if self.follow(&body_at).is_none() {
            return if exchange.request.is_empty() {
                Ok(())
            } else {
                Err("there is no body in the contract".to_owned())
            };
        }
        let optional = self.follow(&body_at).is_some_and(|body| body["required"] != true);
        if exchange.request.is_empty() && optional {
            return Ok(());
        }
        let body: Value = serde_json::from_slice(exchange.request).map_err(|why| format!("not JSON: {why}"))?;
        self.validate(&format!("{body_at}/content/application~1json/schema"), &body)
    }

    fn check_answer(&self, at: &str, exchange: &Exchange<'_>) -> Result<(), String> {
        let answer_at = self.resolved(&format!("{at}/responses/{}", exchange.status));
        let answer = self.follow(&answer_at).ok_or("its status is not in the contract")?;
        for name in answer["headers"].as_object().into_iter().flat_map(|headers| headers.keys()) {
            let header_at = self.resolved(&format!("{answer_at}/headers/{}", escape(name)));
            let header = self.follow(&header_at).ok_or("a header's $ref leads nowhere")?;
            match exchange.headers.get(name).and_then(|value| value.to_str().ok()) {
                Some(text) => {
                    let value = typed(name, text, &header["schema"]["type"])?;
                    self.validate(&format!("{header_at}/schema"), &value).map_err(|why| format!("{name}: {why}"))?;
                }
                None if header["required"] == true => return Err(format!("the header {name} is missing")),
                None => {}
            }
        }
        let Some(content) = answer["content"].as_object() else {
            return if exchange.body.is_empty() { Ok(()) } else { Err("a body where there is none".to_owned()) };
        };
        let content_type = exchange.headers.get("content-type").and_then(|value| value.to_str().ok());
        let essence = content_type.and_then(|value| value.split(';').next()).unwrap_or_default().trim();
        if !content.contains_key(essence) {
            return Err(format!("its Content-Type is {content_type:?}"));
        }
        if essence != "application/json" {
            return Ok(());
        }
        let body: Value = serde_json::from_slice(exchange.body).map_err(|why| format!("not JSON: {why}"))?;
        self.validate(&format!("{answer_at}/content/application~1json/schema"), &body)
    }

    /// No such path or method: the answer says so in the error form.
    fn check_refused(&self, exchange: &Exchange<'_>, expected: &[u16]) -> Result<(), String> {
        if !expected.contains(&exchange.status) {
            return Err(format!("the contract has no such path or method, so {expected:?} was expected"));
        }
        if exchange.status == 405 && !exchange.headers.contains_key("allow") {
            return Err("a 405 without Allow".to_owned());
        }
        if exchange.method == "HEAD" {
            return Ok(());
        }
        let body: Value = serde_json::from_slice(exchange.body).map_err(|why| format!("not JSON: {why}"))?;
        self.validate("#/components/schemas/Error", &body)
    }

    /// Those of the operation and those of its path, each with where it stands.
    fn parameters_of(&self, at: &str) -> Vec<(String, &Value)> {
        let path_at = at.rsplit_once('/').map_or(at, |(path, _)| path);
        [at, path_at]
            .iter()
            .flat_map(|place| {
                let count = self.follow(&format!("{place}/parameters")).and_then(Value::as_array).map_or(0, Vec::len);
                (0..count).map(move |index| self.resolved(&format!("{place}/parameters/{index}")))
            })
            .filter_map(|at| self.follow(&at).map(|parameter| (at, parameter)))
            .collect()
    }

    fn follow(&self, pointer: &str) -> Option<&Value> {
        self.document.pointer(pointer.trim_start_matches('#'))
    }

    /// Where a pointer leads if its end is a `$ref`.
    fn resolved(&self, pointer: &str) -> String {
        match self.follow(pointer).and_then(|value| value["$ref"].as_str()) {
            Some(reference) => reference.to_owned(),
            None => pointer.to_owned(),
        }
    }

    /// `pointer` leads to a schema in this document.
    fn validate(&self, pointer: &str, instance: &Value) -> Result<(), String> {
        let errors: Vec<String> = self
            .validator(pointer)
            .iter_errors(instance)
            .map(|error| format!("{} {error}", error.instance_path()))
            .collect();
        if errors.is_empty() { Ok(()) } else { Err(format!("{}\n  in {instance}", errors.join("\n  "))) }
    }

    fn validator(&self, pointer: &str) -> Arc<Validator> {
        let mut validators = self.validators.lock().unwrap();
        if let Some(known) = validators.get(pointer) {
            return known.clone();
        }
        let built = jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_registry(&DOCUMENTS)
            .should_validate_formats(true)
            .build(&json!({ "$ref": format!("{}{}", address(self.file), as_fragment(pointer)) }))
            .unwrap_or_else(|why| panic!("the schema at {pointer} of {} cannot be used: {why}", self.file));
        let built = Arc::new(built);
        validators.insert(pointer.to_owned(), built.clone());
        built
    }
}

fn read(file: &str) -> Value {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi").join(file)).unwrap();
    serde_yaml_ng::from_str(&text).unwrap()
}

/// What a document is known by; it is never fetched.
fn address(file: &str) -> String {
    format!("https://contract.invalid/{file}")
}

/// Braces of a path's parameters are no characters of a URI.
fn as_fragment(pointer: &str) -> String {
    pointer.replace('{', "%7B").replace('}', "%7D")
}

/// A query parameter or a header as its schema's type.
fn typed(name: &str, text: &str, kind: &Value) -> Result<Value, String> {
    let wrong = || format!("{name} is no {kind}");
    match kind.as_str() {
        Some("integer") => text.parse::<i64>().map(Value::from).map_err(|_| wrong()),
        Some("boolean") => text.parse::<bool>().map(Value::from).map_err(|_| wrong()),
        _ => Ok(Value::from(text)),
    }
}

/// Every media type object with a schema and examples, with its pointer.
fn collect_media_types<'a>(value: &'a Value, pointer: &str, found: &mut Vec<(String, &'a Value)>) {
    match value {
        Value::Object(members) => {
            if members.contains_key("schema") && members.contains_key("examples") {
                found.push((pointer.to_owned(), value));
            }
            for (name, member) in members {
                collect_media_types(member, &format!("{pointer}/{}", escape(name)), found);
            }
        }
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                collect_media_types(item, &format!("{pointer}/{index}"), found);
            }
        }
        _ => {}
    }
}

/// One step of a JSON pointer (RFC 6901, section 3).
fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
