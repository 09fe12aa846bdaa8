//! `/v1/identify`: one recording, one answer.

use std::sync::Arc;

use axum::extract::State;
use utoipa::ToSchema;

use crate::switchboard::{ClipBytes, Identification, answered};
use crate::units::DialedNumber;
use crate::verdict::Shown;

use super::app_state::AppState;
use super::auth::{Allowed, Identify};
use super::problem::{Kind, Problem};
use super::reading::Form;
use super::upload_room::TakenRoom;

/// A recording and the number that was dialed.
#[derive(ToSchema)]
pub(super) struct IdentifyForm {
    /// The recording. Raw G.722, mu-law or A-law says nothing of itself: the part's `Content-Type` does, as
    /// `audio/G722`, `audio/PCMU` or `audio/PCMA`.
    #[schema(value_type = String, format = Binary)]
    audio: ClipBytes,
    /// The dialed number.
    #[schema(value_type = String, example = "+12025550102")]
    number: DialedNumber,
    /// Which of two channels holds the caller.
    #[schema(minimum = 0, maximum = 1)]
    channel: Option<u16>,
}

impl IdentifyForm {
    async fn read(form: Form, app: &AppState, room: &TakenRoom) -> Result<Self, Problem> {
        let mut filled = form.read(app, &["number", "channel"], room).await?;
        let refuse = |detail: String| Problem::new(Kind::BadRequest, detail);
        let number = filled.needed("number")?.parse();
        let channel = filled.channel()?;
        let mut audio = filled.audio.into_iter();
        let (Some(recording), None) = (audio.next(), audio.next()) else {
            return Err(refuse("the form needs exactly one part `audio`".to_owned()));
        };
        Ok(Self {
            audio: recording,
            number: number.map_err(|fault| Problem::new(Kind::Invalid, format!("`number`: {fault}")))?,
            channel,
        })
    }
}

/// Identifies the speaker of a recording
#[utoipa::path(
    post, path = "/v1/identify", operation_id = "identify", tag = "identification",
    request_body(content = IdentifyForm, content_type = "multipart/form-data"),
    responses(
        (status = 200, description = "What is known of the speaker; scores only with the scope `scores`",
         body = Identification),
        (status = 404, description = "There is no such number"),
        (status = 413, description = "Too many bytes or minutes"),
        (status = 415, description = "The recording is of a kind that is not read here"),
        (status = 422, description = "The recording or the number cannot be used"),
        (status = 503, description = "As much is going on as the service can bear"),
    ),
    security(("bearer" = ["identify"])),
)]
pub(super) async fn identify(
    allowed: Allowed<Identify>,
    State(app): State<Arc<AppState>>,
    form: Form,
) -> Result<axum::Json<Shown<Identification>>, Problem> {
    let admitted = allowed.view(&app).admit_recording()?;
    let room = form.room(&app)?;
    let IdentifyForm {
        audio,
        number,
        channel,
    } = IdentifyForm::read(form, &app, &room).await?;
    let said = allowed
        .view(&app)
        .identify(&admitted, &number, audio, channel)
        .await?;
    answered(&said);
    Ok(axum::Json(allowed.visitor.shown(said)))
}
