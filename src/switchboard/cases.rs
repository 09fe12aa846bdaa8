//! The cases of the calls that are under way: one object a call, whoever asks for it first.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::case::{Beginning, Case};
use super::error::BoardError;
use super::kept::Before;
use super::open::Switchboard;
use crate::decision::Reason;
use crate::engine::Busy;
use crate::evidence::{CallerNumber, Region};
use crate::store::{KeyedHash, StoreError};
use crate::units::{CallId, DialedNumber};
use crate::verdict::Identification;

/// Most cases at a time.
const CAPACITY: usize = 10_000;

/// How long a case is kept after its end, for news that come late.
const AFTER_THE_END: Duration = Duration::from_secs(5 * 60);

/// How long a case may be silent, with nobody holding it, before it is taken for ended.
const SILENCE: Duration = Duration::from_secs(30 * 60);

/// The cases, by call.
#[derive(Default)]
pub(super) struct Cases(Mutex<HashMap<CallId, Arc<Case>>>);

impl Cases {
    fn held(&self) -> MutexGuard<'_, HashMap<CallId, Arc<Case>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Switchboard {
    /// The case of a call to `number`: the one there is, or a new one. While the store cannot be read a new one is
    /// made all the same, and says `unavailable`.
    ///
    /// # Errors
    /// [`BoardError::UnknownNumber`]; [`BoardError::OtherNumber`] when the call was to another number;
    /// [`BoardError::CallEnded`] when it is over; [`BoardError::Busy`] when there are too many.
    pub async fn case(
        self: &Arc<Self>,
        call: &CallId,
        number: &DialedNumber,
    ) -> Result<Arc<Case>, BoardError> {
        if let Some(known) = self.find_case(call) {
            return of_number(known, number);
        }
        let beginning = self.beginning(call, number).await?;
        let goes_on = beginning.before.is_some();
        let begun = Arc::new(Case::begin(self, beginning));
        self.make_room()?;
        let case = Arc::clone(self.cases.held().entry(call.clone()).or_insert(begun));
        let case = of_number(case, number)?;
        if goes_on {
            case.take_up().await;
        }
        Ok(case)
    }

    /// The case of a call, while there is one.
    pub fn find_case(&self, call: &CallId) -> Option<Arc<Case>> {
        self.cases.held().get(call).cloned()
    }

    /// The calls that are under way.
    pub fn live_calls(&self) -> Vec<CallId> {
        let cases = self.cases.held();
        let live = cases.values().filter(|case| !case.verdict().ended);
        live.map(|case| case.id().clone()).collect()
    }

    /// Lets go of the cases of calls that are over, and ends those that nobody has had news of for long.
    pub async fn tidy_cases(&self) {
        let now = Instant::now();
        let quiet: Vec<Arc<Case>> = {
            let mut cases = self.cases.held();
            cases.retain(|_, case| {
                !(case.verdict().ended && now.duration_since(case.touched()) > AFTER_THE_END)
            });
            // Whoever holds a case has a call under way.
            let quiet = cases
                .values()
                .filter(|case| Arc::strong_count(case) == 1 && now.duration_since(case.touched()) > SILENCE);
            quiet.cloned().collect()
        };
        for case in quiet {
            case.finish().await;
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
        let serving = self.serving();
        let blank = Identification::inconclusive(
            number.clone(),
            serving.card.id().clone(),
            serving.calibration.id.clone(),
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

    /// Room for one more: cases that are over go first, the longest quiet of them before the others.
    fn make_room(&self) -> Result<(), BoardError> {
        let mut cases = self.cases.held();
        if cases.len() < CAPACITY {
            return Ok(());
        }
        let over = cases.values().filter(|case| case.verdict().ended);
        let longest = over
            .min_by_key(|case| case.touched())
            .map(|case| case.id().clone());
        match longest {
            Some(id) => {
                cases.remove(&id);
                Ok(())
            }
            None => Err(BoardError::Busy(Busy {
                retry_after: Duration::from_secs(5),
                of_the_key: false,
            })),
        }
    }
}

/// `case`, if it is of a call to `number`: a call id says nothing of another number's calls.
fn of_number(case: Arc<Case>, number: &DialedNumber) -> Result<Arc<Case>, BoardError> {
    if case.number() == number {
        Ok(case)
    } else {
        Err(BoardError::OtherNumber(case.id().clone()))
    }
}
