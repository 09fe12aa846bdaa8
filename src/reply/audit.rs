//! `/v1/audit`: who did what; and the public keys of receipts.

use std::sync::Arc;

use axum::extract::State;
use serde::Deserialize;
use time::OffsetDateTime;
use utoipa::IntoParams;

use crate::store::{AuditEntry, AuditSearch, ReceiptKey};
use crate::units::UserId;

use super::app_state::AppState;
use super::auth::{Administer, Allowed};
use super::problem::Problem;
use super::reading::{InQuery, page_size};

/// Entries on a page when nobody says how many.
const USUAL_PAGE: u32 = 100;
/// The most entries on a page.
const LARGEST_PAGE: u32 = 1000;

/// Which entries are asked for, and how many at a time.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Page {
    /// How many, at most; 100 when left out.
    #[param(minimum = 1, maximum = 1000)]
    limit: Option<u32>,
    /// Only entries before this one, by its `seq`: the last of the page already seen.
    before: Option<u64>,
    /// Only entries on this user.
    #[param(value_type = Option<String>, format = "uuid")]
    user: Option<UserId>,
    /// Only entries whose act begins so, as in `pin.` or `key.revoke`.
    act: Option<String>,
    /// Only entries of this moment or later.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<OffsetDateTime>,
    /// Only entries from before this moment.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<OffsetDateTime>,
}

/// Lists what was done, newest first
///
/// One entry for each enrolment, identification, call served, erasure, key, PIN, link, user, number and setting that was
/// changed: who did it, from where, on whom, and what came of it. Ids only. `voxline audit verify` says whether an entry
/// was changed or removed.
#[utoipa::path(
    get, path = "/v1/audit", operation_id = "listAudit", tag = "audit", params(Page),
    responses((status = 200, description = "Entries of the audit log", body = [AuditEntry])),
    security(("bearer" = ["admin"])),
)]
pub(super) async fn list(
    allowed: Allowed<Administer>,
    State(app): State<Arc<AppState>>,
    InQuery(page): InQuery<Page>,
) -> Result<axum::Json<Vec<AuditEntry>>, Problem> {
    let limit = page_size(page.limit, USUAL_PAGE, LARGEST_PAGE)?;
    let search = AuditSearch {
        user: page.user,
        act: page.act,
        from: page.from,
        until: page.until,
    };
    let view = allowed.view(&app);
    Ok(axum::Json(view.audit_entries(&search, limit, page.before).await?))
}

/// Lists the keys that receipts of erasures are signed with
///
/// Public keys, for everybody: whoever holds a receipt can verify it with `voxline receipt verify --key`, or by themselves.
/// Each node of a deployment has its own; keys that are no longer used stay.
#[utoipa::path(
    get, path = "/v1/receipts/keys", operation_id = "listReceiptKeys", tag = "audit",
    responses((status = 200, description = "The public keys, oldest first", body = [ReceiptKey])),
)]
pub(super) async fn receipt_keys(
    State(app): State<Arc<AppState>>,
) -> Result<axum::Json<Vec<ReceiptKey>>, Problem> {
    Ok(axum::Json(app.receipt_keys().await?))
}
