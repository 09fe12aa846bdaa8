//! One call on Vapi: what its messages have said so far, and the call session they are about.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroizing;

use crate::store::CallNewsKind;
use crate::switchboard::CallSession;
use crate::units::CallId;

use super::assistant_mute::AssistantSpeech;
use super::consent::Consent;
use super::message_time::MessageTime;
use super::relay::Upstream;
use super::shape::Shape;
use super::view::CallView;

/// Tool calls of one call whose answers are remembered.
const MOST_ANSWERS: usize = 256;
/// PINs of one call whose answers are remembered.
const MOST_PINS: usize = 64;
/// News of other nodes that are remembered, so that each counts once: more than they tell of a call while they are asked for.
const MOST_NEWS: usize = 256;
/// How soon a stream is tried again that never came in a whole round of tries.
const ROUNDS: Duration = Duration::from_secs(60);
/// The most of a caller's audio that is held for an enrolment on the call: two minutes of it, in this encoding.
const HELD: Duration = Duration::from_secs(120);

/// What this room keeps of a call while it lasts.
pub(super) struct VapiCall {
    /// Vapi's id of it.
    pub id: CallId,
    /// By which the model knows our words.
    pub marker: String,
    /// Cancelled when the call has ended.
    pub ended: CancellationToken,
    /// Held while a PIN is tried.
    pub pin_turn: tokio::sync::Mutex<()>,
    began: Instant,
    call_session: OnceLock<Arc<CallSession>>,
    state: Mutex<State>,
    answers: Mutex<HashMap<String, Arc<OnceCell<String>>>>,
}

/// What changes while a call goes on.
#[derive(Default)]
pub(super) struct State {
    /// Where its audio can be listened to.
    pub listen_url: Option<String>,
    /// Where it can be spoken to.
    pub control_url: Option<String>,
    /// The customer's backend that this call's messages are relayed to, where their answer named it.
    pub upstream: Option<Arc<Upstream>>,
    /// Cancelled when nobody listens to its audio any more; none before anybody did.
    pub heard_out: Option<CancellationToken>,
    /// When a round of tries to listen ended that brought no audio at all, by the call's clock.
    pub given_up_at: Option<Duration>,
    /// On which channel the caller was found to be.
    pub caller_channel: Option<u16>,
    /// Whether its status is being asked of Vapi's API.
    pub followed: bool,
    /// Whether verdicts are being told, or were.
    pub telling: bool,
    /// Whether its end at another node is waited for.
    pub end_watched: bool,
    /// What the model was told last; empty where that is not known.
    pub told: Option<String>,
    /// When the assistant spoke.
    pub assistant: AssistantSpeech,
    /// Whether other nodes were asked what they were told of it.
    pub asked_others: bool,
    /// Which of their news were taken in.
    taken_news: VecDeque<i64>,
    /// Utterances that conversations have told of.
    pub conversed: usize,
    /// How far an enrolment on this call has come.
    pub consent: Consent,
    /// What became of the PINs that were tried, by what stands for them: for the whole call, or for one place in its
    /// conversation.
    pub pins: HashMap<(Option<usize>, [u8; 32]), String>,
    /// The header facts that were learnt, by their hash.
    pub learnt: Option<u64>,
    /// What messages said of the call while the store could not be read.
    pub behind: Option<CallView>,
    /// Whether somebody is bringing that in.
    pub catching_up: bool,
    /// Whether audio came at all.
    pub heard_anything: bool,
    /// The caller's audio, where it may yet be enrolled.
    pub held: Option<Held>,
}

/// A caller's audio in its own encoding, one channel; wiped when it goes.
pub(super) struct Held {
    /// How it is to be read.
    pub shape: Shape,
    /// The samples, in that encoding.
    pub bytes: Zeroizing<Vec<u8>>,
}

impl VapiCall {
    pub(super) fn new(id: CallId, marker: String) -> Arc<Self> {
        Arc::new(Self {
            id,
            marker,
            ended: CancellationToken::new(),
            pin_turn: tokio::sync::Mutex::default(),
            began: Instant::now(),
            call_session: OnceLock::new(),
            state: Mutex::default(),
            answers: Mutex::default(),
        })
    }

    /// The time since this line was first heard of: the clock of its audio and its messages.
    pub(super) fn clock(&self) -> Duration {
        self.began.elapsed()
    }

    /// Its call session, once the dialed number is known.
    pub(super) fn call_session(&self) -> Option<&Arc<CallSession>> {
        self.call_session.get()
    }

    /// Sets the call session, which stays what it was first.
    pub(super) fn set_call_session(&self, call_session: Arc<CallSession>) -> &Arc<CallSession> {
        self.call_session.get_or_init(|| call_session)
    }

    /// What is known, for a moment.
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer of a tool call, made once however often it is asked for. `None` when too many were made.
    pub(super) fn answer_slot(&self, tool_call: &str) -> Option<Arc<OnceCell<String>>> {
        let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        if !answers.contains_key(tool_call) && answers.len() >= MOST_ANSWERS {
            return None;
        }
        Some(Arc::clone(answers.entry(tool_call.to_owned()).or_default()))
    }

    /// Whether the call has ended.
    pub(super) fn is_over(&self) -> bool {
        self.ended.is_cancelled()
    }

    /// The same, where another node may have been told of it.
    pub(super) fn has_ended(&self) -> bool {
        self.is_over() || self.call_session().is_some_and(|call| call.verdict().ended)
    }

    /// Waits until nobody listens any more; not where nobody does.
    pub(super) async fn heard_out(&self) {
        let heard_out = self.state().heard_out.clone();
        if let Some(heard_out) = heard_out {
            heard_out.cancelled().await;
        }
    }

    /// Forgets what was kept of the caller's voice and words.
    pub(super) fn forget_audio(&self) {
        let mut state = self.state();
        state.held = None;
        state.consent = Consent::NotAsked;
    }
}

impl State {
    /// Whether somebody listens to its audio.
    pub(super) fn is_listened_to(&self) -> bool {
        let heard_out = self.heard_out.as_ref();
        heard_out.is_some_and(|heard_out| !heard_out.is_cancelled())
    }

    /// Whether another round of tries to listen may begin now. Each message would begin one otherwise.
    pub(super) fn may_listen(&self, now: Duration) -> bool {
        let waits = |at: Duration| now.saturating_sub(at) < ROUNDS;
        !self.is_listened_to() && !self.given_up_at.is_some_and(waits)
    }

    /// Takes in who speaks or has the call, by a message that came `at` by the call's clock and was made at `time`.
    pub(super) fn hear_of(&mut self, kind: CallNewsKind, at: Duration, time: MessageTime) {
        match kind {
            CallNewsKind::AssistantBegins => self.assistant.started(at, time),
            CallNewsKind::AssistantStops => self.assistant.stopped(at, time),
            CallNewsKind::CallerBegins | CallNewsKind::CallerStops => {
                self.assistant.told();
                let begins = kind == CallNewsKind::CallerBegins;
                self.assistant.mix.caller(begins, at, time);
            }
            CallNewsKind::PutThrough => self.assistant.mix.handed_on(time, true),
            CallNewsKind::HandedOver => self.assistant.mix.handed_on(time, false),
            CallNewsKind::Answered => self.assistant.mix.answered(time),
            CallNewsKind::Ended => {}
        }
        self.drop_what_is_nobodys();
    }

    /// Lets go of what is held of a mix that is nobody's: nobody knows how much of it is the caller's.
    pub(super) fn drop_what_is_nobodys(&mut self) {
        if self.assistant.mix.is_nobodys() {
            self.held = self.held.take().filter(|held| held.shape.channels > 1);
        }
    }

    /// Whether another node's news were not taken in before; they are from now on.
    pub(super) fn is_news(&mut self, seq: i64) -> bool {
        if self.taken_news.contains(&seq) {
            return false;
        }
        if self.taken_news.len() >= MOST_NEWS {
            self.taken_news.pop_front();
        }
        self.taken_news.push_back(seq);
        true
    }

    /// What became of a PIN on this call before, or where it stands at this `place` of the conversation.
    pub(super) fn pin_answer(&self, place: Option<usize>, stands_for: [u8; 32]) -> Option<String> {
        let known = |place: &Option<usize>| self.pins.get(&(*place, stands_for));
        [None, place].iter().find_map(known).cloned()
    }

    /// Remembers what became of a PIN: on the whole call, or where it stands at this `place` of the conversation.
    pub(super) fn remember_pin(&mut self, place: Option<usize>, stands_for: [u8; 32], answer: String) {
        if self.pins.len() < MOST_PINS {
            self.pins.insert((place, stands_for), answer);
        }
    }

    /// Holds the latest of what was heard of the caller for an enrolment on the call; what is silent, as all that is not theirs
    /// is, need not be held.
    pub(super) fn hold(&mut self, shape: Shape, bytes: &[u8]) {
        let silence = shape.silence();
        let silent = bytes.chunks(silence.len()).all(|sample| sample == silence);
        if silent {
            return;
        }
        if self.held.as_ref().is_none_or(|held| held.shape != shape) {
            self.held = Some(Held {
                shape,
                bytes: Zeroizing::default(),
            });
        }
        let per_second = shape.rate.0 as usize * silence.len();
        let most = per_second * HELD.as_secs() as usize;
        if let Some(held) = &mut self.held {
            // Whole samples only, or all that follows would be read askew.
            let whole = bytes.len() / silence.len() * silence.len();
            held.bytes.extend_from_slice(&bytes[..whole]);
            // A second at once: what follows is moved each time.
            if held.bytes.len() > most + per_second {
                let over = held.bytes.len() - most;
                held.bytes.drain(..over);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::Encoding;
    use crate::units::{Hertz, Seconds};

    #[test]
    fn a_stream_that_never_came_is_tried_again_after_a_minute_and_not_with_each_message() {
        let second = Duration::from_secs;
        let mut state = State::default();
        assert!(state.may_listen(second(1)));
        state.given_up_at = Some(second(25));
        assert!(!state.may_listen(second(26)) && !state.may_listen(second(84)));
        assert!(state.may_listen(second(85)));
        state.heard_out = Some(CancellationToken::new());
        assert!(!state.may_listen(second(86)), "it is listened to");
    }

    #[test]
    fn news_of_other_nodes_count_once_and_memory_is_bounded() {
        let mut state = State::default();
        for seq in 0..1_000 {
            assert!(state.is_news(seq) && !state.is_news(seq));
        }
        assert_eq!(state.taken_news.len(), MOST_NEWS);
        assert!(!state.is_news(999));
    }

    #[test]
    fn of_a_mix_that_turns_out_to_be_nobodys_nothing_is_held() {
        let held_after = |channels: u16, told: &dyn Fn(&mut State)| {
            let shape = Shape {
                encoding: Encoding::PcmS16le,
                rate: Hertz(8_000),
                channels,
                caller_channel: 0,
            };
            let mut state = State::default();
            state.hold(shape, &[1; 16_000]);
            assert!(state.held.is_some());
            told(&mut state);
            state.held.is_some()
        };
        let second = Duration::from_secs;
        let hear = |kind: CallNewsKind| {
            move |state: &mut State| state.hear_of(kind, second(9), MessageTime::default())
        };
        let untold = |state: &mut State| {
            let mix = &mut state.assistant.mix;
            assert!(!mix.heard(Seconds::ZERO, second(1)) && mix.heard(Seconds::new(20.0), second(30)));
            state.drop_what_is_nobodys();
        };
        for kind in [CallNewsKind::HandedOver, CallNewsKind::PutThrough] {
            assert!(!held_after(1, &hear(kind)));
            assert!(held_after(2, &hear(kind)), "the caller is heard on by themselves");
        }
        assert!(!held_after(1, &untold));
        assert!(held_after(1, &hear(CallNewsKind::CallerBegins)));
    }

    #[test]
    fn what_is_held_of_a_voice_is_the_last_two_minutes_without_silence() {
        let shape = Shape {
            encoding: Encoding::PcmS16le,
            rate: Hertz(8_000),
            channels: 1,
            caller_channel: 0,
        };
        let mut state = State::default();
        state.hold(shape, &[0; 16_000]);
        assert!(state.held.is_none());
        for second in 1..=200u8 {
            state.hold(shape, &[second; 16_000]);
        }
        let held = state.held.as_ref().unwrap();
        let seconds = held.bytes.len() / 16_000;
        assert!((120..=121).contains(&seconds), "{seconds} s");
        assert_eq!(held.bytes.last(), Some(&200));
        assert_eq!(held.bytes.first(), Some(&(201 - seconds as u8)));
    }
}
