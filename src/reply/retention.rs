//! `/v1/retention`: how long what is kept is kept, and what is due.

use std::sync::Arc;

use axum::extract::State;
use serde::Serialize;
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

use crate::store::{AuditSearch, RetentionTally};

use super::app_state::AppState;
use super::auth::{Administer, Allowed};
use super::problem::Problem;

/// How long what is kept is kept.
#[derive(Serialize, ToSchema)]
pub(super) struct Retention {
    /// Days that calls are kept; null is for good, here and below.
    calls_days: Option<i64>,
    /// Days that the evidence of calls is kept.
    evidence_days: Option<i64>,
    /// Days that recordings of enrolments are kept.
    audio_days: Option<i64>,
    /// Days that a voice is kept by which no call was recognised.
    unused_voice_days: Option<i64>,
    /// Days that entries of the audit log are kept.
    audit_days: Option<i64>,
    /// What is older than that and goes with the next run: within an hour.
    due: RetentionTally,
    /// When something last went, as far as the audit log goes back.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    last_removed_at: Option<OffsetDateTime>,
}

/// Shows how long what is kept is kept, and what is due
#[utoipa::path(
    get, path = "/v1/retention", operation_id = "showRetention", tag = "audit",
    responses((status = 200, description = "The schedule and what is due", body = Retention)),
    security(("bearer" = ["admin"])),
)]
pub(super) async fn show(
    allowed: Allowed<Administer>,
    State(app): State<Arc<AppState>>,
) -> Result<axum::Json<Retention>, Problem> {
    let view = allowed.view(&app);
    let schedule = view.retention();
    let runs = AuditSearch {
        act: Some("retention.".to_owned()),
        ..AuditSearch::default()
    };
    let last = view.audit_entries(&runs, 1, None).await?.pop();
    let days = |kept: Option<Duration>| kept.map(Duration::whole_days);
    Ok(axum::Json(Retention {
        calls_days: days(schedule.calls),
        evidence_days: days(schedule.evidence),
        audio_days: days(schedule.audio),
        unused_voice_days: days(schedule.unused_voices),
        audit_days: days(schedule.audit),
        due: view.due().await?,
        last_removed_at: last.map(|entry| entry.at),
    }))
}
