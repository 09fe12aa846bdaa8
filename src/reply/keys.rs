//! `/v1/keys`: which keys there are, and when each was last used.

use std::sync::Arc;

use axum::extract::State;

use crate::store::KeyInfo;

use super::app_state::AppState;
use super::auth::{Administer, Allowed};
use super::problem::Problem;

/// Lists the API keys, never the keys themselves
///
/// Those of the key's own tenant; a key that is narrowed to numbers lists those that are for no others. Keys are made and
/// revoked by `voxline keys`.
#[utoipa::path(
    get, path = "/v1/keys", operation_id = "listKeys", tag = "operations",
    responses((status = 200, description = "The keys, revoked ones too, oldest first", body = [KeyInfo])),
    security(("bearer" = ["admin"])),
)]
pub(super) async fn list(
    allowed: Allowed<Administer>,
    State(app): State<Arc<AppState>>,
) -> Result<axum::Json<Vec<KeyInfo>>, Problem> {
    Ok(axum::Json(allowed.view(&app).keys().await?))
}
