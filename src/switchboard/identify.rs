//! A recording and a dialed number to an identification.

use crate::decision::SequentialDecision;
use crate::engine::Permit;
use crate::store::{Act, NewAudit};
use crate::units::DialedNumber;
use crate::verdict::{CHECKPOINTS, Identification};

use super::board::Switchboard;
use super::error::BoardError;
use super::recording::{ClipBytes, hear_in_turns};
use super::replays::ReplayWatch;

impl Switchboard {
    /// Identifies the speaker of a recording among the users of `number`. With `stream`, also gives
    /// what would have been said on a live call as its speech came; the last one is final.
    ///
    /// # Errors
    /// [`BoardError`] when the number is not ours or the recording cannot be heard, and while the audit log cannot be
    /// written and too many entries wait for it. A part that fails
    /// later makes the identification `inconclusive` (`unavailable`), never an error and never a name.
    pub async fn identify(
        &self,
        admitted: &Permit,
        number: &DialedNumber,
        recording: ClipBytes,
        channel: Option<u16>,
        stream: bool,
    ) -> Result<Vec<Identification>, BoardError> {
        let said = self
            .identified(admitted, number, recording, channel, stream)
            .await;
        let asked = NewAudit::new(Act::Identify).object(number.masked());
        let told = match said.as_ref().map(|said| said.last()) {
            Ok(Some(last)) => asked.on(last.user_id).outcome(last.outcome.name()),
            Ok(None) | Err(_) => asked.outcome("failed"),
        };
        self.services.auditor.noted(told).await?;
        said
    }

    /// Has it written down that somebody asked for a number that they do not see.
    pub(super) async fn note_refused_identification(&self, number: &DialedNumber) -> Result<(), BoardError> {
        let asked = NewAudit::new(Act::Identify).object(number.masked());
        Ok(self.services.auditor.noted(asked.outcome("failed")).await?)
    }

    async fn identified(
        &self,
        admitted: &Permit,
        number: &DialedNumber,
        recording: ClipBytes,
        channel: Option<u16>,
        stream: bool,
    ) -> Result<Vec<Identification>, BoardError> {
        self.known_number(number).await?;
        let marks: &[f64] = if stream { CHECKPOINTS } else { &[] };
        let ClipBytes { name, bytes } = recording;
        let active_model = self.active_model();
        let heard = hear_in_turns(
            &active_model.engine,
            &self.settings.limits,
            admitted,
            &name,
            bytes,
            channel,
            marks,
        )
        .await?;
        if let Some(unheard) = heard.unheard {
            tracing::warn!(%unheard, "a part of the recording was not heard");
        }
        let warnings = heard.warnings(&name);
        let last = heard.checkpoints.len().saturating_sub(1);
        let mut sequential = SequentialDecision::default();
        let mut replays = ReplayWatch::begin();
        let mut said: Vec<Identification> = Vec::with_capacity(heard.checkpoints.len());
        for (at, checkpoint) in heard.checkpoints.iter().enumerate() {
            let roster = self.services.rosters.now(number).await;
            let mut next = active_model
                .answer(number, roster.as_deref(), checkpoint, &mut sequential, at == last)
                .await;
            replays.look(&self.services, checkpoint, &mut next).await;
            if !(checkpoint.is_window_check
                && said.last().is_some_and(|before| before.says_as_much_as(&next)))
            {
                said.push(next);
            }
        }
        if let Some(last) = said.last_mut() {
            last.warnings = warnings;
        }
        Ok(said)
    }
}
