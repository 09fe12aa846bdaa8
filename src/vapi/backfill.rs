//! A call that nobody could listen to, heard afterwards from its recording; off unless configured.

use std::time::Duration;

use reqwest::Url;
use tokio::time::{sleep, timeout};

use crate::decision::Reason;
use crate::engine::Asker;
use crate::switchboard::ClipBytes;

use super::api::Api;
use super::message::Ending;
use super::service::Vapi;
use super::vapi_call::VapiCall;
use crate::outward::body;

/// How long the recording may take to come and to be heard.
const PATIENCE: Duration = Duration::from_secs(120);
/// The pause between two questions for a recording that nobody told of.
const AGAIN: Duration = Duration::from_secs(5);

impl Vapi {
    /// Hears the recording of the person on the line, where none of the call was heard live, or nobody heard it by its end. The
    /// recording is held in memory while it is heard, and nowhere after.
    pub(super) async fn backfill(&self, vapi_call: &VapiCall, report: &Ending) {
        if !self.settings.backfill || Self::was_heard(vapi_call) {
            return;
        }
        let Some(call_session) = vapi_call.call_session() else {
            return;
        };
        let heard = timeout(PATIENCE, async {
            let bytes = self.recording(vapi_call, report).await?;
            let admitted = self
                .board
                .admit(Asker::recording(None))
                .map_err(|fault| fault.to_string())?;
            let clip = ClipBytes {
                name: "the recording".to_owned(),
                bytes,
            };
            let said = self
                .board
                .identify(&admitted, call_session.number(), clip, None, false)
                .await;
            said.map_err(|fault| fault.to_string())
        });
        match heard.await {
            Ok(Ok(said)) => {
                for word in said {
                    call_session.heard(word).await;
                }
            }
            Ok(Err(why)) => {
                tracing::warn!(call.id = %vapi_call.id, "call {} was not heard afterwards: {why}", vapi_call.id);
            }
            Err(_) => {
                tracing::warn!(call.id = %vapi_call.id, "call {} was not heard afterwards: it took too long", vapi_call.id);
            }
        }
    }

    /// Whether something of the call was heard live, here or on another node, and until its end: where nobody heard it by then, what
    /// was heard before says nothing.
    pub(super) fn was_heard(vapi_call: &VapiCall) -> bool {
        let verdict = vapi_call.call_session().map(|call| call.verdict());
        let said = verdict.as_ref().map(|verdict| &verdict.identification);
        let was_lost = said.is_some_and(|said| said.reason == Some(Reason::Unavailable));
        let was_heard = said.is_some_and(|said| said.net_speech_seconds > 0.0);
        !was_lost && (vapi_call.state().heard_anything || was_heard)
    }

    /// Where the API says that the recording lies. Where nobody told of it yet, it is asked for until it is there.
    async fn sent_to(&self, api: &Api, vapi_call: &VapiCall, is_told_of: bool) -> Result<String, String> {
        let path = format!("/call/{}/customer-recording", vapi_call.id);
        loop {
            match api.redirect(&path).await {
                Ok(address) => return Ok(address),
                Err(fault) if is_told_of || self.leaving.is_cancelled() => return Err(fault.to_string()),
                Err(_) => {}
            }
            tokio::select! {
                () = sleep(AGAIN) => {}
                () = self.leaving.cancelled() => {}
            }
        }
    }

    /// The recording's bytes: from where the report says, else from where the API sends.
    async fn recording(&self, vapi_call: &VapiCall, report: &Ending) -> Result<Vec<u8>, String> {
        let named = report
            .recordings
            .iter()
            .find_map(|url| self.allowed.http(url).ok());
        let url: Url = match (named, &self.api) {
            (Some(url), _) => url,
            (None, Some(api)) => {
                let sent_to = self.sent_to(api, vapi_call, !report.is_missing).await?;
                self.allowed.http(&sent_to).map_err(|fault| fault.to_string())?
            }
            (None, None) => {
                return Err("no address of its recording is of a host that may be asked".to_owned());
            }
        };
        let largest = usize::try_from(self.board.limits().max_bytes).unwrap_or(usize::MAX);
        let response = self.http.get(url).timeout(PATIENCE).send().await;
        let response = response.map_err(crate::outward::causes)?;
        if !response.status().is_success() {
            return Err(format!("its recording was answered with {}", response.status()));
        }
        // The one copy that leaves the wiped buffer is decoded and dropped by the switchboard.
        let mut bytes = body(response, largest).await.map_err(|fault| fault.to_string())?;
        Ok(std::mem::take(&mut *bytes))
    }
}
