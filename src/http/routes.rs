//! The table of all paths.
//!
//! `web::resource` answers 405 with `Allow` to a method that its path does not take; everything unknown is a 404.

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, ResponseError};

use super::error::HttpError;
use super::{admin, endpoints, enrolment, health};

/// Hangs up every path; Leap's six under `base_path`, which has no trailing slash.
pub fn configure(config: &mut ServiceConfig, base_path: &str) {
    use endpoints::{
        create_account, credit_funds, get_create_account_url, get_credit_status, reverse_credit_funds, tx_authorization,
    };
    let endpoint = |name: &str| web::resource(format!("{base_path}/{name}"));
    config
        .service(endpoint(tx_authorization::NAME).post(tx_authorization::handle))
        .service(endpoint(credit_funds::NAME).post(credit_funds::handle))
        .service(endpoint(get_credit_status::NAME).post(get_credit_status::handle))
        .service(endpoint(reverse_credit_funds::NAME).post(reverse_credit_funds::handle))
        .service(endpoint(reverse_credit_funds::ALIAS).post(reverse_credit_funds::handle))
        .service(endpoint(create_account::NAME).post(create_account::handle))
        .service(endpoint(get_create_account_url::NAME).post(get_create_account_url::handle))
        .service(web::resource(enrolment::STYLE_PATH).get(enrolment::style).head(enrolment::style))
        .service(
            web::resource(enrolment::PAGE_PATH).get(enrolment::show).head(enrolment::show).post(enrolment::confirm),
        )
        .service(web::resource("/health/live").get(health::live).head(health::live))
        .service(web::resource("/health/ready").get(health::ready).head(health::ready))
        .service(web::resource("/metrics").get(health::metrics))
        .configure(admin::routes)
        .default_service(web::to(unknown_path));
}

async fn unknown_path() -> HttpResponse {
    HttpError::not_found("there is nothing at this path").error_response()
}
