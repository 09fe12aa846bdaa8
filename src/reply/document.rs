//! The OpenAPI document around the routes, of which it is made: what stands before them, and what is true of all.

use utoipa::OpenApi as _;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::path::{Operation, PathItem};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi, Ref, RefOr, Response, ResponseBuilder};

use super::problem::{MEDIA_TYPE, ProblemDocument};

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "Voxline",
        description = "Know who is on the line: open-set speaker identification for calls forwarded to shared numbers.",
        license(name = "Apache-2.0 OR MIT", identifier = "Apache-2.0 OR MIT"),
    ),
    components(schemas(ProblemDocument)),
    tags(
        (name = "numbers", description = "Dialed numbers: the unit of isolation"),
        (name = "users", description = "Who is on which number"),
        (name = "enrolments", description = "Users' voices"),
        (name = "identification", description = "One recording, one answer"),
        (name = "calls", description = "What was said of calls, past and live"),
        (name = "media", description = "Calls' audio as it is spoken, over WebSocket"),
        (name = "carriers", description = "Carriers' webhooks, known by their signatures"),
        (name = "vapi", description = "Vapi's webhooks"),
        (name = "audit", description = "Who did what"),
        (name = "operations", description = "For those who run the service"),
    ),
)]
struct Beginning;

/// The document without any route.
pub(super) fn beginning() -> OpenApi {
    Beginning::openapi()
}

/// The document of routes that were added to [`beginning`].
pub(super) fn completed(mut document: OpenApi) -> OpenApi {
    let scheme = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .bearer_format("vx_…")
        .description(Some(
            "An API key of `voxline keys create`; the scopes an operation needs are listed with it",
        ));
    let components = document.components.get_or_insert_default();
    components.add_security_scheme("bearer", SecurityScheme::Http(scheme.build()));
    for path in document.paths.paths.values_mut() {
        operations(path).for_each(complete);
    }
    document
}

fn operations(path: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut path.get,
        &mut path.post,
        &mut path.patch,
        &mut path.put,
        &mut path.delete,
    ]
    .into_iter()
    .flatten()
}

/// Writes into an operation what is true of all: how keys are refused, and that problems are problems.
fn complete(operation: &mut Operation) {
    let responses = &mut operation.responses.responses;
    if operation.security.is_some() {
        let mut add = |status: &str, words: &str| {
            let refusal = ResponseBuilder::new().description(words).build();
            responses.entry(status.to_owned()).or_insert(RefOr::T(refusal));
        };
        add("401", "No API key, or one that is not known");
        add("403", "The API key lacks the scope");
    }
    let unforeseen = ResponseBuilder::new().description("Any other problem").build();
    responses.insert("default".to_owned(), RefOr::T(unforeseen));
    for (status, response) in responses.iter_mut() {
        if let RefOr::T(response) = response
            && !matches!(status.as_bytes().first(), Some(b'1'..=b'3'))
        {
            tell_as_problem(response);
        }
    }
}

fn tell_as_problem(response: &mut Response) {
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .build();
    response.content.insert(MEDIA_TYPE.to_owned(), RefOr::T(content));
}
