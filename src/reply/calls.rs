//! `/v1/calls`: what was said of calls.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};

use crate::store::{CallRecord, CallSearch, VerdictVersion};
use crate::switchboard::Identification;
use crate::units::{CallId, DialedNumber, UserId};
use crate::verdict::chain::SpeakerStatus;
use crate::verdict::{Identity, Shown, is_early, without_repetitions};

use super::app_state::AppState;
use super::auth::{Allowed, Identify, Visitor};
use super::problem::{Kind, Problem};
use super::reading::{InPath, InQuery, page_size};

/// Calls on a page when nobody says how many.
const USUAL_PAGE: u32 = 50;
/// The most calls on a page.
const LARGEST_PAGE: u32 = 500;

/// A call and the latest that was said of it.
#[derive(Serialize, ToSchema)]
pub(super) struct Call {
    #[schema(value_type = String)]
    call_id: CallId,
    #[schema(value_type = String)]
    number: DialedNumber,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    started_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    updated_at: OffsetDateTime,
    /// Rises with every version of the verdict.
    version: u64,
    /// Whether no other version will follow.
    #[serde(rename = "final")]
    is_final: bool,
    #[schema(value_type = Said)]
    verdict: Shown<Value>,
}

/// What is said of a call.
#[derive(ToSchema)]
#[expect(dead_code, reason = "it only describes what is stored")]
struct Said {
    #[schema(inline)]
    #[serde(flatten)]
    identification: Identification,
    #[serde(flatten)]
    identity: Identity,
}

/// One version of what was said of a call.
#[derive(Serialize, ToSchema)]
pub(super) struct Version {
    version: u64,
    /// When it was reached.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    at: OffsetDateTime,
    /// What was said, with the evidence that it rested on.
    #[schema(value_type = Said)]
    verdict: Shown<Value>,
}

impl Version {
    fn shown_to(visitor: &Visitor, version: VerdictVersion) -> Self {
        Self {
            version: version.version,
            at: version.at,
            verdict: visitor.shown(version.verdict),
        }
    }
}

impl Call {
    /// A call as it is shown. Without scores its latest verdict is the first of those that say the same without them: which
    /// version is the latest, and since when, would tell how near a voice is to somebody's.
    async fn shown(
        allowed: &Allowed<Identify>,
        app: &AppState,
        mut record: CallRecord,
    ) -> Result<Self, Problem> {
        let visitor = &allowed.visitor;
        if !visitor.sees_scores() && is_early(&record.verdict) {
            let versions = allowed.view(app).versions_of(&record.call_id).await?;
            if let Some(latest) = told_without_scores(versions.unwrap_or_default()).pop() {
                record.version = latest.version;
                record.updated_at = latest.at;
                record.verdict = latest.verdict;
            }
        }
        Ok(Self {
            call_id: record.call_id,
            number: record.number,
            started_at: record.started_at,
            updated_at: record.updated_at,
            version: record.version,
            is_final: record.is_final,
            verdict: visitor.shown(record.verdict),
        })
    }
}

/// The versions of a verdict that tell something new to whoever sees no scores.
fn told_without_scores(versions: Vec<VerdictVersion>) -> Vec<VerdictVersion> {
    without_repetitions(versions, |version| &version.verdict)
}

/// Which calls are asked for, and how many at a time.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// How many, at most; 50 when left out.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// Only calls that began before this one: the last of the page already seen.
    #[param(value_type = Option<String>)]
    before: Option<CallId>,
    /// Only calls to this number, its + written as %2B.
    #[param(value_type = Option<String>)]
    number: Option<DialedNumber>,
    /// Only calls that came through this user's line or have this user's voice, by the latest word on them.
    #[param(value_type = Option<String>, format = "uuid")]
    user: Option<UserId>,
    /// Only calls of whose speaker this is said; without `scores`, by any but `identified` only calls that are over.
    speaker: Option<SpeakerStatus>,
    /// Only calls that began at this moment or later.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<OffsetDateTime>,
    /// Only calls that began before this moment.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<OffsetDateTime>,
    /// Only calls that are under way now; the others are as they may be.
    live: Option<bool>,
}

impl Page {
    fn search(&self, visitor: &Visitor) -> CallSearch {
        // Of a call under way it is not told at once which of these it is.
        let hidden = self
            .speaker
            .is_some_and(|status| status != SpeakerStatus::Identified);
        CallSearch {
            number: self.number.clone(),
            user: self.user,
            speaker: self.speaker.map(|status| status.name().to_owned()),
            over: hidden && !visitor.sees_scores(),
            from: self.from,
            until: self.until,
        }
    }
}

/// Lists calls, newest first
///
/// As far as they are recorded: while the store cannot be written, a call that just began is shown by its id alone, and
/// among the calls under way.
#[utoipa::path(
    get, path = "/v1/calls", operation_id = "listCalls", tag = "calls", params(Page),
    responses((status = 200, description = "Calls with their latest verdicts", body = [Call])),
    security(("bearer" = ["identify"])),
)]
pub(super) async fn list(
    allowed: Allowed<Identify>,
    State(app): State<Arc<AppState>>,
    InQuery(page): InQuery<Page>,
) -> Result<axum::Json<Vec<Call>>, Problem> {
    let limit = page_size(page.limit, USUAL_PAGE, LARGEST_PAGE)?;
    let search = page.search(&allowed.visitor);
    let calls = if page.live == Some(true) {
        if page.before.is_some() || search != CallSearch::default() {
            let detail = "`live` gives the calls under way, all of them: leave out what else is looked for";
            return Err(Problem::new(Kind::BadRequest, detail));
        }
        let most = usize::try_from(limit).unwrap_or(usize::MAX);
        allowed.view(&app).live_calls(most).await?
    } else {
        let view = allowed.view(&app);
        view.calls(&search, limit, page.before.as_ref()).await?
    };
    let mut shown = Vec::with_capacity(calls.len());
    for call in calls {
        shown.push(Call::shown(&allowed, &app, call).await?);
    }
    Ok(axum::Json(shown))
}

/// Shows a call
#[utoipa::path(
    get, path = "/v1/calls/{id}", operation_id = "getCall", tag = "calls",
    params(("id" = String, Path, description = "The call, by its carrier's or Vapi's id")),
    responses(
        (status = 200, description = "The call with its latest verdict", body = Call),
        (status = 404, description = "Nothing was said of such a call"),
    ),
    security(("bearer" = ["identify"])),
)]
pub(super) async fn show(
    allowed: Allowed<Identify>,
    State(app): State<Arc<AppState>>,
    InPath(id): InPath<CallId>,
) -> Result<axum::Json<Call>, Problem> {
    let found = allowed.view(&app).call_record(&id).await?;
    let call = found.ok_or_else(|| unknown(&id))?;
    Ok(axum::Json(Call::shown(&allowed, &app, call).await?))
}

/// Shows what was said of a call, version by version
///
/// Each with the evidence that it rested on, oldest first: the latest 200 that said something new; without `scores`, those that
/// say something new without them.
#[utoipa::path(
    get, path = "/v1/calls/{id}/verdicts", operation_id = "getVerdicts", tag = "calls",
    params(("id" = String, Path, description = "The call, by its carrier's or Vapi's id")),
    responses(
        (status = 200, description = "Every version of the call's verdict", body = [Version]),
        (status = 404, description = "Nothing was said of such a call"),
    ),
    security(("bearer" = ["identify"])),
)]
pub(super) async fn verdicts(
    allowed: Allowed<Identify>,
    State(app): State<Arc<AppState>>,
    InPath(id): InPath<CallId>,
) -> Result<axum::Json<Vec<Version>>, Problem> {
    let found = allowed.view(&app).versions_of(&id).await?;
    let mut versions = found.ok_or_else(|| unknown(&id))?;
    if !allowed.visitor.sees_scores() {
        versions = told_without_scores(versions);
    }
    let shown = versions
        .into_iter()
        .map(|version| Version::shown_to(&allowed.visitor, version));
    Ok(axum::Json(shown.collect()))
}

fn unknown(id: &CallId) -> Problem {
    Problem::new(Kind::UnknownCall, format!("nothing was said of a call {id}"))
}
