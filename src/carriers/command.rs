//! Commanding Telnyx's Call Control: the one request that this room makes.

use std::time::Duration;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Client, StatusCode, header};
use secrecy::ExposeSecret;
use thiserror::Error;

use super::answer::Command;
use super::settings::TelnyxApi;
use crate::outward::{Unfetched, client};
use crate::units::CallId;

/// How long a command may take; the caller hears ringing meanwhile.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long a command waits that came too soon after others.
const TOO_SOON: Duration = Duration::from_secs(1);

/// Commands calls over Telnyx's API.
pub struct Commander {
    client: Client,
    api: TelnyxApi,
}

/// Why a command was not carried out.
#[derive(Debug, Error)]
pub enum CommandFault {
    /// There is no client to ask with.
    #[error(transparent)]
    Client(#[from] Unfetched),
    /// Telnyx was not reached, or did not answer in time.
    #[error("Telnyx was not reached with `{command}`: {why}")]
    Unreachable {
        /// Which command it was.
        command: &'static str,
        /// What was in the way, without addresses.
        why: &'static str,
    },
    /// Telnyx answered no.
    #[error("Telnyx refused `{command}` with status {status}: check telnyx.api_key and the application")]
    Refused {
        /// Which command it was.
        command: &'static str,
        /// The HTTP status that was answered.
        status: u16,
    },
}

impl CommandFault {
    /// Whether Telnyx said no, and so has not done it: not so of what failed on the way or within Telnyx.
    pub fn is_refusal(&self) -> bool {
        matches!(self, Self::Refused { status, .. } if *status < 500 && *status != 408)
    }
}

impl Commander {
    /// Commands over `api`.
    ///
    /// # Errors
    /// [`CommandFault::Client`].
    pub fn new(api: TelnyxApi) -> Result<Self, CommandFault> {
        Ok(Self {
            client: client(PATIENCE)?,
            api,
        })
    }

    /// Carries a command out, in a second attempt when Telnyx is not reached or not well, or has too much to do: its id
    /// keeps it from being done twice.
    ///
    /// # Errors
    /// [`CommandFault`] of the second attempt, or of a refusal at the first.
    pub async fn send(&self, call: &CallId, command: &Command) -> Result<(), CommandFault> {
        let sent = self.attempt(call, command).await;
        match &sent {
            Ok(()) => return sent,
            Err(CommandFault::Refused { status: 429, .. }) => tokio::time::sleep(TOO_SOON).await,
            Err(CommandFault::Refused { status, .. }) if *status < 500 => return sent,
            Err(_) => {}
        }
        self.attempt(call, command).await
    }

    async fn attempt(&self, call: &CallId, command: &Command) -> Result<(), CommandFault> {
        let id = utf8_percent_encode(call.as_str(), NON_ALPHANUMERIC);
        let url = format!("{}/calls/{id}/actions/{}", self.api.url, command.name);
        let sent = self
            .client
            .post(url)
            .bearer_auth(self.api.key.expose_secret())
            .header(header::CONTENT_TYPE, "application/json")
            .body(command.body.to_string())
            .send()
            .await;
        let command = command.name;
        let status = sent
            .map(|answer| answer.status())
            .map_err(|fault| CommandFault::Unreachable {
                command,
                why: if fault.is_timeout() {
                    "it took too long"
                } else {
                    "no connection"
                },
            })?;
        // 422 with the code for a repeated command id comes as a success there; nothing else is one.
        if status.is_success() || status == StatusCode::ALREADY_REPORTED {
            return Ok(());
        }
        Err(CommandFault::Refused {
            command,
            status: status.as_u16(),
        })
    }
}
