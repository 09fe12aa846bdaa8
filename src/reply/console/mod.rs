//! `/console`: what those who run the service look at.
//!
//! | module | what it has |
//! |---|---|
//! | `page` | the one page that all addresses of the console give; what is on it is asked of the API |
//! | `session` | `/console/session`: logging in with an API key, and out |
//! | `sessions` | who is logged in, for how long, and how often it was tried in vain |
//! | `origin` | whether a request comes from the console's own pages |
//!
//! A session is what the browser holds instead of the key. It can what the key can, and ends with it. The page itself
//! tells nothing of anybody: it is the same for all.

mod origin;
mod page;
mod session;
mod sessions;

use std::sync::Arc;

use axum::Router;
use axum::response::Redirect;
use axum::routing::get;
use tower_http::compression::CompressionLayer;

use super::desk::Desk;

pub use sessions::ConsoleSettings;

pub(super) use origin::refuse_foreign;
pub(super) use session::{SessionId, holder};
pub(super) use sessions::{SessionDigest, Sessions};

/// Where the console begins.
const FIRST: &str = "/console/calls";

/// The routes of the console. They are its own and change with it, so the OpenAPI document does not have them.
pub(super) fn routes() -> Router<Arc<Desk>> {
    let first = || async { Redirect::to(FIRST) };
    let pages = page::PAGES.iter().fold(Router::new(), |routes, shown| {
        routes.route(shown.path, get(move |params| page::show(shown, params)))
    });
    Router::new()
        .route("/", get(first))
        .route("/console", get(first))
        .route(
            "/console/session",
            get(session::show).post(session::begin).delete(session::end),
        )
        .merge(pages.layer(CompressionLayer::new()))
}
