//! `/v1/setup` and `/v1/carriers/check`: how far a deployment has come, and what its carrier tells of forwarding.

use std::sync::Arc;

use axum::extract::{Request, State};
use serde::Serialize;
use utoipa::ToSchema;

use crate::carriers::Carrier;
use crate::carriers::check::{self, CallReport, CarrierProbe, CarrierReport, Known, WhoseLine, by_carrier};
use crate::units::{DialedNumber, PhoneNumber};

use super::accuracy::shown_folder;
use super::app_state::AppState;
use super::auth::{Administer, Allowed};
use super::problem::{Kind, Problem};
use super::reading::whole_body;

/// The most bytes of a captured test call that comes over HTTP; the command line takes larger ones.
const LARGEST_CAPTURE: usize = 1024 * 1024;

/// How far the deployment has come. No secret is part of it.
#[derive(Serialize, ToSchema)]
pub(super) struct Setup {
    /// How the outside world reaches the service, where that is configured.
    public_url: Option<String>,
    /// Where it is reached otherwise.
    address: String,
    /// How many numbers calls can be dialed to.
    numbers: u64,
    /// Users on them.
    users: u64,
    /// Users whom the model in use knows by voice.
    enrolled: u64,
    /// Whether any call was recorded.
    has_calls: bool,
    /// The speaker model in use.
    model: String,
    /// The calibration in use.
    calibration: String,
    vapi: VapiSetup,
    carriers: Vec<CarrierSetup>,
    /// Where the service looks for reports of the benchmark; empty but for the operator's own tenant.
    accuracy_dir: String,
}

/// The side of Vapi.
#[derive(Serialize, ToSchema)]
pub(super) struct VapiSetup {
    /// Whether its webhooks are taken: `vapi.auth` is set.
    configured: bool,
    /// The address it is to call; null without `public_url`.
    events_url: Option<String>,
}

/// How far a carrier is set up.
#[derive(Serialize, ToSchema)]
pub(super) struct CarrierSetup {
    /// The carrier that the settings are of.
    #[schema(value_type = String, example = "twilio")]
    carrier: Carrier,
    /// Whether its requests can be proven: its secret or key is set.
    configured: bool,
    /// The address to give it; null without `public_url`.
    webhook: Option<String>,
    /// The settings it is proven by.
    #[schema(value_type = Vec<String>)]
    keys: &'static [&'static str],
}

fn of_carrier(app: &AppState, carrier: Carrier) -> CarrierSetup {
    let proofs = app.carriers.proofs();
    let url = proofs.public_url.as_deref();
    CarrierSetup {
        carrier,
        configured: proofs.knows(carrier),
        webhook: url.map(|url| format!("{url}/carriers/{}/voice", carrier.name())),
        keys: carrier.proven_by(),
    }
}

/// Says how far the deployment has come
#[utoipa::path(
    get, path = "/v1/setup", operation_id = "getSetup", tag = "operations",
    responses((status = 200, description = "What is there and what is configured", body = Setup)),
    security(("bearer" = ["admin"])),
)]
pub(super) async fn show(
    allowed: Allowed<Administer>,
    State(app): State<Arc<AppState>>,
) -> Result<axum::Json<Setup>, Problem> {
    let public_url = app.settings.public_url.clone();
    let progress = allowed.view(&app).progress().await?;
    let (model, calibration) = app.in_use();
    Ok(axum::Json(Setup {
        address: app.settings.address.clone(),
        numbers: progress.numbers,
        users: progress.users,
        enrolled: progress.enrolled,
        has_calls: progress.has_calls,
        model,
        calibration,
        vapi: VapiSetup {
            configured: app.vapi.as_ref().is_some_and(|vapi| vapi.takes_webhooks()),
            events_url: public_url.as_ref().map(|url| format!("{url}/vapi/events")),
        },
        public_url,
        carriers: Carrier::ALL.map(|carrier| of_carrier(&app, carrier)).into(),
        accuracy_dir: shown_folder(&app, &allowed.visitor),
    }))
}

/// What test calls say of their carriers, as `voxline carrier check --json` says it.
#[derive(Serialize, ToSchema)]
pub(super) struct CarrierCheck {
    /// What the calls of each carrier come to.
    #[schema(value_type = Vec<Object>)]
    carriers: Vec<CarrierReport>,
    /// Call by call.
    #[schema(value_type = Vec<Object>)]
    calls: Vec<CallReport>,
    /// What else is to be said.
    remarks: Vec<String>,
}

/// Says what a captured test call tells of forwarding
///
/// The body is an INVITE as text, a webhook's body (JSON or a form), or a capture (pcap, pcapng). Nothing of it is kept.
#[utoipa::path(
    post, path = "/v1/carriers/check", operation_id = "checkCarrier", tag = "operations",
    request_body(content = String, content_type = "application/octet-stream"),
    responses(
        (status = 200, description = "Which forwarding evidence was there, and what it comes to", body = CarrierCheck),
        (status = 413, description = "It is larger than a mebibyte: use the command line"),
        (status = 415, description = "It is none of these"),
    ),
    security(("bearer" = ["admin"])),
)]
pub(super) async fn check_carrier(
    allowed: Allowed<Administer>,
    State(app): State<Arc<AppState>>,
    request: Request,
) -> Result<axum::Json<CarrierCheck>, Problem> {
    let bytes = whole_body(&app, request, LARGEST_CAPTURE).await?;
    let known = Known::of_view(&allowed.view(&app)).await?;
    let judged = tokio::task::spawn_blocking(move || {
        let held = check::read(&bytes)?;
        let whose = |dialed: &DialedNumber, phone: &PhoneNumber| known.whose(dialed, phone);
        let own = |number: &PhoneNumber| known.is_own(number);
        let bench = CarrierProbe {
            dialed: None,
            region: None,
            from: None,
            own: &own,
            whose: Some(&whose as &WhoseLine<'_>),
        };
        let calls: Vec<CallReport> = held.calls.iter().map(|call| bench.judge("here", call)).collect();
        Ok::<_, check::InputFault>(CarrierCheck {
            carriers: by_carrier(&calls),
            calls,
            remarks: held.remarks,
        })
    });
    let judged = judged
        .await
        .map_err(|_| Problem::internal("reading a captured test call ended early"))?;
    let refused = |fault: check::InputFault| Problem::new(Kind::UnsupportedMedia, fault.to_string());
    Ok(axum::Json(judged.map_err(refused)?))
}
