//! The states of the calls that are under way: one object a call, whoever asks for it first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::call_state::{Beginning, CallState};
use super::error::BoardError;
use super::kept::Before;
use super::open::Switchboard;
use crate::decision::Reason;
use crate::engine::Busy;
use crate::evidence::{CallerNumber, Region};
use crate::store::{KeyedHash, StoreError};
use crate::units::{CallId, DialedNumber};
use crate::verdict::Identification;

/// Most call states at a time.
const CAPACITY: usize = 10_000;

/// How long a call state is kept after its end, for news that come late.
const AFTER_THE_END: Duration = Duration::from_secs(5 * 60);

/// How long a call state may be silent, with nobody holding it, before it is taken for ended.
const SILENCE: Duration = Duration::from_secs(30 * 60);

/// The call states, by call.
#[derive(Default)]
pub(super) struct CallStates(Mutex<HashMap<CallId, Arc<CallState>>>);

impl CallStates {
    fn held(&self) -> MutexGuard<'_, HashMap<CallId, Arc<CallState>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Switchboard {
    /// The state of a call to `number`: the one there is, or a new one. While the store cannot be read a new one is
    /// made all the same, and says `unavailable`.
    ///
    /// # Errors
    /// [`BoardError::UnknownNumber`]; [`BoardError::OtherNumber`] when the call was to another number;
    /// [`BoardError::CallEnded`] when it is over; [`BoardError::Busy`] when there are too many.
    pub async fn call_state(
        self: &Arc<Self>,
        call: &CallId,
        number: &DialedNumber,
    ) -> Result<Arc<CallState>, BoardError> {
        if let Some(known) = self.find_call_state(call) {
            return of_number(known, number);
        }
        let beginning = self.beginning(call, number).await?;
        let goes_on = beginning.before.is_some();
        let begun = Arc::new(CallState::begin(self, beginning));
        self.make_room()?;
        let call_state = Arc::clone(self.call_states.held().entry(call.clone()).or_insert(begun));
        let call_state = of_number(call_state, number)?;
        if goes_on {
            call_state.take_up().await;
        }
        Ok(call_state)
    }

    /// The state of a call, while there is one.
    pub fn find_call_state(&self, call: &CallId) -> Option<Arc<CallState>> {
        self.call_states.held().get(call).cloned()
    }

    /// The calls that are under way.
    pub fn live_calls(&self) -> Vec<CallId> {
        let call_states = self.call_states.held();
        let live = call_states
            .values()
            .filter(|call_state| !call_state.verdict().ended);
        live.map(|call_state| call_state.id().clone()).collect()
    }

    /// Lets go of the states of calls that are over, and ends those that nobody has had news of for long.
    pub async fn tidy_call_states(&self) {
        let now = Instant::now();
        let quiet: Vec<Arc<CallState>> = {
            let mut call_states = self.call_states.held();
            call_states.retain(|_, call_state| {
                !(call_state.verdict().ended && now.duration_since(call_state.touched()) > AFTER_THE_END)
            });
            // Whoever holds a call state has a call under way.
            let quiet = call_states.values().filter(|call_state| {
                Arc::strong_count(call_state) == 1 && now.duration_since(call_state.touched()) > SILENCE
            });
            quiet.cloned().collect()
        };
        for call_state in quiet {
            call_state.finish().await;
        }
    }

    /// Makes what the first call would make, so that it need not wait for whoever else writes to the store, and
    /// forgets what lost calls rested on.
    pub async fn prepare(&self) {
        // The first telephone number that is read loads the tables of all countries.
        let _ = CallerNumber::read("+12025550100", Region::UNKNOWN);
        if let Err(fault) = self.store.forget_lost_calls().await {
            tracing::warn!(%fault, "the evidence of calls that never ended is still kept: {fault}");
        }
        if let Err(fault) = self.keyed_hash().await {
            tracing::warn!(%fault, "evidence is without hashes of telephone numbers until their key can be read: {fault}");
        }
    }

    /// The keyed hash of this deployment's values.
    pub(super) async fn keyed_hash(&self) -> Result<KeyedHash, StoreError> {
        let hash = self.hash.get_or_try_init(|| self.store.keyed_hash()).await?;
        Ok(hash.clone())
    }

    async fn beginning(&self, call: &CallId, number: &DialedNumber) -> Result<Beginning, BoardError> {
        // Side by side: a store that hangs is waited for once.
        let (known, before) = tokio::join!(self.store.number(number), self.call_record(call));
        let stated = match &known {
            Ok(None) => return Err(BoardError::UnknownNumber(number.clone())),
            Ok(Some(known)) => known.region.clone(),
            Err(fault) => {
                tracing::error!(call.id = %call, %fault, "call {call} begins without the store: {fault}");
                None
            }
        };
        let before = match before.ok().flatten() {
            Some(record) if record.number != *number => {
                return Err(BoardError::OtherNumber(call.clone()));
            }
            Some(record) if record.is_final => return Err(BoardError::CallEnded(call.clone())),
            record => record,
        };
        let active_model = self.active_model();
        let blank = Identification::inconclusive(
            number.clone(),
            active_model.card.id().clone(),
            active_model.calibration.id.clone(),
            Reason::TooLittleSpeech,
        );
        Ok(Beginning {
            id: call.clone(),
            number: number.clone(),
            region: Region::of(number, stated.as_deref()),
            before: before.map(|record| Before::read(record, &blank)),
            blank,
        })
    }

    /// Room for one more: calls that are over go first, the longest quiet of them before the others.
    fn make_room(&self) -> Result<(), BoardError> {
        let mut call_states = self.call_states.held();
        if call_states.len() < CAPACITY {
            return Ok(());
        }
        let over = call_states
            .values()
            .filter(|call_state| call_state.verdict().ended);
        let longest = over
            .min_by_key(|call_state| call_state.touched())
            .map(|call_state| call_state.id().clone());
        match longest {
            Some(id) => {
                call_states.remove(&id);
                Ok(())
            }
            None => Err(BoardError::Busy(Busy {
                retry_after: Duration::from_secs(5),
                of_the_key: false,
            })),
        }
    }
}

/// `call_state`, if it is of a call to `number`: a call id says nothing of another number's calls.
fn of_number(call_state: Arc<CallState>, number: &DialedNumber) -> Result<Arc<CallState>, BoardError> {
    if call_state.number() == number {
        Ok(call_state)
    } else {
        Err(BoardError::OtherNumber(call_state.id().clone()))
    }
}
