//! One call: opened once, fed facts, PINs and audio, asked for its verdict.
//!
//! Webhooks [`learn`](CallSession::learn) facts, keypads and tools [`try_pin`](CallSession::try_pin) (`call_pins`), the audio is
//! [`heard`](CallSession::heard) (`call_voice`); each is put together with all that came before, by the laws of
//! [`crate::verdict::chain`], to the next version of one verdict. Versions belong to the call: they only rise,
//! whichever door the news came through and in whichever order.
//!
//! A call always has an answer. While the store cannot be read its speaker is *inconclusive* (`unavailable`);
//! facts that came meanwhile are kept and weighed once it can be.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use tokio_util::task::TaskTracker;

use super::call_evidence::{CallContext, CallEvidence};
use super::call_verdict::{CallVerdict, Said};
use super::heard_streams::HeardStreams;
use super::kept::Before;
use super::key_presses::KeyPresses;
use super::keypad::StreamKeypad;
use super::outcomes::answered;
use super::roster::RosterNow;
use super::stored_version::{StoredVersion, VERSIONS_LEFT_OUT, made_over};
use super::updates::Update;
use crate::decision::Reason;
use crate::evidence::CallFacts;
use crate::store::{CallRecord, NewVersion, StoreError};
use crate::units::{CallId, DialedNumber, PhoneNumber};
use crate::verdict::Identification;
use crate::verdict::chain::{Identity, nothing_known};

/// How long the last word on a call waits for the PINs that are being tried.
pub(super) const PIN_PATIENCE: Duration = Duration::from_secs(10);

/// Everything that is known of one call.
pub struct CallSession {
    pub(super) context: CallContext,
    held_open: AtomicBool,
    /// Whether the latest news could not be weighed, for the store could not be read.
    in_the_dark: AtomicBool,
    /// Whether somebody sends its audio.
    listened_to: AtomicBool,
    /// How many streams there were, as far as it is known here.
    pub(super) streams: AtomicU64,
    pub(super) keypad: Mutex<StreamKeypad>,
    /// The keys that come by webhooks, where no other node shares the store.
    pub(super) key_presses: Mutex<KeyPresses>,
    /// Whether a shared store did not take one of them.
    pub(super) lost_key: AtomicBool,
    /// The PINs being tried; closed from the beginning, so that waiting ends whenever there are none.
    pub(super) trying: TaskTracker,
    touched: Mutex<Instant>,
    pub(super) state: tokio::sync::Mutex<State>,
    latest: watch::Sender<Arc<CallVerdict>>,
}

/// What changes; its lock is held while the next version is made and given out, so that versions are given out
/// in their order.
pub(super) struct State {
    pub ended: bool,
    pub evidence: CallEvidence,
}

/// The one place at which a call's audio comes in; given back when dropped.
pub(super) struct AudioSlot(Arc<CallSession>);

impl Drop for AudioSlot {
    fn drop(&mut self) {
        self.0.listened_to.store(false, Ordering::Release);
        metrics::gauge!("voxline_live_calls").decrement(1);
    }
}

impl CallSession {
    /// A call that begins, or one that was there before this process. `blank` says of it that nothing is known;
    /// `is_known` whether the store could be read.
    pub(super) fn begin(
        context: CallContext,
        mut before: Before,
        blank: Identification,
        is_known: bool,
    ) -> Self {
        if !context.services.store.is_shared() {
            // Whoever heard it before was an earlier process.
            before.known.heard = HeardStreams::default();
        }
        let trying = TaskTracker::new();
        trying.close();
        let first = CallVerdict {
            call_id: context.id.clone(),
            version: before
                .stored
                .map_or(0, |stored| stored.number + VERSIONS_LEFT_OUT),
            ended: false,
            identity: nothing_known(Reason::TooLittleSpeech, &[], None),
            identification: before.said.clone().unwrap_or(blank),
        };
        Self {
            context,
            held_open: AtomicBool::new(false),
            in_the_dark: AtomicBool::new(!is_known),
            listened_to: AtomicBool::new(false),
            streams: AtomicU64::new(before.known.streams),
            keypad: Mutex::default(),
            key_presses: Mutex::default(),
            lost_key: AtomicBool::new(false),
            trying,
            touched: Mutex::new(Instant::now()),
            state: tokio::sync::Mutex::new(State {
                ended: false,
                evidence: CallEvidence::from_before(before),
            }),
            latest: watch::Sender::new(Arc::new(first)),
        }
    }

    /// Says anew what was said of a call before this process, by the evidence that was kept of it.
    pub(super) async fn take_up(&self) {
        let mut state = self.state.lock().await;
        if !state.ended {
            self.next(&mut state, Said::Nothing).await;
        }
    }

    /// Weighs what is known by the roster as it is now, where it has changed since or the call's record was not read yet. That
    /// is no news of the call: one that is silent goes on being so.
    pub(super) async fn follow_roster(&self) {
        let Ok(roster) = self.roster().await else {
            return;
        };
        let mut state = self.state.lock().await;
        let evidence = &state.evidence;
        if !state.ended && (evidence.is_unread || evidence.was_weighed_before(&roster)) {
            self.next_on(&mut state, Said::Nothing, Ok(roster)).await;
        }
    }

    /// Takes in what other nodes said. That the store cannot be read at the moment is no news of the call.
    pub(super) async fn follow_others(&self) {
        let roster = self.roster().await;
        if !matches!(roster, Ok(_) | Err(StoreError::UnknownNumber(_))) {
            return;
        }
        let mut state = self.state.lock().await;
        if !state.ended {
            self.touch();
            self.next_on(&mut state, Said::Nothing, roster).await;
        }
    }

    /// Takes the place at which its audio comes in; `None` while somebody else has it.
    pub(super) fn audio_slot(self: &Arc<Self>) -> Option<AudioSlot> {
        let taken = self.listened_to.swap(true, Ordering::AcqRel);
        (!taken).then(|| {
            metrics::gauge!("voxline_live_calls").increment(1);
            AudioSlot(Arc::clone(self))
        })
    }

    /// Whether somebody sends its audio.
    pub fn is_listened_to(&self) -> bool {
        self.listened_to.load(Ordering::Acquire)
    }

    /// The id by which the store has the call.
    pub fn id(&self) -> &CallId {
        &self.context.id
    }

    /// The dialed number.
    pub fn number(&self) -> &DialedNumber {
        &self.context.number
    }

    /// The latest verdict.
    pub fn verdict(&self) -> Arc<CallVerdict> {
        Arc::clone(&self.latest.borrow())
    }

    /// The verdict as it changes.
    pub fn watch(&self) -> watch::Receiver<Arc<CallVerdict>> {
        self.latest.subscribe()
    }

    /// Says that somebody will call [`CallSession::finish`]: the end of the audio is then not yet the end of the call.
    /// Whoever has no such message, as a plain stream, leaves it be.
    pub fn hold_open(&self) {
        self.held_open.store(true, Ordering::Relaxed);
    }

    /// Whether the store could not be read when there last was news: facts wait, and whatever comes next brings them
    /// in if it can be read by then.
    pub fn is_in_the_dark(&self) -> bool {
        self.in_the_dark.load(Ordering::Relaxed)
    }

    /// Takes what a carrier or Vapi knows of the call (T0 to T3). The same facts a second time change nothing.
    pub async fn learn(&self, facts: &CallFacts) -> Arc<CallVerdict> {
        let mut state = self.state.lock().await;
        if state.ended {
            return self.verdict();
        }
        state.evidence.put_off(facts);
        self.next(&mut state, Said::Nothing).await
    }

    /// Waits until no PIN is being tried: what was typed before the end belongs to the call.
    pub(super) async fn pins_tried(&self) {
        let tried = tokio::time::timeout(PIN_PATIENCE, self.trying.wait());
        if tried.await.is_err() {
            let id = self.id();
            tracing::warn!(call.id = %id, "call {id} ended without the answer to a PIN");
        }
    }

    /// Whether the end of the audio is the end of the call.
    pub(super) fn ends_with_its_audio(&self) -> bool {
        !self.held_open.load(Ordering::Relaxed)
    }

    /// The dialed number's roster as it is now.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub(super) async fn roster(&self) -> RosterNow {
        self.context.services.rosters.now(&self.context.number).await
    }

    /// Ends the call and gives the last word on it, which is kept in the store. A second time changes nothing.
    pub async fn finish(&self) -> Arc<CallVerdict> {
        self.pins_tried().await;
        let mut state = self.state.lock().await;
        if state.ended {
            return self.verdict();
        }
        state.ended = true;
        self.next(&mut state, Said::LastWord).await
    }

    /// The number that forwarded the call, by the latest facts of a known peer that named one and did not ask that it be
    /// shown to nobody. Not known any more after a restart.
    pub async fn forwarder(&self) -> Option<PhoneNumber> {
        self.state.lock().await.evidence.forwarder().cloned()
    }

    /// Notes that there was news of the call.
    pub(super) fn touch(&self) {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// When there last was news of the call.
    pub(super) fn touched(&self) -> Instant {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the next version, if anything is new.
    pub(super) async fn next(&self, state: &mut State, said: Said) -> Arc<CallVerdict> {
        let roster = self.roster().await;
        self.touch();
        self.next_on(state, said, roster).await
    }

    /// The same by this roster.
    pub(super) async fn next_on(&self, state: &mut State, said: Said, roster: RosterNow) -> Arc<CallVerdict> {
        let before = self.verdict();
        let is_sign = matches!(said, Said::Sign);
        if is_sign && roster.is_err() {
            // A sign is no news of the call, nor is that the store cannot be read.
            return before;
        }
        let taken = state
            .evidence
            .take_in_others(&self.context, &before.identification)
            .await;
        let ended_elsewhere = taken.ended && !state.ended;
        state.ended |= taken.ended;
        state.evidence.voice.streams = self.learn_streams(state.evidence.voice.streams);
        let brought = match roster {
            Ok(roster) => state.evidence.bring_in(&self.context, roster).await,
            Err(fault) => Err(fault),
        };
        let identity = self.weighed(state, brought);
        let spoken = matches!(said, Said::Voice(_) | Said::LastWord);
        let mut identification = said.over(taken.said, &before.identification);
        state.evidence.take_back(&mut identification);
        // Nothing is weighed against another node's last word.
        let (identification, identity) = taken.last.map_or((identification, identity), |last| *last);
        let news = ended_elsewhere
            || taken.news_gave_way
            || before.version == 0
            || !before.says_as_much_as(&identification, &identity);
        let is_for_others = is_sign || taken.gave_way;
        if !news && !spoken && !is_for_others {
            return before;
        }
        let stored = state.evidence.stored.map_or(0, |stored| stored.number);
        let verdict = Arc::new(CallVerdict {
            call_id: self.id().clone(),
            version: before.version.max(stored) + taken.left_out + 1,
            ended: state.ended,
            identification,
            identity,
        });
        // Once a call, by the node that ended it; nobody answered for one that nobody listened to.
        if verdict.ended && !ended_elsewhere && state.evidence.voice.word.is_some() {
            answered(&verdict.identification);
        }
        if news || verdict.ended {
            verdict.log();
        }
        if news || is_for_others || verdict.ended {
            self.record(&verdict, news, &mut state.evidence).await;
        }
        self.latest.send_replace(Arc::clone(&verdict));
        if news || spoken {
            let update = Update::Call(Box::new((*verdict).clone()));
            self.context.services.channels.send(self.context.tenant, update);
        }
        verdict
    }

    /// Whose line and whose voice, where what there is could be `brought` in.
    fn weighed(&self, state: &State, brought: Result<(), StoreError>) -> Identity {
        self.in_the_dark.store(brought.is_err(), Ordering::Relaxed);
        let Err(fault) = brought else {
            return state.evidence.weigh(&self.context);
        };
        let id = self.id();
        tracing::error!(call.id = %id, %fault, "the evidence of call {id} cannot be weighed: {fault}");
        metrics::counter!("voxline_identification_faults_total").increment(1);
        state.evidence.unavailable()
    }

    /// Takes in how many streams others know of; gives how many there were.
    fn learn_streams(&self, known: u64) -> u64 {
        self.streams.fetch_max(known, Ordering::AcqRel).max(known)
    }

    /// Has a version recorded.
    async fn record(&self, verdict: &CallVerdict, is_news: bool, evidence: &mut CallEvidence) {
        let Some(document) = verdict.document() else {
            return;
        };
        let CallContext {
            id,
            number,
            started_at,
            services,
            ..
        } = &self.context;
        let kept = if verdict.ended {
            None
        } else {
            evidence.kept(&self.context).await
        };
        if kept.is_none() && !verdict.ended {
            tracing::warn!(call.id = %id, "the evidence of call {id} is too much to outlive a restart");
        }
        if verdict.ended {
            services.callers.add(number, &document);
        }
        let record = CallRecord {
            call_id: id.clone(),
            number: number.clone(),
            started_at: *started_at,
            updated_at: self.context.now(),
            version: verdict.version,
            is_final: verdict.ended,
            verdict: document,
            evidence: kept,
        };
        let over = made_over(evidence.stored, &services.store);
        evidence.stored = Some(StoredVersion {
            number: record.version,
            at: record.updated_at,
        });
        let is_news = is_news || verdict.ended;
        let new = NewVersion {
            record,
            over,
            is_news,
        };
        services.recorder.record(new, Arc::clone(&evidence.refused)).await;
    }
}
