//! What Twilio and Plivo say alike: audio and keys, each of a named track.

use serde::Deserialize;

use super::lenient::digit;
use super::{Message, StreamFault, decoded, is_caller, key};

/// Audio of a track.
#[derive(Deserialize)]
pub(super) struct Media {
    track: Option<String>,
    payload: String,
}

/// A key pressed on a track.
#[derive(Deserialize)]
pub(super) struct Key {
    track: Option<String>,
    #[serde(deserialize_with = "digit")]
    digit: String,
}

/// The message of a `media` frame; nothing of anybody but the caller.
pub(super) fn audio(media: Option<Media>) -> Result<Message, StreamFault> {
    let media = media.ok_or(StreamFault::Lacking { event: "media" })?;
    if is_caller(media.track.as_deref()) {
        decoded(&media.payload)
    } else {
        Ok(Message::Other)
    }
}

/// The message of a `dtmf` frame; nothing of anybody but the caller.
pub(super) fn pressed(pressed: Option<Key>) -> Result<Message, StreamFault> {
    let pressed = pressed.ok_or(StreamFault::Lacking { event: "dtmf" })?;
    Ok(if is_caller(pressed.track.as_deref()) {
        key(&pressed.digit)
    } else {
        Message::Other
    })
}
