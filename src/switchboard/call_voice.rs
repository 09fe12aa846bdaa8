//! A call's voice: its next word, that nobody hears it any more, and words that are taken back: what was heard was not the
//! caller, but the other side, or audio read in a wrong format.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use time::OffsetDateTime;

use super::call_session::{CallSession, State};
use super::call_verdict::{CallVerdict, Said};
use super::heard_streams::{HOLDS, HeardStreams, next_stream};
use super::roster::RosterNow;
use super::voice_known::VoiceKnown;
use crate::decision::Reason;
use crate::verdict::Identification;

/// Another stream that was heard when it was said that nobody hears the call.
pub(super) struct OtherHeard {
    /// When there last was news of any.
    pub at: OffsetDateTime,
    /// How long it counts as heard still.
    pub holds: Duration,
}

impl CallSession {
    /// The number of a stream that begins now: a later one's word says who has the phone. Nobody who begins to hear a call waits
    /// for whoever is at work on it.
    pub(super) fn begin_stream(&self) -> u64 {
        let mut known = self.streams.load(Ordering::Acquire);
        loop {
            let next = next_stream(known, self.context.services.node);
            let set = self
                .streams
                .compare_exchange_weak(known, next, Ordering::AcqRel, Ordering::Acquire);
            match set {
                Ok(_) => return next,
                Err(latest) => known = latest,
            }
        }
    }

    /// Whether a stream has begun since this one did.
    pub(super) fn has_later_stream_than(&self, stream: u64) -> bool {
        self.streams.load(Ordering::Acquire) > stream
    }

    /// Whether another node is known to hear the call, by all that is stored of it.
    pub async fn is_heard_elsewhere(&self) -> bool {
        let services = &self.context.services;
        if !services.store.is_shared() {
            return false;
        }
        self.follow_others().await;
        let state = self.state.lock().await;
        let heard = &state.evidence.voice.heard;
        heard.is_heard_elsewhere(services.node, self.context.now())
    }

    /// Has other nodes, where there may be any, know that a stream is heard still, or that it is not any more; whether they could
    /// be told. A store that cannot be read takes no name from a call in which nobody speaks.
    pub(super) async fn note_stream(&self, stream: u64, is_heard: bool) -> bool {
        if !self.context.services.store.is_shared() {
            return true;
        }
        let roster = self.roster().await;
        let is_told = roster.is_ok();
        let mut state = self.state.lock().await;
        if !state.ended {
            let now = self.context.now();
            state.evidence.voice.note_stream(stream, is_heard, now);
            self.next_on(&mut state, Said::Sign, roster).await;
        }
        is_told
    }

    /// Takes the voice's next word (T5). Every word is a version of its own.
    pub async fn heard(&self, said: Identification) -> CallVerdict {
        let ends = said.is_final && self.ends_with_its_audio();
        if ends {
            self.pins_tried().await;
        }
        let roster = self.roster().await;
        self.heard_on(said, roster).await
    }

    /// The same by the roster that the word was found on; of a last word once the PINs were tried.
    pub(super) async fn heard_on(&self, said: Identification, roster: RosterNow) -> CallVerdict {
        let mut state = self.state.lock().await;
        let said = self.take_word(&mut state, said, Said::Voice, roster).await;
        (*said).clone()
    }

    /// Takes the voice's word at a check between two; `None` where the call says as much already.
    pub(super) async fn checked_on(&self, said: Identification, roster: RosterNow) -> Option<CallVerdict> {
        let mut state = self.state.lock().await;
        let before = self.verdict().version;
        let after = self.take_word(&mut state, said, Said::Check, roster).await;
        (after.version > before).then(|| (*after).clone())
    }

    /// Whether the call says of its voice what `said` does, so that a check has nothing new. What it says may be another's
    /// word by now, or have been taken back.
    pub(super) fn says(&self, said: &Identification) -> bool {
        let before = &self.verdict().identification;
        !self.is_in_the_dark() && (before.says_as_much_as(said) || before.hides_as_much_as(said))
    }

    /// Says that `stream` of the call is not heard any more, or of 0 that none could be: no place is free for its audio, or that
    /// does not come. What was heard before names nobody then, for somebody else may have the phone by now, unless another
    /// stream is known to be heard, here or at another node. The next word of a stream that is heard takes its place.
    pub async fn unheard(&self, stream: u64) {
        self.unheard_since(stream, None).await;
    }

    /// The same, unless there was news of another stream after `since`. Gives what it was put aside for.
    pub(super) async fn unheard_since(
        &self,
        stream: u64,
        since: Option<OffsetDateTime>,
    ) -> Option<OtherHeard> {
        let roster = self.roster().await;
        let mut state = self.state.lock().await;
        let is_empty = matches!(&roster, Ok(roster) if roster.members.is_empty());
        let latest = state.evidence.voice.heard.latest_of_others(stream);
        let was_news = since.is_some() && latest > since;
        if self.is_listened_to() || is_empty || state.ended || was_news {
            return None;
        }
        let said = Identification {
            stream,
            ..self.verdict().identification.unheard()
        };
        let (voice, now) = (&mut state.evidence.voice, self.context.now());
        if !self.context.services.store.is_shared() {
            // There is no other node that could hear it.
            voice.heard = HeardStreams::default();
        }
        let was_heard = voice.heard.is_heard(stream, now);
        if voice.is_put_aside(&said, now) {
            voice.note_stream(stream, false, now);
            if was_heard {
                // Where it is heard still its words count from now on.
                self.next_on(&mut state, Said::Sign, roster).await;
            }
            return latest.map(|at| OtherHeard {
                at,
                holds: (at + HOLDS - now).unsigned_abs(),
            });
        }
        self.take_word(&mut state, said, Said::Check, roster).await;
        None
    }

    async fn take_word(
        &self,
        state: &mut State,
        mut said: Identification,
        as_what: fn(Box<Identification>) -> Said,
        roster: RosterNow,
    ) -> Arc<CallVerdict> {
        if state.ended {
            return self.verdict();
        }
        state.ended = said.is_final && self.ends_with_its_audio();
        let is_said = state.evidence.voice.hear(&mut said, self.context.now());
        self.touch();
        let said = match (is_said, state.ended) {
            (true, _) => as_what(Box::new(said)),
            (false, false) => Said::Nothing,
            (false, true) => Said::LastWord,
        };
        self.next_on(state, said, roster).await
    }

    /// What is known of the voice now, to be gone back to.
    pub async fn voice_known(&self) -> VoiceKnown {
        self.state.lock().await.evidence.voice.clone()
    }

    /// Forgets what was heard of the voice since `before`, and says so. Nobody may listen meanwhile.
    pub async fn forget_voice_since(&self, before: VoiceKnown) {
        let mut state = self.state.lock().await;
        let known = before.said();
        if state.ended || !state.evidence.voice.go_back_to(before, self.context.now()) {
            return;
        }
        let said = known.unwrap_or_else(|| {
            let active_model = self.context.services.active_model();
            active_model.inconclusive(self.number(), Reason::TooLittleSpeech)
        });
        self.next(&mut state, Said::Voice(Box::new(said))).await;
    }
}
