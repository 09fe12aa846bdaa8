//! `/v1/users/import`: users out of a table that the operator already has.

use std::sync::Arc;

use axum::extract::{Request, State};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::evidence::Region;
use crate::store::ImportReport;
use crate::switchboard::ImportDefaults;
use crate::units::DialedNumber;

use super::app_state::AppState;
use super::auth::{Administer, Allowed};
use super::problem::{Kind, Problem};
use super::reading::{InQuery, whole_body};

/// The most bytes of a table that comes over HTTP; the command line takes larger ones.
const LARGEST: usize = 1024 * 1024;
/// The most faults that are told.
const MOST_FAULTS: usize = 200;

/// How rows are read, and whether anything is written.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct How {
    /// The dialed number of rows without an `assigned_vapi_number`, who share it; its + written as %2B.
    #[param(value_type = Option<String>, example = "+12025550102")]
    number: Option<DialedNumber>,
    /// The country by whose local spelling phones without a country code are read.
    #[param(example = "US")]
    region: Option<String>,
    /// Whether only to say what would be done.
    #[serde(default)]
    dry_run: bool,
}

/// What stands against a row.
#[derive(Serialize, ToSchema)]
pub(super) struct Fault {
    /// The line of the text.
    line: u64,
    /// What it is. It holds no PIN and no whole number.
    fault: String,
}

/// What an import did, or would do.
#[derive(Serialize, ToSchema)]
pub(super) struct Imported {
    /// Users that were added.
    added: u64,
    /// Rows whose phone is on the number already.
    unchanged: u64,
    /// Dialed numbers that were added for them.
    numbers_added: u64,
    /// Whether anything was written.
    written: bool,
    /// How many rows something stands against; when there is any, nothing was written.
    faulty: usize,
    /// The first 200 of them.
    faults: Vec<Fault>,
}

impl Imported {
    fn of(report: ImportReport) -> Self {
        let faulty = report.faults.len();
        let faults = report.faults.into_iter().take(MOST_FAULTS).map(|fault| Fault {
            line: fault.line,
            fault: fault.fault,
        });
        Self {
            added: report.added,
            unchanged: report.unchanged,
            numbers_added: report.numbers_added,
            written: report.written,
            faulty,
            faults: faults.collect(),
        }
    }
}

/// Takes over the users of a CSV text, all or none
///
/// The columns are those of `voxline user import`: `name`, `phone_number`, `assigned_vapi_number`, and optionally `pin`
/// and `vapi_region`. Rows that were taken over before change nothing. Numbers that are not here yet are added for the
/// operator alone (an `admin` key of the default tenant, for all numbers).
#[utoipa::path(
    post, path = "/v1/users/import", operation_id = "importUsers", tag = "users", params(How),
    request_body(content = String, content_type = "text/csv"),
    responses(
        (status = 200, description = "What was done, or would be; `faulty` is 0 where all is well", body = Imported),
        (status = 413, description = "The text is larger than a mebibyte: use the command line"),
        (status = 415, description = "The body is no CSV"),
        (status = 422, description = "It is no table of users"),
    ),
    security(("bearer" = ["admin"])),
)]
pub(super) async fn import(
    allowed: Allowed<Administer>,
    State(app): State<Arc<AppState>>,
    InQuery(how): InQuery<How>,
    request: Request,
) -> Result<axum::Json<Imported>, Problem> {
    let region = how
        .region
        .as_deref()
        .map(str::trim)
        .filter(|text| !text.is_empty());
    let region = region.map(str::parse::<Region>).transpose();
    let region = region.map_err(|fault| Problem::new(Kind::Invalid, format!("`region`: {fault}")))?;
    let bytes = whole_body(&app, request, LARGEST).await?;
    let text = std::str::from_utf8(&bytes).map_err(|_| {
        Problem::new(
            Kind::UnsupportedMedia,
            "the table is not UTF-8 text: save it as CSV in UTF-8",
        )
    })?;
    let defaults = ImportDefaults {
        number: how.number,
        region,
    };
    let report = allowed
        .view(&app)
        .import_csv(text, &defaults, how.dry_run)
        .await?;
    let report =
        report.map_err(|fault| Problem::new(Kind::Invalid, format!("the table cannot be used: {fault}")))?;
    Ok(axum::Json(Imported::of(report)))
}
