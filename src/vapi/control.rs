//! The control address: what the model is told while a call goes on, silently and only when it is news.

use std::time::Duration;

use reqwest::Client;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::service::Vapi;
use crate::outward::{body, causes};

/// How often a message is sent when it does not arrive.
const TRIES: u32 = 3;
/// The pause before the second attempt; each further one is twice as long.
const PAUSE: Duration = Duration::from_millis(250);
/// What is read of an answer, to leave the connection usable.
const LARGEST_ANSWER: usize = 16 * 1024;

/// What became of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Sent {
    /// Vapi took it.
    Yes,
    /// It did not, or nobody knows; it may later.
    No,
    /// There is no such call: not yet, or not any more.
    Missing,
    /// The call is over, or we are not let in.
    Refused,
    /// Its address is of a host that may not be asked.
    Foreign,
}

/// A system message that does not make the model speak.
pub(super) fn silent_message(text: &str) -> Value {
    json!({
        "type": "add-message",
        "message": {"role": "system", "content": text},
        "triggerResponseEnabled": false,
    })
}

/// Sends a message to a call's control address.
pub(super) async fn send(vapi: &Vapi, url: &str, message: &Value) -> Sent {
    let Ok(url) = vapi.allowed.http(url) else {
        return Sent::Foreign;
    };
    let mut pause = PAUSE;
    for attempt in 1..=TRIES {
        match once(
            &vapi.http,
            vapi.settings.public_key.as_ref(),
            url.clone(),
            message,
        )
        .await
        {
            Ok(200..=299) => return Sent::Yes,
            Ok(404) => return Sent::Missing,
            // The call is gone, or we are not let in: asking again at once changes nothing.
            Ok(status @ (401 | 403 | 410)) => {
                tracing::debug!(status, "a control message was refused with {status}");
                return Sent::Refused;
            }
            // As while one assistant hands on to another: not so in a moment.
            Ok(status @ 400..=499) if status != 408 && status != 429 => {
                tracing::debug!(status, "a control message was refused with {status}");
                return Sent::No;
            }
            Ok(status) => tracing::debug!(status, attempt, "a control message was answered {status}"),
            Err(fault) => tracing::debug!(attempt, "a control message did not arrive: {fault}"),
        }
        if attempt < TRIES {
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
    }
    Sent::No
}

async fn once(
    http: &Client,
    key: Option<&secrecy::SecretString>,
    url: reqwest::Url,
    message: &Value,
) -> Result<u16, String> {
    let mut request = http
        .post(url)
        .header(reqwest::header::CONTENT_TYPE, "application/json")
        .body(message.to_string());
    if let Some(key) = key {
        request = request.bearer_auth(key.expose_secret());
    }
    let response = request.send().await.map_err(causes)?;
    let status = response.status().as_u16();
    // Whatever it says beyond its status is of no use.
    let _ = body(response, LARGEST_ANSWER).await;
    Ok(status)
}
