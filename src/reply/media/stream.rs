//! The carriers' addresses: one for each, so that its proof is never mistaken for another's.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;

use crate::carriers::Carrier;

use super::super::app_state::AppState;
use super::super::websocket::Handshake;
use super::carrier::{self, Admitted};

/// Listens to a call that Twilio forks
///
/// Twilio Media Streams: the caller's track (`inbound_track`) as mu-law, and the keys pressed. Let in by its
/// signature (`X-Twilio-Signature` over `public_url`), by an API key, or by the call token that the voice
/// webhook gave it. The dialed number is the token's, or comes as a `<Parameter name="number">` of the
/// `<Stream>`; the call's id is its `CallSid`. Nothing is sent back, for on `<Start><Stream>` that is an error:
/// verdicts are at `/v1/calls/{id}` and `/v1/calls/events`. With a parameter `updates` of `true`, for tests and
/// demonstrations, they come down as on `/media/pcm`.
#[utoipa::path(
    get, path = "/media/twilio", operation_id = "streamTwilio", tag = "media",
    params(("X-Twilio-Signature" = Option<String>, Header, description = "Instead of an API key")),
    responses(
        (status = 101, description = "The WebSocket is open"),
        (status = 401, description = "No proof, and no stream of this carrier is waited for"),
        (status = 426, description = "The request was no WebSocket handshake"),
    ),
    security(("bearer" = ["identify"])),
)]
pub(in super::super) async fn twilio(
    admitted: Admitted<carrier::Twilio>,
    State(app): State<Arc<AppState>>,
    handshake: Handshake,
) -> Response {
    carrier::serve(Carrier::Twilio, admitted.0, app, handshake)
}

/// Listens to a call that Telnyx forks
///
/// Telnyx media streaming: the inbound track as PCMU, PCMA, G722 or L16 (its byte order is found out, or said by
/// `telnyx.l16_order`), put back into order by `chunk`, and the keys pressed. Let in by the call token in
/// `custom_parameters`, or by an API key; then the dialed number is the parameter `number`, or the call's `to`.
#[utoipa::path(
    get, path = "/media/telnyx", operation_id = "streamTelnyx", tag = "media",
    responses(
        (status = 101, description = "The WebSocket is open"),
        (status = 401, description = "No proof, and no stream of this carrier is waited for"),
        (status = 426, description = "The request was no WebSocket handshake"),
    ),
    security(("bearer" = ["identify"])),
)]
pub(in super::super) async fn telnyx(
    admitted: Admitted<carrier::Telnyx>,
    State(app): State<Arc<AppState>>,
    handshake: Handshake,
) -> Response {
    carrier::serve(Carrier::Telnyx, admitted.0, app, handshake)
}

/// Listens to a call that Vonage connects
///
/// A Vonage WebSocket: a text frame with the format and the headers that were asked for, then binary audio
/// (`audio/l16`, 8 or 16 kHz, little-endian), keys between. Let in by a signed token (`Authorization: Bearer`,
/// HS256), by the call token among the headers, or by an API key with the headers `call_id` and `number`.
#[utoipa::path(
    get, path = "/media/vonage", operation_id = "streamVonage", tag = "media",
    responses(
        (status = 101, description = "The WebSocket is open"),
        (status = 401, description = "No proof, and no stream of this carrier is waited for"),
        (status = 426, description = "The request was no WebSocket handshake"),
    ),
    security(("bearer" = ["identify"])),
)]
pub(in super::super) async fn vonage(
    admitted: Admitted<carrier::Vonage>,
    State(app): State<Arc<AppState>>,
    handshake: Handshake,
) -> Response {
    carrier::serve(Carrier::Vonage, admitted.0, app, handshake)
}

/// Listens to a call that Bandwidth forks
///
/// Bandwidth media streams: the inbound track as PCMU. Let in by HTTP Basic (`bandwidth.username` and
/// `bandwidth.password`), by the call token among the `StreamParam`s, or by an API key with a `StreamParam`
/// `number`. Bandwidth's streams bring no keys.
#[utoipa::path(
    get, path = "/media/bandwidth", operation_id = "streamBandwidth", tag = "media",
    responses(
        (status = 101, description = "The WebSocket is open"),
        (status = 401, description = "No proof, and no stream of this carrier is waited for"),
        (status = 426, description = "The request was no WebSocket handshake"),
    ),
    security(("bearer" = ["identify"])),
)]
pub(in super::super) async fn bandwidth(
    admitted: Admitted<carrier::Bandwidth>,
    State(app): State<Arc<AppState>>,
    handshake: Handshake,
) -> Response {
    carrier::serve(Carrier::Bandwidth, admitted.0, app, handshake)
}

/// Listens to a call that Plivo forks
///
/// Plivo audio streams: the inbound track as mu-law or L16 (`plivo.l16_order`), in the order of
/// `sequenceNumber`, and the keys pressed. Let in by Plivo's signature V3, by the call token among the
/// `extraHeaders`, or by an API key with an extra header `number`.
#[utoipa::path(
    get, path = "/media/plivo", operation_id = "streamPlivo", tag = "media",
    responses(
        (status = 101, description = "The WebSocket is open"),
        (status = 401, description = "No proof, and no stream of this carrier is waited for"),
        (status = 426, description = "The request was no WebSocket handshake"),
    ),
    security(("bearer" = ["identify"])),
)]
pub(in super::super) async fn plivo(
    admitted: Admitted<carrier::Plivo>,
    State(app): State<Arc<AppState>>,
    handshake: Handshake,
) -> Response {
    carrier::serve(Carrier::Plivo, admitted.0, app, handshake)
}

/// Listens to a call that Asterisk streams
///
/// Asterisk's `chan_websocket` (subprotocol `media`): control messages as JSON or as words, binary audio as `slin` (8 to
/// 48 kHz), `ulaw` or `alaw`, keys as `DTMF_END`. Let in by HTTP Basic (`asterisk.username` and `asterisk.password`), by
/// the token that `/carriers/asterisk/voice` answered with, or by an API key. Number, caller and forwarding headers come as
/// channel variables (`DIALED`, `CALLERID`, `DIVERSION`, ...) or, in versions without JSON, in the query. With
/// `asterisk.listen_seconds` the stream is closed when the caller is named or was heard that long, and the dialplan
/// goes on.
#[utoipa::path(
    get, path = "/media/asterisk", operation_id = "streamAsterisk", tag = "media",
    params(
        ("dialed" = Option<String>, Query, description = "The dialed number, where no variable names it"),
        ("caller" = Option<String>, Query, description = "The caller's number, likewise"),
        ("call" = Option<String>, Query, description = "The id that the call's verdict is kept under"),
        ("call_token" = Option<String>, Query, description = "The token of an announced call"),
        ("diversion" = Option<String>, Query, description = "A forwarding header; others by their names likewise"),
    ),
    responses(
        (status = 101, description = "The WebSocket is open"),
        (status = 401, description = "No proof, and no stream of this carrier is waited for"),
        (status = 426, description = "The request was no WebSocket handshake"),
    ),
    security(("bearer" = ["identify"])),
)]
pub(in super::super) async fn asterisk(
    admitted: Admitted<carrier::Asterisk>,
    State(app): State<Arc<AppState>>,
    handshake: Handshake,
) -> Response {
    carrier::serve(Carrier::Asterisk, admitted.0, app, handshake)
}

/// Listens to a call that jambonz streams
///
/// jambonz's `listen` (subprotocol `audio.jambonz.org`): a text frame with the call's attributes, then binary L16 of the
/// caller (`mixType` mono, or stereo with the caller first), keys with `passDtmf`. Let in by HTTP Basic (`wsAuth`, with
/// `jambonz.username` and `jambonz.password`), by the call token in the `metadata`, or by an API key; then the dialed
/// number is the metadata's `number`, or the call's `to`.
#[utoipa::path(
    get, path = "/media/jambonz", operation_id = "streamJambonz", tag = "media",
    responses(
        (status = 101, description = "The WebSocket is open"),
        (status = 401, description = "No proof, and no stream of this carrier is waited for"),
        (status = 426, description = "The request was no WebSocket handshake"),
    ),
    security(("bearer" = ["identify"])),
)]
pub(in super::super) async fn jambonz(
    admitted: Admitted<carrier::Jambonz>,
    State(app): State<Arc<AppState>>,
    handshake: Handshake,
) -> Response {
    carrier::serve(Carrier::Jambonz, admitted.0, app, handshake)
}
