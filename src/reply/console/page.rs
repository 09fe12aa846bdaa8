//! The page that all addresses of the console give.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};

use super::super::app_state::AppState;
use super::super::origin::refuse_strange_host;
use super::super::problem::{Kind, Problem};
use super::super::web;
use super::session;
use crate::store::Scope;

/// A page of the console.
pub(super) struct Page {
    /// Its path, as in `/console/calls`.
    pub path: &'static str,
    /// The module that shows it, in `web/console/pages`.
    name: &'static str,
    title: &'static str,
    /// Which part of the console it belongs to.
    section: &'static str,
    /// What it asks the API first, and the scope that each needs: the browser asks while it still reads the modules.
    asks: &'static [(&'static str, Scope)],
}

impl Page {
    const fn asking(self, asks: &'static [(&'static str, Scope)]) -> Self {
        Self { asks, ..self }
    }
}

const fn page(path: &'static str, name: &'static str, title: &'static str, section: &'static str) -> Page {
    Page {
        path,
        name,
        title,
        section,
        asks: &[],
    }
}

/// Every page of the console, with what it asks the API first.
pub(super) const PAGES: &[Page] = &[
    page("/console/login", "login", "Log in", ""),
    page("/console/calls", "calls", "Live calls", "calls").asking(&[
        ("/v1/calls?limit=25", Scope::Identify),
        ("/v1/calls?live=true&limit=100", Scope::Identify),
        ("/v1/numbers", Scope::Enroll),
    ]),
    page("/console/calls/{id}", "call", "Call", "calls"),
    page("/console/people", "people", "People and numbers", "people"),
    page("/console/people/{id}", "person", "Person", "people"),
    page("/console/numbers", "numbers", "Numbers", "people"),
    page("/console/numbers/{number}", "number", "Number", "people"),
    page("/console/accuracy", "accuracy", "Accuracy", "accuracy"),
    page("/console/setup", "setup", "Set-up", "setup"),
];

/// What stands at an address of the console that is no page's.
static MISSING: Page = page("/console/…", "missing", "There is nothing here", "");

/// A part of the console, as the navigation shows it.
struct Section {
    href: &'static str,
    title: &'static str,
    /// What it is called where there is little room.
    short: &'static str,
    /// The path of its drawing, on 16 by 16.
    drawing: &'static str,
    is_current: bool,
}

/// The parts of the console, in order; `current` is the one that is shown.
fn sections(current: &str) -> Vec<Section> {
    [
        ("calls", "/console/calls", "Live calls", "Calls", "M4.5 2.5l2 .2.9 2.6-1.3 1.2a8 8 0 0 0 3.4 3.4l1.2-1.3 2.6.9.2 2c0 .8-.7 1.5-1.5 1.5C7 13 3 9 3 4c0-.8.7-1.5 1.5-1.5Z"),
        (
            "people",
            "/console/people",
            "People and numbers",
            "People",
            "M8 8a2.75 2.75 0 1 0 0-5.5A2.75 2.75 0 0 0 8 8ZM2.5 13.5c.6-2.3 2.8-3.5 5.5-3.5s4.9 1.2 5.5 3.5",
        ),
        ("accuracy", "/console/accuracy", "Accuracy", "Accuracy", "M2 2.5v11h12M4.5 10.5l3-3.5 2.5 2 3.5-5"),
        ("setup", "/console/setup", "Set-up", "Set-up", "M2 4.5h7M13 4.5h1M2 11.5h1M7 11.5h7M11 2.5v4M5 9.5v4"),
    ]
    .into_iter()
    .map(|(name, href, title, short, drawing)| Section {
        href,
        title,
        short,
        drawing,
        is_current: name == current,
    })
    .collect()
}

#[derive(Template)]
#[template(path = "console/shell.html")]
struct Shell {
    assets: String,
    modules: Vec<String>,
    page: &'static str,
    is_login: bool,
    title: &'static str,
    params: String,
    session: Option<String>,
    /// Addresses of the API.
    asks: Vec<&'static str>,
    sections: Vec<Section>,
    version: &'static str,
}

/// The page, and what it would ask first: who is logged in. It has no word of anybody: whether whoever looks at it may see
/// something, the API says.
pub(super) async fn show(
    page: &'static Page,
    State(app): State<Arc<AppState>>,
    params: Result<Path<BTreeMap<String, String>>, PathRejection>,
    parts: Parts,
) -> Response {
    if let Err(problem) = refuse_strange_host(&parts.headers, &app) {
        return problem.into_response();
    }
    let Ok(Path(params)) = params else {
        return Problem::new(Kind::UnknownRoute, "the address holds what is no text").into_response();
    };
    let is_login = page.name == "login";
    let session = if is_login {
        None
    } else {
        // Whoever is not logged in is told so by the page, which asks again.
        session::shown(&app, &parts).await.ok()
    };
    // A search in the page's own address asks for something else.
    let asked = page.asks.iter().filter(|_| parts.uri.query().is_none());
    let asks = asked.filter(|(_, scope)| session.as_ref().is_some_and(|session| session.may(*scope)));
    let shell = Shell {
        asks: asks.map(|(address, _)| *address).collect(),
        assets: web::assets(),
        modules: web::modules_of(&format!("console/pages/{}.js", page.name)),
        page: page.name,
        is_login,
        session: session.map(|session| serde_json::json!(session).to_string()),
        title: page.title,
        params: serde_json::json!(params).to_string(),
        sections: sections(page.section),
        version: env!("CARGO_PKG_VERSION"),
    };
    match shell.render() {
        Ok(html) => web::page(StatusCode::OK, html, &[], None),
        Err(fault) => Problem::internal(format!("a page was not made: {fault}")).into_response(),
    }
}

/// The page for addresses of the console that are no page's.
pub(in crate::reply) async fn missing(app: State<Arc<AppState>>, parts: Parts) -> Response {
    let mut response = show(&MISSING, app, Ok(Path(BTreeMap::new())), parts).await;
    if response.status() == StatusCode::OK {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_of_the_console_begins_with_a_page_of_its_own() {
        for section in sections("people") {
            let page = PAGES.iter().find(|page| page.path == section.href).unwrap();
            assert_eq!(page.title, section.title);
            assert_eq!(section.is_current, page.section == "people");
        }
    }
}
