//! A call state: everything that is known of one call, whatever brings the news.
//!
//! Webhooks [`learn`](CallState::learn) facts, keypads and tools [`try_pin`](CallState::try_pin), the audio is
//! [`heard`](CallState::heard); each is put together with all that came before, by the laws of
//! [`crate::verdict::chain`], to the next version of one verdict. Versions belong to the call state: they only rise,
//! whichever door the news came through and in whichever order.
//!
//! A call state always answers. While the store cannot be read its verdict is *unknown* for the reason `unavailable`;
//! facts that came meanwhile are kept and weighed once it can be.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use serde::Serialize;
use time::OffsetDateTime;
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use utoipa::ToSchema;

use super::call::CallUpdate;
use super::callers::CallerHistory;
use super::claims;
use super::kept::Before;
use super::keypad::{Keypad, Typed};
use super::open::Switchboard;
use super::pin_answer::{PinAnswer, PinWay};
use crate::decision::{ErrorTarget, Reason};
use crate::evidence::{CallFacts, CallerNumber, Region, spoken};
use crate::store::{CallerIsForwarder, KeyedHash, Pin, PinAttempt, PinCaller, PinTry, StoreError};
use crate::units::{CallId, DialedNumber, UserId};
use crate::verdict::Identification;
use crate::verdict::chain::{Claim, Identity, Member, Tier, Voice, nothing_known};

/// Most facts that wait for a store that cannot be read.
const MAX_WAITING: usize = 16;

/// How long the last word on a call waits for the PINs that are being tried.
const PIN_PATIENCE: Duration = Duration::from_secs(10);

/// What is said of a call: the latest version.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct CallVerdict {
    /// The call.
    #[schema(value_type = String)]
    pub call_id: CallId,
    /// Rises with every version.
    pub version: u64,
    /// Whether the call is over: no other version will follow.
    pub ended: bool,
    /// What the voice comes to by itself.
    #[serde(flatten)]
    pub identification: Identification,
    /// Whose line, whose voice.
    #[serde(flatten)]
    pub identity: Identity,
}

/// Everything that is known of one call.
pub struct CallState {
    pub(super) id: CallId,
    pub(super) number: DialedNumber,
    pub(super) region: Region,
    pub(super) started_at: OffsetDateTime,
    pub(super) board: Weak<Switchboard>,
    pub(super) held_open: AtomicBool,
    /// Whether the latest news could not be weighed, for the store could not be read.
    pub(super) in_the_dark: AtomicBool,
    pub(super) keypad: Mutex<Keypad>,
    /// The PINs being tried; closed from the beginning, so that waiting ends whenever there are none.
    pub(super) trying: TaskTracker,
    pub(super) touched: Mutex<Instant>,
    pub(super) state: tokio::sync::Mutex<State>,
    pub(super) latest: watch::Sender<Arc<CallVerdict>>,
}

/// What changes; its lock is held while the next version is made and given out, so that versions are given out
/// in their order.
pub(super) struct State {
    pub ended: bool,
    pub claims: Vec<Claim>,
    pub waiting: Vec<CallFacts>,
    pub voice: Option<Voice>,
    pub caller: Option<CallerNumber>,
    /// The keyed hash of the caller's number that was known before a restart.
    pub caller_before: Option<String>,
    pub roster: Option<Known>,
}

/// What is known of the dialed number.
pub(super) struct Known {
    /// The version of the roster that this was read at.
    pub version: u64,
    pub members: Vec<Member>,
    /// What is promised of its calls.
    pub error_target: ErrorTarget,
    /// Whether the caller's number is the forwarder's.
    pub caller_is_forwarder: CallerIsForwarder,
    /// What calls before this one say of that.
    pub callers: Arc<CallerHistory>,
}

impl State {
    /// What stands for the caller's number; `None` while there is none.
    pub(super) fn caller_hash(&self, hash: &KeyedHash) -> Option<String> {
        let number = self.caller.as_ref().and_then(CallerNumber::number);
        let now = number.map(|number| hash.of("caller", &number.line_key()));
        now.or_else(|| self.caller_before.clone())
    }
}

/// How a call state begins.
pub(super) struct Beginning {
    pub id: CallId,
    pub number: DialedNumber,
    pub region: Region,
    /// Where a call goes on that was there before this process.
    pub before: Option<Before>,
    /// What is said of it before anything is known.
    pub blank: Identification,
}

impl CallState {
    pub(super) fn begin(board: &Arc<Switchboard>, beginning: Beginning) -> Self {
        let Beginning {
            id,
            number,
            region,
            before,
            blank,
        } = beginning;
        let before = before.unwrap_or_else(Before::nothing);
        let trying = TaskTracker::new();
        trying.close();
        let first = CallVerdict {
            call_id: id.clone(),
            version: before.version,
            ended: false,
            identity: nothing_known(Reason::TooLittleSpeech, &[], None),
            identification: before.said.unwrap_or(blank),
        };
        Self {
            id,
            number,
            region,
            started_at: before.started_at,
            board: Arc::downgrade(board),
            held_open: AtomicBool::new(false),
            in_the_dark: AtomicBool::new(false),
            keypad: Mutex::default(),
            trying,
            touched: Mutex::new(Instant::now()),
            state: tokio::sync::Mutex::new(State {
                ended: false,
                claims: before.claims,
                waiting: Vec::new(),
                voice: before.voice,
                caller: None,
                caller_before: before.caller,
                roster: None,
            }),
            latest: watch::Sender::new(Arc::new(first)),
        }
    }

    /// Says anew what was said of a call before this process, by the evidence that was kept of it.
    pub(super) async fn take_up(&self) {
        let mut state = self.state.lock().await;
        if !state.ended {
            self.next(&mut state, None).await;
        }
    }

    /// The call.
    pub fn id(&self) -> &CallId {
        &self.id
    }

    /// The dialed number.
    pub fn number(&self) -> &DialedNumber {
        &self.number
    }

    /// The latest verdict.
    pub fn verdict(&self) -> Arc<CallVerdict> {
        Arc::clone(&self.latest.borrow())
    }

    /// The verdict as it changes.
    pub fn watch(&self) -> watch::Receiver<Arc<CallVerdict>> {
        self.latest.subscribe()
    }

    /// Says that somebody will call [`CallState::finish`]: the end of the audio is then not yet the end of the call.
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
        if state.waiting.len() < MAX_WAITING {
            state.waiting.push(facts.clone());
        }
        self.next(&mut state, None).await
    }

    /// Tries a PIN (T4). `digits` may be text: digits typed, digits spoken, or Vapi's keypad message.
    ///
    /// The PIN is nowhere written down, and the work does not depend on whose it is. A wrong one counts against
    /// the caller, the dialed number, and the user other evidence of the call points to; too many lock these out
    /// for a while, restart or not. A PIN that is being tried when the call ends counts still: the last word
    /// waits for it, but not for ever.
    pub async fn try_pin(&self, digits: &str, way: PinWay) -> PinAnswer {
        let _counts = self.trying.token();
        let Some(pin) = spoken::digits(digits).and_then(|digits| digits.parse::<Pin>().ok()) else {
            return PinAnswer::NotAPin;
        };
        let Some(board) = self.board.upgrade() else {
            return PinAnswer::Unavailable;
        };
        let attempt = {
            let state = self.state.lock().await;
            if state.ended {
                return PinAnswer::Unavailable;
            }
            self.pin_try(&board, &state).await
        };
        // The lock is not held while the hashes are made: the call goes on being heard.
        let tried = match attempt {
            Ok(attempt) => {
                let limits = board.config.identity.pin_limits;
                board.store.try_pin(&attempt, &pin, &limits).await
            }
            Err(fault) => Err(fault),
        };
        match tried {
            Ok(PinAttempt::Right(user)) => {
                self.accepted(&board, vec![user], way).await;
                PinAnswer::Accepted { user }
            }
            Ok(PinAttempt::Shared(users)) => {
                self.accepted(&board, users.clone(), way).await;
                let named = self.verdict().identity.speaker.user_id;
                PinAnswer::Shared {
                    user: named.filter(|user| users.contains(user)),
                }
            }
            Ok(PinAttempt::Wrong { left }) => PinAnswer::Wrong { left },
            Ok(PinAttempt::Locked { until }) => PinAnswer::LockedOut { until },
            Err(fault) => {
                tracing::error!(call.id = %self.id, %fault, "a PIN of call {} was not checked: {fault}", self.id);
                PinAnswer::Unavailable
            }
        }
    }

    /// Takes a key of the caller's keypad (`0` to `9`, `*`, `#`) and gives the PIN when it is complete, for
    /// [`CallState::try_typed`]: at `identity.pin_length` digits, or at `#` after at least four. `*` and a pause of
    /// `identity.keypad_timeout_seconds` begin anew, so that the digits of another menu do not become part of it.
    pub fn keypad(&self, digit: char) -> Option<Typed> {
        let board = self.board.upgrade()?;
        let identity = &board.config.identity;
        let mut keypad = self.keypad.lock().unwrap_or_else(PoisonError::into_inner);
        let digits = keypad.press(
            digit,
            Instant::now(),
            identity.pin_length,
            identity.keypad_timeout,
        )?;
        Some(Typed::new(digits, self.trying.token()))
    }

    /// A PIN that was typed as a whole and collected elsewhere, for [`CallState::try_typed`].
    pub fn typed(&self, digits: &str) -> Typed {
        Typed::new(digits.to_owned(), self.trying.token())
    }

    /// Tries a PIN that was typed, as [`CallState::try_pin`] does.
    pub async fn try_typed(&self, typed: Typed) -> PinAnswer {
        self.try_pin(typed.digits(), PinWay::Keypad).await
    }

    /// Waits until no PIN is being tried: what was typed before the end belongs to the call.
    async fn pins_tried(&self) {
        if tokio::time::timeout(PIN_PATIENCE, self.trying.wait())
            .await
            .is_err()
        {
            tracing::warn!(call.id = %self.id, "call {} ended without the answer to a PIN", self.id);
        }
    }

    /// Takes the voice's next word (T5). Every word is a version of its own.
    pub async fn heard(&self, said: Identification) -> CallUpdate {
        let ends = said.is_final && !self.held_open.load(Ordering::Relaxed);
        if ends {
            self.pins_tried().await;
        }
        let mut state = self.state.lock().await;
        if state.ended {
            return self.update();
        }
        let weightier = state.voice.as_ref().is_none_or(|before| {
            // A stream that was opened again begins with nothing: what the first one heard stays until then.
            said.net_speech_seconds >= before.said.net_speech_seconds
        });
        if weightier {
            let at = OffsetDateTime::now_utc();
            state.voice = Some(Voice {
                said: said.clone(),
                at,
            });
        }
        state.ended = ends;
        self.next(&mut state, Some(said)).await;
        self.update()
    }

    /// Ends the call and gives the last word on it, which is kept in the store. A second time changes nothing.
    pub async fn finish(&self) -> Arc<CallVerdict> {
        self.pins_tried().await;
        let mut state = self.state.lock().await;
        if state.ended {
            return self.verdict();
        }
        state.ended = true;
        let mut said = self.verdict().identification.clone();
        said.is_final = true;
        self.next(&mut state, Some(said)).await
    }

    /// Whose PIN was given on this call, before a restart too: the latest that is one user's alone.
    pub async fn pin_user(&self) -> Option<UserId> {
        let state = self.state.lock().await;
        let pins = state.claims.iter().rev().filter(|claim| claim.tier == Tier::T4);
        let mut alone = pins.filter_map(|claim| match claim.users[..] {
            [user] => Some(user),
            _ => None,
        });
        alone.next()
    }

    /// When something last happened.
    pub(super) fn touched(&self) -> Instant {
        *self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn update(&self) -> CallUpdate {
        let latest = self.verdict();
        CallUpdate {
            call_id: self.id.clone(),
            version: latest.version,
            identification: latest.identification.clone(),
            identity: latest.identity.clone(),
        }
    }

    async fn accepted(&self, board: &Switchboard, users: Vec<UserId>, way: PinWay) {
        let mut state = self.state.lock().await;
        if state.ended {
            return;
        }
        let claim = self.claimer(board).pin(users, way.name());
        claims::add(&mut state.claims, vec![claim]);
        self.next(&mut state, None).await;
    }

    /// What a PIN is tried for, and by whom.
    async fn pin_try(&self, board: &Switchboard, state: &State) -> Result<PinTry, StoreError> {
        let hash = board.keyed_hash().await?;
        let caller = state.caller_hash(&hash);
        let claims = state.claims.iter().filter(|claim| claim.tier != Tier::T4);
        let strongest = claims.filter(|claim| !claim.users.is_empty());
        Ok(PinTry {
            number: self.number.clone(),
            caller: caller.map_or_else(|| PinCaller::Withheld(self.id.clone()), PinCaller::Number),
            claimed: strongest
                .max_by(|a, b| a.owner.total_cmp(&b.owner))
                .and_then(|claim| claim.users.first().copied()),
        })
    }
}
