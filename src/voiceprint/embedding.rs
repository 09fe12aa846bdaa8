//! The embedding itself: a finite vector of unit length, stamped with what it may be compared with.

use std::fmt;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::units::{Cosine, NotFinite, Seconds, read_words, words};

words! {
    /// Which telephone or wide-band world a voice was heard in. It is measured and told, and a
    /// calibration has an offset of its own for telephone calls that meet wide-band enrolments.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Bandwidth {
        /// Nothing above 4 kHz: a telephone call.
        Narrow = "narrow",
        /// Speech with energy above 4 kHz: an app, a browser, a studio.
        Wide = "wide",
    }
}

impl Bandwidth {
    /// The bandwidth that recordings have together: wide when every one is.
    pub fn of_all(recordings: impl IntoIterator<Item = Self>) -> Self {
        let all_wide = recordings.into_iter().all(|one| one == Self::Wide);
        if all_wide { Self::Wide } else { Self::Narrow }
    }

    /// Whether a call in this bandwidth came over a telephone and meets a voice that was enrolled in wide band.
    pub fn is_call_to_signup(self, enrolled: Self) -> bool {
        self == Self::Narrow && enrolled == Self::Wide
    }
}

read_words!(Bandwidth, UnknownBandwidth);

/// A bandwidth other than `narrow` and `wide`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("a bandwidth is `narrow` or `wide`")]
pub struct UnknownBandwidth;

/// The name of a speaker model and of exactly its weights: voiceprints of different models are never
/// compared.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ModelId(String);

impl ModelId {
    /// The id that `text` names.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ModelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A vector that cannot be a voiceprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum BadEmbedding {
    /// A component is NaN or infinite.
    #[error("the embedding has a component that is not a finite number")]
    NotFinite,
    /// No direction: every component is (nearly) zero, or there is none.
    #[error("the embedding has no direction: all of it is zero")]
    Zero,
    /// Bytes that are not a whole number of 32-bit floats.
    #[error("a stored embedding has {bytes} bytes, which is no whole number of 32-bit floats")]
    Torn {
        /// How many bytes there were.
        bytes: usize,
    },
}

/// A speaker embedding: finite, of unit length, `dim` numbers. It is biometric data: its `Debug`
/// shows only the size, and the memory is cleared when it is dropped.
#[derive(Clone, PartialEq)]
pub struct Embedding(Vec<f32>);

impl Embedding {
    /// The direction of `vector`, scaled to unit length.
    ///
    /// # Errors
    /// [`BadEmbedding`] when a component is not finite or there is no direction to keep.
    pub fn from_direction(mut vector: Vec<f32>) -> Result<Self, BadEmbedding> {
        if vector.iter().any(|value| !value.is_finite()) {
            return Err(BadEmbedding::NotFinite);
        }
        let norm = vector
            .iter()
            .map(|value| f64::from(*value).powi(2))
            .sum::<f64>()
            .sqrt();
        if norm < 1e-12 {
            return Err(BadEmbedding::Zero);
        }
        for value in &mut vector {
            *value = (f64::from(*value) / norm) as f32;
        }
        Ok(Self(vector))
    }

    /// A direction in the plane, for tests: the cosine of two is that of the angle between them.
    #[cfg(test)]
    pub(crate) fn at_degrees(degrees: f32) -> Self {
        let (across, along) = degrees.to_radians().sin_cos();
        Self::from_direction(vec![along, across]).unwrap()
    }

    /// The weighted mean direction of several embeddings of one dimension.
    ///
    /// # Errors
    /// [`BadEmbedding`] when there are none, a weight is not finite, or they cancel out.
    pub fn mean<'a>(parts: impl IntoIterator<Item = (&'a Self, f32)>) -> Result<Self, BadEmbedding> {
        let mut sum: Vec<f32> = Vec::new();
        for (part, weight) in parts {
            sum.resize(part.0.len(), 0.0);
            for (total, value) in sum.iter_mut().zip(&part.0) {
                *total += weight * value;
            }
        }
        Self::from_direction(sum)
    }

    /// The components, as many as the model's dimension; their squares add up to 1.
    pub fn as_slice(&self) -> &[f32] {
        &self.0
    }

    /// How many components there are.
    pub fn dim(&self) -> usize {
        self.0.len()
    }

    /// The cosine with another embedding of the same dimension.
    ///
    /// # Errors
    /// [`NotFinite`] when the dimensions differ: such a pair has no similarity, not a low one.
    pub fn cosine(&self, other: &Self) -> Result<Cosine, NotFinite> {
        cosine_of(&self.0, &other.0)
    }

    /// Little-endian 32-bit floats, for the store.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.iter().flat_map(|value| value.to_le_bytes()).collect()
    }

    /// Reads back [`Embedding::to_bytes`].
    ///
    /// # Errors
    /// [`BadEmbedding`] when the bytes are torn or do not hold a direction.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BadEmbedding> {
        let chunks = bytes.chunks_exact(4);
        if !chunks.remainder().is_empty() {
            return Err(BadEmbedding::Torn { bytes: bytes.len() });
        }
        let values = chunks.map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]));
        Self::from_direction(values.collect())
    }
}

/// The cosine of two directions of unit length, exact but for one rounding: whoever computes it, gallery or
/// measurement, comes to the very same number. Eight strands can be added side by side.
///
/// # Errors
/// [`NotFinite`] when the dimensions differ, or a number is not finite.
pub fn cosine_of(a: &[f32], b: &[f32]) -> Result<Cosine, NotFinite> {
    if a.len() != b.len() {
        return Err(NotFinite);
    }
    let mut strands = [0.0f64; 8];
    let mut add = |a: &[f32], b: &[f32]| {
        for (strand, (a, b)) in strands.iter_mut().zip(a.iter().zip(b)) {
            *strand += f64::from(*a) * f64::from(*b);
        }
    };
    // Eights of a length that the compiler knows are multiplied in the processor's wide registers.
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<8>(), b.as_chunks::<8>());
    for (a, b) in a.iter().zip(b) {
        add(a, b);
    }
    add(a_rest, b_rest);
    Cosine::new(strands.iter().sum::<f64>() as f32)
}

/// The size only: an embedding is biometric data and does not belong in a log.
impl fmt::Debug for Embedding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Embedding({} numbers)", self.0.len())
    }
}

impl Drop for Embedding {
    fn drop(&mut self) {
        zeroize::Zeroize::zeroize(&mut self.0);
    }
}

/// One voiceprint: an embedding with everything that says what it may be compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct Voiceprint {
    /// The direction in the model's space.
    pub embedding: Embedding,
    /// The model that made it.
    pub model: ModelId,
    /// The world it was heard in.
    pub bandwidth: Bandwidth,
    /// How much speech it was made of.
    pub net_speech: Seconds,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_embedding_has_unit_length_whatever_it_was_made_of() {
        let made = Embedding::from_direction(vec![3.0, 4.0]).unwrap();
        assert_eq!(made.as_slice(), &[0.6, 0.8]);
        assert!((made.cosine(&made).unwrap().get() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn nothing_without_a_finite_direction_becomes_an_embedding() {
        assert_eq!(Embedding::from_direction(vec![0.0; 4]), Err(BadEmbedding::Zero));
        assert_eq!(Embedding::from_direction(vec![]), Err(BadEmbedding::Zero));
        assert_eq!(
            Embedding::from_direction(vec![1.0, f32::NAN]),
            Err(BadEmbedding::NotFinite)
        );
        assert_eq!(
            Embedding::from_bytes(&[1, 2, 3]),
            Err(BadEmbedding::Torn { bytes: 3 })
        );
    }

    #[test]
    fn embeddings_of_different_models_have_no_similarity_at_all() {
        let two = Embedding::from_direction(vec![1.0, 0.0]).unwrap();
        let three = Embedding::from_direction(vec![1.0, 0.0, 0.0]).unwrap();
        assert_eq!(two.cosine(&three), Err(NotFinite));
    }

    #[test]
    fn bytes_read_back_the_same_direction() {
        let made = Embedding::from_direction(vec![0.3, -2.0, 5.5]).unwrap();
        let back = Embedding::from_bytes(&made.to_bytes()).unwrap();
        assert!((back.cosine(&made).unwrap().get() - 1.0).abs() < 1e-6);
    }
}
