//! What the product is measured against: the same two calls as a good handler does them, one transaction per request.
//!
//! It verifies the signature, parses the whole body, locks the account, judges the same three rules, stores the
//! authorization with the explanation and the request, and commits before it answers. It writes fewer rows than the
//! product does (no series, no events, no records), logs nothing and keeps no metrics.

mod judge;
mod postgres;
mod sqlite;
mod wire;

use actix_web::{App, HttpResponse, HttpServer, web};

use super::arguments::{Arguments, Role};

/// Serves in `role` until the process is ended.
pub async fn serve(role: Role, arguments: &Arguments) -> anyhow::Result<()> {
    match role {
        Role::Hello => listen(|config| {
            config.service(web::resource("/").get(hello));
        }),
        Role::Postgres => {
            let books = postgres::Books::open(&arguments.database, arguments.pool, arguments.accounts).await?;
            listen(move |config| postgres::routes(config, books.clone()))
        }
        Role::Sqlite => {
            let books = sqlite::Books::open(&arguments.database, arguments.accounts).await?;
            listen(move |config| sqlite::routes(config, books.clone()))
        }
    }?
    .await?;
    Ok(())
}

/// On a free port, with as many workers as the product: actix' default.
fn listen(
    routes: impl Fn(&mut web::ServiceConfig) + Send + Clone + 'static,
) -> std::io::Result<actix_web::dev::Server> {
    let server = HttpServer::new(move || App::new().configure(routes.clone())).tcp_nodelay(true).bind("127.0.0.1:0")?;
    for address in server.addrs() {
        eprintln!("listening http://{address}");
    }
    Ok(server.run())
}

async fn hello() -> HttpResponse {
    HttpResponse::Ok().body("Hello, world!")
}
