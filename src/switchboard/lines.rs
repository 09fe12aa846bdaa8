//! Adaptation to the lines of the deployment, where it is switched on: what the calls of each number have in common
//! is learnt as they end, kept in the store as one mean, and taken out of what is searched and what is searched for
//! by the [`Keeper`](super::Keeper).
//!
//! Batches that are not full yet are this process's alone: they are nobody's to read, and a restart loses them.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::error::{BoardError, OpenError};
use super::open::Switchboard;
use crate::decision::{
    Alignment, BadLine, Batch, Calibration, LEAST_SPEECH, LineMean, LineReference, MeanVoice, Reason,
    over_the_telephone,
};
use crate::store::{KeptLine, Number, Store, StoreError};
use crate::units::{DialedNumber, PhoneNumber, UserId};
use crate::verdict::{Identification, Look};
use crate::voiceprint::{Card, Embedding, ModelId};

/// The lines of a deployment, as one model hears them.
pub struct Lines {
    model: ModelId,
    sha256: String,
    /// Where the calibration's own calls lie.
    reference: LineReference,
    open: Mutex<HashMap<DialedNumber, Batch>>,
    /// Callers stand in memory by a hash that means nothing in any other process.
    keys: RandomState,
}

/// Who is counted for a call.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Caller {
    /// Whom it was identified as.
    User(UserId),
    /// Who called from here.
    Number(PhoneNumber),
    /// All who withhold their number are one: nobody counts twice by doing so.
    Withheld,
}

impl Lines {
    /// The lines as the model on `card` hears them, with no batch begun.
    ///
    /// # Errors
    /// [`OpenError::NoLine`] when the calibration does not know where its own calls lie;
    /// [`OpenError::Line`] when that is of other voiceprints than the model's.
    pub fn open(card: &Card, calibration: &Calibration) -> Result<Self, OpenError> {
        let reference = calibration.line()?.clone();
        reference.mean.check_dim(card.dimension())?;
        Ok(Self {
            model: card.id().clone(),
            sha256: card.sha256().to_owned(),
            reference,
            open: Mutex::default(),
            keys: RandomState::new(),
        })
    }

    /// How the voices of a number are moved, by what is kept of its line. What cannot be a line's mean is refused:
    /// the log says so, and nothing is moved.
    pub(super) async fn alignment(
        &self,
        store: &Store,
        number: &DialedNumber,
    ) -> Result<Option<Alignment>, StoreError> {
        let kept = match store.line(number, &self.model, &self.sha256).await {
            Err(StoreError::Unreadable { .. }) => {
                refused(number, &BadLine::NotAMean);
                return Ok(None);
            }
            kept => kept?,
        };
        let Some(kept) = kept else {
            return Ok(None);
        };
        let alignment = self
            .checked(&kept)
            .and_then(|line| Alignment::of(&line, &self.reference));
        Ok(alignment.inspect_err(|fault| refused(number, fault)).ok())
    }

    fn checked(&self, kept: &KeptLine) -> Result<LineMean, BadLine> {
        let mean = MeanVoice::new(kept.mean.clone())?;
        mean.check_dim(self.reference.mean.as_slice().len())?;
        LineMean::new(mean, kept.weight, kept.callers)
    }

    /// Counts a call that is over, if it is one of a single voice over a telephone with enough speech, and folds the
    /// batch into what is kept when it is full. A failure costs a batch and is logged: the call was served.
    pub(super) async fn count(&self, store: &Store, look: &Look, said: &Identification, caller: Caller) {
        let Some(voice) = counted(look, said) else {
            return;
        };
        let number = &said.number;
        let key = self.keys.hash_one(&caller);
        let full = self.batches().entry(number.clone()).or_default().add(key, voice);
        match full {
            Ok(None) => {}
            Ok(Some(batch)) => self.fold(store, number, batch).await,
            Err(fault) => tracing::warn!(?number, %fault, "a call was not counted for its line: {fault}"),
        }
    }

    async fn fold(&self, store: &Store, number: &DialedNumber, batch: LineMean) {
        let next = |before: Option<KeptLine>| {
            let before = before.map(|kept| self.checked(&kept)).transpose();
            let next = before.and_then(|before| LineMean::with(before, batch));
            let next = next.inspect_err(|fault| refused(number, fault)).ok()?;
            Some(KeptLine {
                mean: next.mean().as_slice().to_vec(),
                weight: next.weight(),
                callers: next.callers(),
            })
        };
        let folded = store.fold_line(number, &self.model, &self.sha256, next);
        if let Err(fault) = folded.await {
            tracing::warn!(?number, %fault, "what was learnt of a line is lost: {fault}");
        }
    }

    /// Lets go of the batch of a number.
    fn forget(&self, number: &DialedNumber) {
        self.batches().remove(number);
    }

    /// Takes a user's calls out of the batches that are not full yet.
    fn uncount(&self, user: UserId) {
        let key = self.keys.hash_one(Caller::User(user));
        self.batches().values_mut().for_each(|batch| batch.remove(key));
    }

    fn batches(&self) -> MutexGuard<'_, HashMap<DialedNumber, Batch>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The voice by which a call counts for its line; `None` for one that does not.
fn counted<'a>(look: &'a Look, said: &Identification) -> Option<&'a Embedding> {
    let several = look.views.is_empty()
        || said.reason == Some(Reason::SeveralVoices)
        || said
            .quality
            .is_some_and(|quality| quality.overlap == Some(true) || quality.is_poor());
    let enough = look.net_speech >= LEAST_SPEECH;
    let telephone = over_the_telephone(look.views.iter().map(|view| view.bandwidth));
    let voice = look.views.first().map(|view| &view.embedding);
    voice.filter(|_| telephone && enough && !several)
}

fn refused(number: &DialedNumber, fault: &BadLine) {
    tracing::warn!(
        ?number, %fault,
        "what is kept of the line of {number:?} is not used, and the calls to it are taken as they are: {fault}; \
         `voxline number set --forget-line` begins anew"
    );
}

impl Switchboard {
    /// Forgets what was learnt of a number's line, also what is not in the store yet, and gives the number as it is
    /// then. Its calls are taken as they are until enough callers were heard anew.
    ///
    /// # Errors
    /// [`BoardError::UnknownNumber`]; the store's.
    pub async fn forget_line(&self, number: &DialedNumber) -> Result<Number, BoardError> {
        self.known_number(number).await?;
        if let Some(lines) = &self.serving().lines {
            lines.forget(number);
        }
        self.store.forget_line(number).await?;
        let now = self.store.number(number).await?;
        now.ok_or_else(|| BoardError::UnknownNumber(number.clone()))
    }

    /// Takes the calls of a user who is erased out of what this process has counted and not yet folded.
    pub(super) fn uncount(&self, user: UserId) {
        if let Some(lines) = &self.serving().lines {
            lines.uncount(user);
        }
    }
}

/// The lines, where calls are to be adapted to them.
///
/// # Errors
/// As [`Lines::open`].
pub(super) fn lines(
    adapt: bool,
    card: &Card,
    calibration: &Calibration,
) -> Result<Option<Arc<Lines>>, OpenError> {
    let open = || Lines::open(card, calibration).map(Arc::new);
    adapt.then(open).transpose()
}
