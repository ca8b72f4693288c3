//! Around every request: its id, its log line, its numbers, and an answer even where a handler panics.
//!
//! The log has the route's pattern and never the path, which holds account identifiers and enrolment tokens; no query,
//! no header, no body.

use std::cell::RefCell;
use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{HeaderName, HeaderValue};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, ResponseError};
use futures_util::FutureExt;
use metrics::{Counter, Histogram, counter, histogram};
use tracing::Span;
use tracing_actix_web::{RequestId, RootSpanBuilder};

use super::error::{HttpError, in_error_form};
use crate::domain::TrackingId;
use crate::telemetry::{self, Stopwatch};

/// Names the request in the log and in the answer.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// A route of no request of ours: what a 404 is counted under.
const NO_ROUTE: &str = "none";

/// Opens the span that puts the request's id into every log line.
pub struct RequestSpan;

impl RootSpanBuilder for RequestSpan {
    fn on_request_start(request: &ServiceRequest) -> Span {
        let id = request.extensions().get::<RequestId>().copied();
        tracing::info_span!("request", request_id = id.map(tracing::field::display))
    }

    /// The line about the answer is written by [`observe`], which knows when the request began.
    fn on_request_end<B: MessageBody>(_span: Span, _outcome: &Result<ServiceResponse<B>, Error>) {}
}

/// The middleware.
pub async fn observe(request: ServiceRequest, next: Next<BoxBody>) -> Result<ServiceResponse<BoxBody>, Error> {
    let began = Stopwatch::start();
    let method = request.method().clone();
    let id = request.extensions().get::<RequestId>().map(ToString::to_string).unwrap_or_default();
    let id_header = HeaderValue::from_str(&id).unwrap_or(HeaderValue::from_static("unknown"));
    let outcome = AssertUnwindSafe(async { next.call(request).await }).catch_unwind().await;
    let mut tracking = None;
    let (answer, route, status) = match outcome {
        Ok(Ok(mut response)) => {
            response = in_error_form(response);
            response.headers_mut().insert(REQUEST_ID, id_header);
            let (route, status) = (response.request().match_pattern(), response.status());
            tracking = response.request().extensions().get::<TrackingId>().copied();
            (Ok(response), route, status)
        }
        Ok(Err(error)) => {
            let status = error.as_response_error().status_code();
            (Err(with_request_id(error, id_header)), None, status)
        }
        Err(_panic) => {
            tracing::error!("a handler panicked");
            let error = HttpError::Internal;
            let status = error.status_code();
            (Err(with_request_id(error.into(), id_header)), None, status)
        }
    };
    note(method.as_str(), route.as_deref().unwrap_or(NO_ROUTE), status, began.elapsed(), tracking);
    answer
}

/// Has the log line about the answer name the decision: it leads from the request's id to it.
pub fn note_tracking(request: &HttpRequest, tracking: TrackingId) {
    request.extensions_mut().insert(tracking);
}

fn with_request_id(mut error: Error, id: HeaderValue) -> Error {
    error.add_response_mapper(move |mut answer| {
        answer.headers_mut().insert(REQUEST_ID, id.clone());
        answer
    });
    error
}

fn note(method: &str, route: &str, status: StatusCode, latency: Duration, tracking: Option<TrackingId>) {
    NUMBERS.with_borrow_mut(|numbers| numbers.count(route, status, latency));
    let (status, latency_us) = (status.as_u16(), u64::try_from(latency.as_micros()).unwrap_or(u64::MAX));
    let tracking = tracking.map(tracing::field::display);
    if status >= 500 {
        tracing::error!(method, route, status, latency_us, tracking, "answered");
    } else {
        tracing::info!(method, route, status, latency_us, tracking, "answered");
    }
}

thread_local! {
    static NUMBERS: RefCell<Numbers> = RefCell::default();
}

/// The counters of each route, once they were looked up by their labels, which costs more than to count.
#[derive(Default)]
struct Numbers(HashMap<String, NumbersOfRoute>);

struct NumbersOfRoute {
    seconds: Histogram,
    requests: Vec<(StatusCode, Counter)>,
}

impl Numbers {
    fn count(&mut self, route: &str, status: StatusCode, latency: Duration) {
        let numbers = match self.0.get_mut(route) {
            Some(numbers) => numbers,
            None => self.0.entry(route.to_owned()).or_insert_with(|| NumbersOfRoute {
                seconds: histogram!(telemetry::HTTP_REQUEST_SECONDS, "endpoint" => route.to_owned()),
                requests: Vec::new(),
            }),
        };
        numbers.seconds.record(latency);
        if let Some((_, requests)) = numbers.requests.iter().find(|(known, _)| *known == status) {
            return requests.increment(1);
        }
        let labels = [("endpoint", route.to_owned()), ("status", status.as_str().to_owned())];
        let requests = counter!(telemetry::HTTP_REQUESTS, &labels);
        requests.increment(1);
        numbers.requests.push((status, requests));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::middleware::from_fn;
    use actix_web::test::{TestRequest, init_service, try_call_service};
    use actix_web::{App, HttpResponse, web};
    use tracing_actix_web::TracingLogger;

    async fn panics() -> HttpResponse {
        panic!("as a mistake of ours would")
    }

    #[actix_web::test]
    async fn a_handler_that_panics_is_a_500_with_its_request_id() {
        let app = App::new()
            .wrap(from_fn(observe))
            .wrap(TracingLogger::<RequestSpan>::new())
            .service(web::resource("/panics").get(panics));
        let service = init_service(app).await;
        let outcome = try_call_service(&service, TestRequest::get().uri("/panics").to_request()).await;
        let answer = outcome.map(ServiceResponse::into_parts).unwrap_err().error_response();
        assert_eq!(answer.status(), HttpError::Internal.status_code());
        assert!(answer.headers().contains_key(REQUEST_ID));
    }

    #[actix_web::test]
    async fn a_wrong_method_is_answered_in_the_form_of_errors_and_names_the_right_one() {
        let app = App::new()
            .wrap(from_fn(observe))
            .wrap(TracingLogger::<RequestSpan>::new())
            .service(web::resource("/panics").get(panics));
        let service = init_service(app).await;
        let answer = try_call_service(&service, TestRequest::post().uri("/panics").to_request()).await.unwrap();
        assert_eq!(answer.headers().get("allow").unwrap(), "GET");
        let body = actix_web::test::read_body(answer).await;
        assert!(body.starts_with(b"{\"success\":false,\"error\":{\"code\":\"METHOD_NOT_ALLOWED\""));
    }
}
