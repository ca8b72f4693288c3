//! A person's browser on the enrolment page: no contract in YAML, but pages for people.

use reqwest::Method;

use super::answer::Answer;

/// Opens and confirms links.
pub struct Browser {
    http: reqwest::Client,
}

impl Browser {
    pub fn new() -> Self {
        Self { http: super::http_client() }
    }

    pub async fn open(&self, url: &str) -> Answer {
        self.request(Method::GET, url, "").await
    }

    /// Presses the form's button; `form` is what its fields hold, as `currency=MXN`.
    pub async fn confirm(&self, url: &str, form: &'static str) -> Answer {
        self.request(Method::POST, url, form).await
    }

    /// Every page is HTML that nothing can be slipped into, that is kept nowhere and shown in no frame.
    async fn request(&self, method: Method, url: &str, body: &'static str) -> Answer {
        let request = self.http.request(method, url).header("Content-Type", "application/x-www-form-urlencoded");
        let page = Answer::read(request.body(body).send().await.unwrap()).await;
        for (header, expected) in [
            ("Content-Type", "text/html; charset=utf-8"),
            ("Cache-Control", "no-store"),
            ("Referrer-Policy", "no-referrer"),
            ("X-Content-Type-Options", "nosniff"),
            ("X-Frame-Options", "DENY"),
        ] {
            assert_eq!(page.header(header), Some(expected), "{header} of {}", page.text);
        }
        let policy = page.header("Content-Security-Policy").unwrap();
        assert!(policy.contains("default-src 'none'") && !policy.contains("unsafe"), "{policy}");
        assert!(!page.text.contains("<script") && !page.text.contains("style=\""), "{}", page.text);
        page
    }
}
