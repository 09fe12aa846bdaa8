//! `/console`: what those who run the service look at.
//!
//! | module | what it has |
//! |---|---|
//! | `page` | the one page that all addresses of the console give; what is on it is asked of the API |
//! | `session` | `/console/session`: logging in with an API key, and out |
//!
//! A session is what the browser holds instead of the key. It can what the key can, and ends with it. The page itself
//! tells nothing of anybody: it is the same for all.

mod session;
mod page;

use std::sync::Arc;

use axum::Router;
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, header};
use axum::response::Redirect;
use axum::routing::get;
use tower_http::compression::CompressionLayer;

pub(super) use page::missing;

use super::app_state::AppState;

/// Where the console begins.
const FIRST: &str = "/console/calls";

/// The routes of the console. They are its own and change with it, so the OpenAPI document does not have them.
pub(super) fn routes() -> Router<Arc<AppState>> {
    let first = || async { Redirect::to(FIRST) };
    let pages = page::PAGES.iter().fold(Router::new(), |routes, shown| {
        routes.route(
            shown.path,
            get(move |state, params, parts| page::show(shown, state, params, parts)),
        )
    });
    Router::new()
        .route("/", get(first))
        .route("/console", get(first))
        .route("/console/", get(first))
        .route(
            "/console/session",
            get(session::show).post(session::begin).delete(session::end),
        )
        .merge(pages.layer(CompressionLayer::new()))
}

/// Whether a browser asks for a page at an address of the console.
pub(super) fn is_page_wanted(parts: &Parts) -> bool {
    let is_html = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.contains("text/html"));
    parts.method == Method::GET
        && parts.uri.path().starts_with("/console/")
        && parts.headers.get_all(header::ACCEPT).iter().any(is_html)
}

#[cfg(test)]
mod tests {
    use crate::decision::Reason;
    use crate::reply::web;
    use crate::verdict::chain::{EvidenceKind, SpeakerReason, SpeakerStatus, Tier};

    /// The reason after this one. A new reason does not build until it has its place here, and then needs words.
    fn after(reason: Option<Reason>) -> Option<Reason> {
        Some(match reason {
            None => Reason::TooLittleSpeech,
            Some(Reason::TooLittleSpeech) => Reason::PoorAudio,
            Some(Reason::PoorAudio) => Reason::UnfamiliarLine,
            Some(Reason::UnfamiliarLine) => Reason::SeveralVoices,
            Some(Reason::SeveralVoices) => Reason::Ambiguous,
            Some(Reason::Ambiguous) => Reason::Replayed,
            Some(Reason::Replayed) => Reason::Spoofed,
            Some(Reason::Spoofed) => Reason::EmptyRoster,
            Some(Reason::EmptyRoster) => Reason::Unavailable,
            Some(Reason::Unavailable) => return None,
        })
    }

    /// The speaker's status after this one, likewise.
    fn next(status: Option<SpeakerStatus>) -> Option<SpeakerStatus> {
        Some(match status {
            None => SpeakerStatus::Identified,
            Some(SpeakerStatus::Identified) => SpeakerStatus::Claimed,
            Some(SpeakerStatus::Claimed) => SpeakerStatus::ThirdParty,
            Some(SpeakerStatus::ThirdParty) => SpeakerStatus::Inconclusive,
            Some(SpeakerStatus::Inconclusive) => return None,
        })
    }

    /// What stands between `export const NAME = {` and the brace that ends it.
    fn words(name: &str) -> &'static str {
        let text = web::text_of("console/words.js").unwrap();
        let (_, from) = text.split_once(&format!("export const {name} = {{")).unwrap();
        from.split_once("\n};").unwrap().0
    }

    fn has(table: &str, code: &str) -> bool {
        words(table).contains(&format!("\n  {code}: "))
    }

    #[test]
    fn every_reason_and_every_status_has_words_on_the_page() {
        let reasons = std::iter::successors(after(None), |reason| after(Some(*reason)));
        let reasons = reasons.map(SpeakerReason::Voice);
        for code in reasons
            .chain([SpeakerReason::NotEnrolled])
            .map(SpeakerReason::name)
        {
            assert!(has("REASONS", code), "{code} has no words");
        }
        for status in std::iter::successors(next(None), |status| next(Some(*status))) {
            assert!(has("SPEAKER", status.name()), "{status:?} has no words");
            let written = serde_json::to_value(status).unwrap();
            assert_eq!(written, status.name(), "the name is the one in JSON");
        }
        assert!(!has("REASONS", "no_such_reason"));
    }

    #[test]
    fn every_kind_of_evidence_and_every_tier_has_words_on_the_page() {
        for kind in EvidenceKind::ALL {
            assert!(has("KINDS", kind.name()), "{kind:?} has no words");
        }
        for tier in [Tier::T0, Tier::T1, Tier::T2, Tier::T3, Tier::T4, Tier::T5] {
            assert!(has("TIERS", &format!("{tier:?}")), "{tier:?} has no words");
        }
    }
}
