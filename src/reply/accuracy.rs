//! `/v1/accuracy`: what benchmarks found, and whether the scores of calls have moved since the first ones.

use std::sync::Arc;

use axum::extract::State;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{Duration, OffsetDateTime};
use utoipa::{IntoParams, ToSchema};

use crate::measure::{CallWord, Drift, FIRST, ReportPlace, StoredFault, stored_reports};
use crate::units::{DialedNumber, TenantId};
use crate::verdict::OutcomeName;

use super::app_state::AppState;
use super::auth::{Allowed, Identify, Visitor};
use super::problem::{Kind, Problem};
use super::reading::{InPath, InQuery};

/// How far back drift is shown.
const SHOWN: Duration = Duration::weeks(26);
/// How far back it is shown day by day.
const SHOWN_BY_DAY: Duration = Duration::weeks(10);

/// What calls are decided by at the moment, and the reports there are.
#[derive(Serialize, ToSchema)]
pub(super) struct Reports {
    /// Where the service looks for them; empty but for the operator's own tenant.
    folder: String,
    /// The speaker model in use.
    model: String,
    /// The calibration in use.
    calibration: String,
    /// The posterior that a name needs, where a number promises nothing of its own.
    accept: f64,
    /// The error target that makes it so; null where `decision.accept` is set itself.
    max_false_accept: Option<f64>,
    /// The newest first.
    reports: Vec<ReportLine>,
}

/// A report in short.
#[derive(Serialize, ToSchema)]
pub(super) struct ReportLine {
    /// By which it is asked for.
    id: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    made_at: OffsetDateTime,
    /// Its protocol's name; null where it cannot be read.
    protocol: Option<String>,
    /// What stands in the way of reading it.
    fault: Option<String>,
}

/// A report: `metrics.json`, `details.json` without what names recordings, and `curves.json` of `voxline bench`.
#[derive(Serialize, ToSchema)]
pub(super) struct Report {
    id: String,
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    made_at: OffsetDateTime,
    #[schema(value_type = Object)]
    metrics: Value,
    #[schema(value_type = Object)]
    details: Value,
    #[schema(value_type = Option<Object>)]
    curves: Value,
}

/// Looks for the reports, where files are read.
async fn found<T: Send + 'static>(
    app: &AppState,
    look: impl FnOnce(Vec<ReportPlace>) -> T + Send + 'static,
) -> Result<T, Problem> {
    let folder = app.settings.accuracy_dir.clone();
    let looking = tokio::task::spawn_blocking(move || look(stored_reports(&folder)));
    looking
        .await
        .map_err(|_| Problem::internal("looking for reports ended early"))
}

/// Where reports are looked for, which is for the operator's own to know.
pub(super) fn shown_folder(app: &AppState, visitor: &Visitor) -> String {
    if visitor.access().tenant() == TenantId::DEFAULT {
        app.settings.accuracy_dir.display().to_string()
    } else {
        String::new()
    }
}

/// Lists the reports of benchmarks
#[utoipa::path(
    get, path = "/v1/accuracy/reports", operation_id = "listReports", tag = "operations",
    responses((status = 200, description = "The reports there are, the newest first", body = Reports)),
    security(("bearer" = ["identify"])),
)]
pub(super) async fn list(
    allowed: Allowed<Identify>,
    State(app): State<Arc<AppState>>,
) -> Result<axum::Json<Reports>, Problem> {
    let line = |place: ReportPlace| {
        let read = place.read();
        let protocol = read.as_ref().ok().and_then(|report| {
            let named = report.details.pointer("/run/protocol")?;
            Some(named.as_str()?.to_owned())
        });
        ReportLine {
            fault: read.err().map(|fault| fault.to_string()),
            id: place.id,
            made_at: place.made_at,
            protocol,
        }
    };
    let reports = found(&app, move |places| places.into_iter().map(line).collect()).await?;
    let policy = app.policy();
    let (model, calibration) = app.in_use();
    Ok(axum::Json(Reports {
        folder: shown_folder(&app, &allowed.visitor),
        model,
        calibration,
        accept: policy.accept,
        max_false_accept: policy.error_target.max_false_accept,
        reports,
    }))
}

/// Shows the report of a benchmark
#[utoipa::path(
    get, path = "/v1/accuracy/reports/{report}", operation_id = "getReport", tag = "operations",
    params(("report" = String, Path, description = "The report, by its id")),
    responses(
        (status = 200, description = "The report", body = Report),
        (status = 404, description = "There is no such report"),
        (status = 422, description = "Its files are not what `voxline bench` writes"),
    ),
    security(("bearer" = ["identify"])),
)]
pub(super) async fn show(
    _: Allowed<Identify>,
    State(app): State<Arc<AppState>>,
    InPath(id): InPath<String>,
) -> Result<axum::Json<Report>, Problem> {
    let wanted = id.clone();
    let read = found(&app, move |places| {
        // Only what was found there is opened, whatever is asked for.
        let place = places.into_iter().find(|place| place.id == wanted)?;
        Some(place.read().map(|report| (place, report)))
    });
    let unknown = || Problem::new(Kind::UnknownRoute, "there is no report of that name");
    let refused = |fault: StoredFault| Problem::new(Kind::Invalid, fault.to_string());
    let (place, report) = read.await?.ok_or_else(unknown)?.map_err(refused)?;
    Ok(axum::Json(Report {
        id: place.id,
        made_at: place.made_at,
        metrics: report.metrics,
        details: report.details,
        curves: report.curves,
    }))
}

/// How finely drift is shown.
#[derive(Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum By {
    /// The last ten weeks.
    Day,
    /// The last 26 weeks.
    #[default]
    Week,
}

/// Of which calls, and how finely.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Of {
    /// Only calls to this dialed number, its + written as %2B.
    #[param(value_type = Option<String>, example = "+12025550102")]
    number: Option<DialedNumber>,
    /// `day` or `week`; `week` when left out.
    #[serde(default)]
    #[param(inline)]
    by: By,
}

/// What is read of a call's last verdict.
#[derive(Deserialize)]
struct LastWord {
    outcome: OutcomeName,
    llr: Option<f64>,
}

/// Says whether the scores of calls have moved
///
/// The latest four weeks against the first four, without knowing who called: the ratios of the best candidates by
/// Kolmogorov and Smirnov's test, the outcomes by the chi-square test. Ratios are told only to keys with the scope `scores`.
#[utoipa::path(
    get, path = "/v1/accuracy/drift", operation_id = "getDrift", tag = "calls", params(Of),
    responses(
        (status = 200, description = "Calls over time, and whether they moved", body = Drift),
        (status = 404, description = "There is no such number"),
    ),
    security(("bearer" = ["identify"])),
)]
pub(super) async fn drift(
    allowed: Allowed<Identify>,
    State(app): State<Arc<AppState>>,
    InQuery(of): InQuery<Of>,
) -> Result<axum::Json<Drift>, Problem> {
    let (span, shown) = match of.by {
        By::Day => (Duration::DAY, SHOWN_BY_DAY),
        By::Week => (Duration::WEEK, SHOWN),
    };
    let now = OffsetDateTime::now_utc();
    let ended = allowed
        .view(&app)
        .ended_calls::<LastWord>(of.number.as_ref(), FIRST, now - shown)
        .await?;
    let words = ended.into_iter().map(|call| CallWord {
        at: call.started_at,
        outcome: call.verdict.outcome,
        llr: call.verdict.llr,
    });
    let sees_ratios = allowed.visitor.sees_scores();
    Ok(axum::Json(Drift::of(words.collect(), now, span, sees_ratios)))
}
