//! `/enroll/{token}`: the page on which users enrol in a browser, by a link that is good once.
//!
//! | module | what it has |
//! |---|---|
//! | `settings` | who asks, and in which consent's words |
//! | `words` | what the page says, in each language |
//! | `link` | who is let in by a token, and how often |
//! | `page` | the page itself |
//! | `check` | what the service hears while somebody speaks (WebSocket) |
//! | `send` | the recording that is enrolled, by the path of every enrolment |
//!
//! The token stands in the address and nowhere else: no log, no page and no header has it.

mod check;
mod link;
mod page;
mod send;
mod settings;
mod words;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};
use tower_http::compression::CompressionLayer;

use super::app_state::AppState;
use super::web;

pub use settings::{SignupFault, SignupSettings};

pub(super) use link::Tries;

/// The routes of the page and of what it is made of. They are the page's own and change with it, so the OpenAPI
/// document does not have them.
pub(super) fn routes() -> Router<Arc<AppState>> {
    let pages = Router::new()
        .route("/enroll/{token}", get(page::show))
        .merge(web::routes())
        .layer(CompressionLayer::new());
    Router::new()
        .route("/enroll/{token}", post(send::send))
        .route("/enroll/{token}/check", get(check::stream))
        .merge(pages)
}
