//! The page itself.

use std::sync::Arc;

use askama::Template;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use crate::units::Language;

use super::super::app_state::AppState;
use super::super::consent::{ClosedWords, PageWords, Words, fill, path};
use super::super::problem::Problem;
use super::super::request_log::write_down;
use super::super::web;
use super::link::{Closed, Guest};

/// What the page may be asked.
#[derive(Deserialize, Default)]
pub(super) struct Asked {
    lang: Option<String>,
}

/// A language as it is offered.
struct Offered {
    tag: &'static str,
    name: &'static str,
    is_current: bool,
}

#[derive(Template)]
#[template(path = "signup/page.html")]
struct Page<'a> {
    assets: String,
    language: Language,
    languages: Vec<Offered>,
    file: String,
    words: &'a PageWords,
    organisation: &'a str,
    number: &'a str,
    greeting: String,
    lead: String,
    consent: Vec<String>,
    consent_version: String,
    consent_sha256: String,
    may_keep: bool,
    by_telephone: bool,
    sentences: &'a [String],
    done_heading: String,
    done_call: String,
    done_erase: String,
    embed_from: String,
}

#[derive(Template)]
#[template(path = "signup/closed.html")]
struct ClosedPage<'a> {
    assets: String,
    language: Language,
    words: &'a ClosedWords,
    is_trouble: bool,
}

/// The page, or why there is none for this link.
pub(super) async fn show(
    State(app): State<Arc<AppState>>,
    token: Result<Path<String>, PathRejection>,
    asked: Result<Query<Asked>, QueryRejection>,
    headers: HeaderMap,
) -> Response {
    let asked = asked.map(|Query(asked)| asked).unwrap_or_default();
    let liked = headers
        .get(header::ACCEPT_LANGUAGE)
        .and_then(|value| value.to_str().ok())
        .and_then(Language::preferred);
    let chosen = asked.lang.and_then(|tag| tag.parse().ok());
    let guest = match token {
        Ok(Path(token)) => Guest::of(&app, &token).await,
        Err(_) => Err(Closed::Unknown),
    };
    match guest {
        Ok(guest) => {
            let wanted = chosen.or(guest.invite.language).or(liked);
            open(&app, &guest, wanted.unwrap_or_default())
        }
        Err(closed) => shut(&app, closed, chosen.or(liked).unwrap_or_default()),
    }
}

fn open(app: &AppState, guest: &Guest, wanted: Language) -> Response {
    let languages = app.consent.languages();
    let first = languages.first().copied().unwrap_or_default();
    let language = if languages.contains(&wanted) {
        wanted
    } else {
        first
    };
    let offered = languages.into_iter().map(|known| Offered {
        tag: known.tag(),
        name: known.own_name(),
        is_current: known == language,
    });
    let words = Words::of(language);
    let number = guest.invite.number.as_e164();
    let known = [
        ("name", guest.name.as_str()),
        ("organisation", guest.organisation.as_str()),
        ("number", number),
    ];
    let consent = guest.consent(app, language);
    let assets = web::assets();
    let page = Page {
        language,
        languages: offered.collect(),
        file: format!("{assets}/{}", path(language)),
        words: &words.page,
        organisation: &guest.organisation,
        number,
        greeting: fill(&words.page.greeting, &known),
        lead: fill(&words.page.lead, &known),
        consent_version: fill(&words.page.consent_version, &[("version", &consent.version)]),
        consent_sha256: consent.sha256(),
        consent: consent.paragraphs,
        may_keep: app.settings.signup.may_keep,
        by_telephone: app.settings.signup.by_telephone,
        sentences: words.sentences.first().map_or(&[], Vec::as_slice),
        done_heading: fill(&words.page.done_heading, &known),
        done_call: fill(&words.page.done_call, &known),
        done_erase: fill(&words.page.done_erase, &known),
        embed_from: app.settings.signup.embed_from.join(" "),
        assets,
    };
    answer(app, StatusCode::OK, &page)
}

fn shut(app: &AppState, closed: Closed, language: Language) -> Response {
    let (status, is_trouble) = match closed {
        Closed::Unknown => (StatusCode::NOT_FOUND, false),
        Closed::Spent | Closed::OptedOut => (StatusCode::GONE, false),
        Closed::Trouble(problem) => {
            write_down(&problem);
            (problem.status(), true)
        }
    };
    let page = ClosedPage {
        assets: web::assets(),
        language,
        words: &Words::of(language).closed,
        is_trouble,
    };
    answer(app, status, &page)
}

fn answer(app: &AppState, status: StatusCode, page: &impl Template) -> Response {
    match page.render() {
        Ok(html) => web::page(
            status,
            html,
            &app.settings.signup.embed_from,
            app.settings.sockets().as_deref(),
        ),
        Err(fault) => Problem::internal(format!("a page was not made: {fault}")).into_response(),
    }
}
