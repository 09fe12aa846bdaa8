//! Problems: every refusal and every failure as problem details (RFC 9457), from one table.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::ToSchema;

use crate::switchboard::EnrolmentReport;

/// The media type of a problem (RFC 9457 section 3).
pub(super) const MEDIA_TYPE: &str = "application/problem+json";

/// What a 401 asks for where nothing else is said: an API key, or a token.
const KEY: &str = "Bearer realm=\"voxline\"";

/// Asks for a name and password (RFC 7617).
pub(super) const LOGIN: &str = "Basic realm=\"voxline\", charset=\"UTF-8\"";

macro_rules! kinds {
    ($($kind:ident $status:literal $code:literal $title:literal)*) => {
        /// The kinds of problems there are.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub(super) enum Kind {
            $(#[doc = $title] $kind,)*
        }

        impl Kind {
            /// HTTP status, code and title.
            const fn row(self) -> (u16, &'static str, &'static str) {
                match self {
                    $(Self::$kind => ($status, $code, $title),)*
                }
            }

            #[cfg(test)]
            const ALL: &[Self] = &[$(Self::$kind,)*];
        }
    };
}

kinds! {
    BadRequest          400 "bad_request"          "The request cannot be understood"
    Unauthorized        401 "unauthorized"         "An API key is needed"
    SessionOver         401 "session_over"         "Nobody is logged in"
    NotVapi             401 "not_vapi"             "The request is not known to be Vapi's"
    Forbidden           403 "forbidden"            "The API key may not do this"
    ForeignPage         403 "foreign_page"         "The request did not come from the console"
    UnknownRoute        404 "unknown_route"        "There is nothing at this path"
    UnknownNumber       404 "unknown_number"       "There is no such number"
    UnknownUser         404 "unknown_user"         "There is no such user"
    UnknownEnrolment    404 "unknown_enrollment"   "There is no such enrolment"
    UnknownInvite       404 "unknown_invite"       "There is no such link"
    UnknownCall         404 "unknown_call"         "There is no such call"
    WrongMethod         405 "wrong_method"         "The path does not take this method"
    TooSlow             408 "too_slow"             "The request took too long to arrive"
    NumberExists        409 "number_exists"        "The number is already here"
    NumberInUse         409 "number_in_use"        "The number does not take this user"
    PhoneTaken          409 "phone_taken"          "The phone is another user's"
    PinTaken            409 "pin_taken"            "The PIN cannot be used here"
    PinNeeded           409 "pin_needed"           "The PIN must be given again"
    OptedOut            409 "opted_out"            "The user is not to be recognised"
    DuplicateRecording  409 "duplicate_recording"  "The recording was used before"
    CallExists          409 "call_exists"          "There was a call with this id already"
    ConsentChanged      409 "consent_changed"      "The consent is another one now"
    InviteSpent         410 "invite_spent"         "The link is no longer good"
    TooLarge            413 "too_large"            "The request or its audio is too large"
    UnsupportedMedia    415 "unsupported_media"    "The content is of a kind that is not read here"
    Invalid             422 "invalid"              "A value is not acceptable"
    BadAudio            422 "bad_audio"            "The audio cannot be used"
    EnrolmentRefused    422 "enrollment_refused"   "The recordings cannot be enrolled"
    UpgradeNeeded       426 "upgrade_needed"       "This path speaks WebSocket"
    TooManyTries        429 "too_many_tries"       "It was tried too often"
    TooManyLogins       429 "too_many_logins"      "Logging in failed too often"
    Internal            500 "internal"             "Something failed here"
    Busy                503 "busy"                 "As much is going on as this service can bear"
    Unavailable         503 "unavailable"          "A part of this service is out of order"
    Leaving             503 "leaving"              "The service is shutting down"
}

/// A problem as it is sent (RFC 9457 section 3.1, with `code`, `report` and `reasons` added).
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Problem)]
pub struct ProblemDocument {
    /// Names the kind of problem; an identifier, not an address.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// What was wrong this time, and what to do.
    pub detail: String,
    /// The kind as one word, for programs.
    pub code: &'static str,
    /// The request, by its id; the service's log has the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
    /// What stands against a refused enrolment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<EnrolmentReport>,
    /// What is out of order when the service is not ready.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reasons: Vec<String>,
}

/// Why a request was not done: a text for whoever asked and, where the fault is ours, another for the
/// log. Turning it into a response writes nothing anywhere; the journal does, once.
#[derive(Debug, Clone)]
pub(super) struct Problem {
    kind: Kind,
    detail: String,
    retry_after: Option<u64>,
    challenge: &'static str,
    inside: Option<String>,
    report: Option<Box<EnrolmentReport>>,
    reasons: Vec<String>,
}

impl Problem {
    /// A problem of whoever asked.
    pub(super) fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            kind,
            detail: detail.into(),
            retry_after: None,
            challenge: KEY,
            inside: None,
            report: None,
            reasons: Vec::new(),
        }
    }

    /// A problem of ours: `inside` is for the log alone.
    pub(super) fn internal(inside: impl Into<String>) -> Self {
        let mut problem = Self::new(
            Kind::Internal,
            "the fault is on our side and has been written down; try again, and quote `instance` if it stays",
        );
        problem.inside = Some(inside.into());
        problem
    }

    /// The same, worth asking again after so many seconds.
    pub(super) fn retry_after(mut self, seconds: u64) -> Self {
        self.retry_after = Some(seconds.max(1));
        self
    }

    /// The same, asking for this where it is a 401 (RFC 9110 section 11.6.1).
    pub(super) fn challenge(mut self, challenge: &'static str) -> Self {
        self.challenge = challenge;
        self
    }

    /// The same with a text for the log.
    pub(super) fn inside(mut self, inside: impl Into<String>) -> Self {
        self.inside = Some(inside.into());
        self
    }

    /// The same with the report of a refused enrolment.
    pub(super) fn report(mut self, report: EnrolmentReport) -> Self {
        self.report = Some(Box::new(report));
        self
    }

    /// The same with the parts that are out of order.
    pub(super) fn reasons(mut self, reasons: Vec<String>) -> Self {
        self.reasons = reasons;
        self
    }

    /// The kind of problem, which decides status and code.
    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    /// The kind as one word.
    pub(super) fn code(&self) -> &'static str {
        self.kind.row().1
    }

    /// The HTTP status.
    pub(super) fn status(&self) -> StatusCode {
        // The table holds valid statuses only, which a test checks.
        StatusCode::from_u16(self.kind.row().0).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    /// What the log is to know.
    pub(super) fn for_the_log(&self) -> Option<&str> {
        self.inside.as_deref()
    }

    /// What is sent, for the request called `instance`.
    pub(super) fn document(&self, instance: Option<&str>) -> ProblemDocument {
        let (status, code, title) = self.kind.row();
        ProblemDocument {
            kind: format!("urn:voxline:problem:{code}"),
            title,
            status,
            detail: self.detail.clone(),
            code,
            instance: instance.map(|id| format!("urn:voxline:request:{id}")),
            report: self.report.as_deref().cloned(),
            reasons: self.reasons.clone(),
        }
    }

    /// The response to the request called `instance`.
    pub(super) fn answer(&self, instance: Option<&str>) -> Response {
        let mut response = (self.status(), Json(self.document(instance))).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        match self.status() {
            StatusCode::UNAUTHORIZED => {
                let challenge = HeaderValue::from_static(self.challenge);
                headers.insert(header::WWW_AUTHENTICATE, challenge);
            }
            StatusCode::UPGRADE_REQUIRED => {
                headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
                headers.insert(header::CONNECTION, HeaderValue::from_static("upgrade"));
            }
            _ => {}
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.answer(None);
        // The journal reads it from here, writes it down, and adds the request's id.
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_an_error_status_with_a_code_of_its_own() {
        let mut codes = std::collections::BTreeSet::new();
        for kind in Kind::ALL {
            let (status, code, title) = kind.row();
            assert!((400..600).contains(&status) && StatusCode::from_u16(status).is_ok());
            assert!(codes.insert(code), "{code} twice");
            assert!(code.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_'));
            assert!(!title.is_empty());
        }
    }

    #[test]
    fn what_is_for_the_log_is_never_sent() {
        let problem = Problem::internal("SELECT pin_hash FROM users failed");
        let sent = serde_json::to_string(&problem.document(Some("r-1"))).unwrap();
        assert!(
            !sent.contains("SELECT") && sent.contains("urn:voxline:request:r-1"),
            "{sent}"
        );
    }

    /// RFC 9110 sections 15.5.2 and 15.5.22.
    #[test]
    fn a_401_says_what_is_asked_for_and_a_426_what_to_change_to() {
        for kind in Kind::ALL {
            let response = Problem::new(*kind, "no").into_response();
            let has = |name: header::HeaderName| response.headers().contains_key(name);
            let code = response.status().as_u16();
            assert_eq!(has(header::WWW_AUTHENTICATE), code == 401, "{kind:?}");
            assert_eq!(
                has(header::UPGRADE) && has(header::CONNECTION),
                code == 426,
                "{kind:?}"
            );
        }
        let asked = Problem::new(Kind::Unauthorized, "no")
            .challenge(LOGIN)
            .into_response();
        assert_eq!(asked.headers()[header::WWW_AUTHENTICATE], LOGIN);
    }

    #[test]
    fn a_refusal_for_want_of_room_says_when_to_come_again() {
        let response = Problem::new(Kind::Busy, "full").retry_after(2).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
        assert_eq!(response.headers()[header::CONTENT_TYPE], MEDIA_TYPE);
    }
}
