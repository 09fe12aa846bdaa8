//! Adaptation to a line: what all calls of a number have in common, which is the line and nobody's voice, is
//! taken out of each of them.
//!
//! The calibration knows the mean of the narrow-band calls it was fitted on ([`LineReference`]); [`LineMean`] is
//! that of a number's own calls, whoever called, without a label. [`Alignment`] moves a voice by the difference, so
//! that the calls of the line lie where the calibration's own lay: the mean is moved to where it was fitted and not
//! to nought (centring), which would be other cosines than it knows. (Feature-domain channel compensation by means,
//! as cepstral mean subtraction does it, Atal 1974, in the embedding's space; correlation alignment by the mean alone,
//! Sun, Feng and Saenko 2016: a covariance would need far more callers than a number has.)
//!
//! Nobody's voice is kept for it. [`Batch`] holds one mean for each caller in memory; only when there are
//! [`CALLERS_OF_A_BATCH`] is the mean of these folded into the number's, which is all that is ever stored. So one
//! caller counts once however often they call, and is a sixteenth of one step.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroize;

use crate::units::Seconds;
use crate::voiceprint::{BadEmbedding, Bandwidth, Embedding};

/// Distinct callers whose mean is folded into a line's at once: so many that none of them can be told from it.
pub const CALLERS_OF_A_BATCH: usize = 16;

/// The least speech of a call that counts: of less, a voiceprint is more what was said than how it came.
pub const LEAST_SPEECH: Seconds = Seconds::new(2.0);

/// Callers after which what was heard before them counts half: lines change, with carriers and codecs.
const HALF_LIFE: f64 = 400.0;

/// Callers at which half of the difference is taken out: the mean of fewer is still partly their voices
/// (`models/calibration/README.md` has what it was chosen on).
const SHRINKAGE: f64 = 200.0;

/// The longest that a mean of unit vectors can be, with room for rounding.
const LONGEST: f64 = 1.001;

/// Why a line's mean cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadLine {
    /// Not the mean of unit vectors.
    #[error("it is no mean of voiceprints: empty, not finite, or longer than any of them")]
    NotAMean,
    /// Of other voiceprints.
    #[error("it has {got} numbers and not {expected}, as the voiceprints here have")]
    Dimension {
        /// What they have.
        expected: usize,
        /// What it has.
        got: usize,
    },
    /// A count or weight that no callers come to.
    #[error("it says it is of no callers, or of more than it can be")]
    Weight,
    /// What was aligned is no voice any more.
    #[error("nothing is left of a voiceprint that was aligned by it: {0}")]
    Nothing(#[from] BadEmbedding),
}

/// A calibration that calls cannot be adapted to.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "the calibration {calibration} does not say where the calls it was fitted on lie ([line] mean), so no calls can \
     be adapted to it: fit it again with `voxline calibrate`, or leave decision.adapt off"
)]
pub struct NoLine {
    /// Its name.
    pub calibration: String,
}

/// The mean of some voiceprints: no longer than one of them. Its `Debug` shows only the size.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct MeanVoice(Vec<f64>);

impl MeanVoice {
    /// A mean as it was kept.
    ///
    /// # Errors
    /// [`BadLine::NotAMean`].
    pub fn new(values: Vec<f64>) -> Result<Self, BadLine> {
        let mean = Self(values);
        if mean.is_one() {
            Ok(mean)
        } else {
            Err(BadLine::NotAMean)
        }
    }

    /// Whether these numbers can be one.
    pub(super) fn is_one(&self) -> bool {
        let square: f64 = self.0.iter().map(|value| value * value).sum();
        // False for a square that is no number.
        !self.0.is_empty() && square <= LONGEST * LONGEST
    }

    /// Its numbers.
    pub fn as_slice(&self) -> &[f64] {
        &self.0
    }

    /// An error unless it has as many numbers as `expected`.
    ///
    /// # Errors
    /// [`BadLine::Dimension`].
    pub fn check_dim(&self, expected: usize) -> Result<(), BadLine> {
        let got = self.0.len();
        if got == expected {
            Ok(())
        } else {
            Err(BadLine::Dimension { expected, got })
        }
    }
}

impl fmt::Debug for MeanVoice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MeanVoice({} numbers)", self.0.len())
    }
}

impl Drop for MeanVoice {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

/// The narrow-band calls that a calibration was fitted on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LineReference {
    /// How many there were.
    pub calls: u64,
    /// The mean of their voiceprints.
    pub mean: MeanVoice,
}

/// Whether what was heard came over a telephone: narrow-band and nothing else. Of a wide-band recording there is a
/// narrow print too, but a simulated line's, which the calibration knows as it is.
pub fn over_the_telephone(views: impl IntoIterator<Item = Bandwidth>) -> bool {
    let mut views = views.into_iter().peekable();
    views.peek().is_some() && views.all(|view| view == Bandwidth::Narrow)
}

/// The mean of a line's calls, the older ones less.
#[derive(Debug, Clone, PartialEq)]
pub struct LineMean {
    mean: MeanVoice,
    weight: f64,
    callers: u64,
}

impl LineMean {
    /// A mean as it was kept: of so many callers, weighing so much.
    ///
    /// # Errors
    /// [`BadLine`] when it cannot be one.
    pub fn new(mean: MeanVoice, weight: f64, callers: u64) -> Result<Self, BadLine> {
        let sound = weight > 0.0 && weight <= callers as f64 * LONGEST;
        if !mean.is_one() {
            Err(BadLine::NotAMean)
        } else if !sound {
            Err(BadLine::Weight)
        } else {
            Ok(Self {
                mean,
                weight,
                callers,
            })
        }
    }

    /// The mean.
    pub fn mean(&self) -> &MeanVoice {
        &self.mean
    }

    /// How many callers it weighs as much as, now that the older ones count less.
    pub fn weight(&self) -> f64 {
        self.weight
    }

    /// How many callers it ever was of, each once a batch.
    pub fn callers(&self) -> u64 {
        self.callers
    }

    /// This line's mean, or none yet, with another batch in it.
    ///
    /// # Errors
    /// [`BadLine::Dimension`] when the batch is of another model's voiceprints.
    pub fn with(before: Option<Self>, batch: Self) -> Result<Self, BadLine> {
        let Some(before) = before else {
            return Ok(batch);
        };
        batch.mean.check_dim(before.mean.0.len())?;
        let kept = before.weight * 0.5f64.powf(batch.weight / HALF_LIFE);
        let weight = kept + batch.weight;
        let both = before.mean.0.iter().zip(&batch.mean.0);
        let mean = both.map(|(old, new)| (kept * old + batch.weight * new) / weight);
        Self::new(
            MeanVoice::new(mean.collect())?,
            weight,
            before.callers.saturating_add(batch.callers),
        )
    }
}

/// The callers of a line since the last batch was folded: a mean for each, in memory alone, and cleared after.
#[derive(Default)]
pub struct Batch {
    callers: BTreeMap<u64, Caller>,
}

struct Caller {
    sum: Vec<f64>,
    calls: f64,
}

impl Batch {
    /// How many callers there are.
    pub fn len(&self) -> usize {
        self.callers.len()
    }

    /// Whether nobody called.
    pub fn is_empty(&self) -> bool {
        self.callers.is_empty()
    }

    /// Adds a call of `caller`, and gives the mean of all callers when they are enough; then it begins anew.
    ///
    /// # Errors
    /// [`BadLine::Dimension`] for a voice of another model than those before it, which is not counted.
    pub fn add(&mut self, caller: u64, voice: &Embedding) -> Result<Option<LineMean>, BadLine> {
        if let Some(other) = self.callers.values().next()
            && other.sum.len() != voice.dim()
        {
            return Err(BadLine::Dimension {
                expected: other.sum.len(),
                got: voice.dim(),
            });
        }
        let known = self.callers.entry(caller).or_insert_with(|| Caller {
            sum: vec![0.0; voice.dim()],
            calls: 0.0,
        });
        let sums = known.sum.iter_mut().zip(voice.as_slice());
        sums.for_each(|(sum, value)| *sum += f64::from(*value));
        known.calls += 1.0;
        if self.callers.len() < CALLERS_OF_A_BATCH {
            return Ok(None);
        }
        let full = std::mem::take(self);
        full.mean().map(Some)
    }

    /// Takes a caller out, as if they had not called.
    pub fn remove(&mut self, caller: u64) {
        self.callers.remove(&caller);
    }

    fn mean(&self) -> Result<LineMean, BadLine> {
        let callers = self.callers.len();
        let dim = self.callers.values().next().map_or(0, |one| one.sum.len());
        let mut mean = vec![0.0; dim];
        for caller in self.callers.values() {
            let own = mean.iter_mut().zip(&caller.sum);
            own.for_each(|(mean, sum)| *mean += sum / caller.calls / callers as f64);
        }
        LineMean::new(MeanVoice::new(mean)?, callers as f64, callers as u64)
    }
}

/// Only how many callers there are.
impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({} callers)", self.callers.len())
    }
}

impl Drop for Caller {
    fn drop(&mut self) {
        self.sum.zeroize();
    }
}

/// How far the voices of a line are moved, and where to.
#[derive(Clone, PartialEq)]
pub struct Alignment(Vec<f64>);

impl Alignment {
    /// From where a line's calls lie towards where the calibration's own lay: of the whole way `n / (n + 200)` for
    /// the weight of `n` callers, since the mean of a few is partly their own voices.
    ///
    /// # Errors
    /// [`BadLine::Dimension`] when the two are of different models.
    pub fn of(line: &LineMean, reference: &LineReference) -> Result<Self, BadLine> {
        let to = &reference.mean;
        line.mean.check_dim(to.0.len())?;
        let share = line.weight / (line.weight + SHRINKAGE);
        let way =
            to.0.iter()
                .zip(&line.mean.0)
                .map(|(to, from)| share * (to - from));
        Ok(Self(way.collect()))
    }

    /// The voice as it would have been over the calibration's lines.
    ///
    /// # Errors
    /// [`BadLine`] when it is of another model, or nothing is left of it.
    pub fn align(&self, voice: &Embedding) -> Result<Embedding, BadLine> {
        let (expected, got) = (voice.dim(), self.0.len());
        if expected != got {
            return Err(BadLine::Dimension { expected, got });
        }
        if self.0.iter().all(|way| *way == 0.0) {
            return Ok(voice.clone());
        }
        let moved = voice.as_slice().iter().zip(&self.0);
        let moved = moved.map(|(value, way)| (f64::from(*value) + way) as f32);
        Ok(Embedding::from_direction(moved.collect())?)
    }

    /// How long the way is; a voice has the length 1.
    pub fn length(&self) -> f64 {
        self.0.iter().map(|way| way * way).sum::<f64>().sqrt()
    }
}

/// Only how far.
impl fmt::Debug for Alignment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Alignment({:.3})", self.length())
    }
}

impl Drop for Alignment {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}
