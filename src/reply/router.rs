//! Every route there is.

use std::any::Any;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::Method;
use axum::http::request::Parts;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Router};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::app_state::AppState;
use super::operations::Described;
use super::problem::{Kind, Problem};
use super::{
    accuracy, audit, calls, carriers, console, document, enrol_stream, enrolments, events, health, identify,
    importing, invites, keys, media, numbers, operations, request_log, retention, setup, signup, users, vapi,
};

/// The routes, and with them the paths of the OpenAPI document.
fn table() -> OpenApiRouter<Arc<AppState>> {
    OpenApiRouter::with_openapi(document::beginning())
        .routes(routes!(keys::list))
        .routes(routes!(numbers::add, numbers::list))
        .routes(routes!(numbers::show, numbers::update))
        .routes(routes!(users::add, users::list))
        .routes(routes!(users::show, users::change, users::remove))
        .routes(routes!(users::export))
        .routes(routes!(enrolments::add, enrolments::list, enrolments::remove_all))
        .routes(routes!(enrolments::remove))
        .routes(routes!(enrol_stream::stream))
        .routes(routes!(invites::add, invites::list))
        .routes(routes!(invites::revoke))
        .routes(routes!(health::list))
        .routes(routes!(health::show))
        .routes(routes!(health::consents))
        .routes(routes!(health::alike))
        .routes(routes!(importing::import))
        .routes(routes!(accuracy::list))
        .routes(routes!(accuracy::show))
        .routes(routes!(accuracy::drift))
        .routes(routes!(setup::show))
        .routes(routes!(setup::check_carrier))
        .routes(routes!(identify::identify))
        .routes(routes!(calls::list))
        .routes(routes!(calls::show))
        .routes(routes!(calls::verdicts))
        .routes(routes!(events::stream))
        .routes(routes!(media::pcm::stream))
        .routes(routes!(media::stream::twilio))
        .routes(routes!(media::stream::telnyx))
        .routes(routes!(media::stream::vonage))
        .routes(routes!(media::stream::bandwidth))
        .routes(routes!(media::stream::plivo))
        .routes(routes!(media::stream::asterisk))
        .routes(routes!(media::stream::jambonz))
        .routes(routes!(carriers::voice, carriers::voice_by_get))
        .routes(routes!(vapi::events))
        .routes(routes!(vapi::token))
        .routes(routes!(audit::list))
        .routes(routes!(retention::show))
        .routes(routes!(audit::receipt_keys))
        .routes(routes!(operations::health))
        .routes(routes!(operations::readiness))
        .routes(routes!(operations::metrics))
        .routes(routes!(operations::describe))
}

/// The OpenAPI document of the service: made of the routes themselves, so that neither can be without the other.
pub fn openapi() -> OpenApi {
    document::completed(table().split_for_parts().1)
}

/// The whole service, without a network.
pub fn router(app: Arc<AppState>) -> Router {
    let (routes, document) = table().split_for_parts();
    let document = Described::new(&document::completed(document));
    let largest = usize::try_from(app.largest_upload()).unwrap_or(usize::MAX);
    routes
        .merge(signup::routes())
        .merge(console::routes())
        .fallback(unknown_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(largest))
        .layer(CatchPanicLayer::custom(crashed))
        .layer(Extension(document))
        .layer(from_fn_with_state(Arc::clone(&app), request_log::keep))
        .with_state(app)
}

async fn unknown_route(app: State<Arc<AppState>>, parts: Parts) -> Response {
    if console::is_page_wanted(&parts) {
        return console::missing(app, parts).await;
    }
    let detail = format!(
        "there is nothing at {:?}; /openapi.json lists what there is",
        parts.uri.path()
    );
    Problem::new(Kind::UnknownRoute, detail).into_response()
}

async fn wrong_method(method: Method) -> Problem {
    let detail = format!("{method} is not for this path; the header `Allow` says what is");
    Problem::new(Kind::WrongMethod, detail)
}

fn crashed(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    let text = text.unwrap_or_else(|| "without a message".to_owned());
    Problem::internal(format!("a handler panicked, which is a bug: {text}")).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_a_fault_of_ours_whose_words_stay_inside() {
        let response = crashed(Box::new("index 7 of patients"));
        assert_eq!(response.status(), 500);
        let problem = response.extensions().get::<Problem>().unwrap();
        assert!(
            problem
                .for_the_log()
                .is_some_and(|inside| inside.contains("index 7"))
        );
        assert!(!problem.document(None).detail.contains("index 7"));
    }
}
