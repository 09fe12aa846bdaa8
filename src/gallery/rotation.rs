//! Voiceprints as they lie in an index that is not ours: turned by a secret orthogonal matrix.
//!
//! An orthogonal matrix keeps every cosine, so the search finds what it would have found; what lies there says nothing
//! of how anybody sounds to who has not the matrix. (Who has many pairs of voices and turned voices can solve for it: it
//! keeps a copy of the index useless by itself, and takes nobody's place who can also ask the service.) The matrix is made
//! of a secret key, so that every process makes the same.

use std::collections::HashMap;
use std::f64::consts::TAU;
use std::sync::{Arc, PoisonError, RwLock};

use hmac::{Hmac, KeyInit, Mac};
use ndarray::{Array2, ArrayView1};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::units::hex;

/// Bytes of a label: as many as keep two rotations of one deployment apart.
const LABEL_BYTES: usize = 4;

/// A secret rotation of vectors, one of each dimension.
pub struct Rotation {
    secret: Zeroizing<[u8; 32]>,
    matrices: RwLock<HashMap<usize, Arc<Array2<f32>>>>,
}

impl Rotation {
    /// The rotation that `secret` makes.
    pub fn new(secret: [u8; 32]) -> Self {
        Self {
            secret: Zeroizing::new(secret),
            matrices: RwLock::default(),
        }
    }

    /// What tells this rotation from another without giving it away.
    pub fn label(&self) -> String {
        hex(&self.block("label", 0)[..LABEL_BYTES])
    }

    /// What the names of collections end in whose vectors are turned so.
    pub(super) fn name_end(&self) -> String {
        format!("-turned-{}", self.label())
    }

    /// `vector`, turned: of the same length and dimension. A matrix is made when its dimension is first seen, which takes
    /// some tenths of a second.
    pub fn turned(&self, vector: &[f32]) -> Vec<f32> {
        self.matrix(vector.len()).dot(&ArrayView1::from(vector)).to_vec()
    }

    fn matrix(&self, dim: usize) -> Arc<Array2<f32>> {
        let known = self.matrices.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(matrix) = known.get(&dim) {
            return Arc::clone(matrix);
        }
        drop(known);
        let made = Arc::new(self.orthogonal(dim));
        let mut known = self.matrices.write().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(known.entry(dim).or_insert(made))
    }

    /// A matrix that is evenly distributed over the orthogonal ones: the Q of a Gaussian matrix whose R has a positive
    /// diagonal (Mezzadri, *How to generate random matrices from the classical compact groups*, 2007), by Gram-Schmidt
    /// done twice (Giraud et al. 2005: twice is enough).
    fn orthogonal(&self, dim: usize) -> Array2<f32> {
        let mut rows = Array2::from_shape_vec((dim, dim), self.gaussians(dim)).unwrap_or_default();
        for nth in 0..rows.nrows() {
            let mut row = rows.row(nth).to_owned();
            for _ in 0..2 {
                for earlier in rows.rows().into_iter().take(nth) {
                    let along = earlier.dot(&row);
                    row.scaled_add(-along, &earlier);
                }
            }
            let length = row.dot(&row).sqrt();
            rows.row_mut(nth).assign(&(row / length));
        }
        rows.mapv(|value| value as f32)
    }

    /// `dim` times `dim` standard normal numbers (Box and Muller 1958) of the secret's own stream.
    fn gaussians(&self, dim: usize) -> Vec<f64> {
        let purpose = format!("matrix {dim}");
        let mut values = Vec::with_capacity(dim * dim);
        let mut block = 0;
        while values.len() < dim * dim {
            let bytes = self.block(&purpose, block);
            block += 1;
            let (words, _) = bytes.as_chunks::<8>();
            // In (0, 1]: 53 bits each, as a double has.
            let uniforms = words
                .iter()
                .map(|word| ((u64::from_le_bytes(*word) >> 11) + 1) as f64 / 2_f64.powi(53));
            let uniforms: Vec<f64> = uniforms.collect();
            for pair in uniforms.chunks_exact(2) {
                let radius = (-2.0 * pair[0].ln()).sqrt();
                let angle = TAU * pair[1];
                values.extend([radius * angle.cos(), radius * angle.sin()]);
            }
        }
        values.truncate(dim * dim);
        values
    }

    /// The nth 32 bytes of a stream of the secret's: HMAC-SHA-256 of a counter (NIST SP 800-108, counter mode).
    fn block(&self, purpose: &str, nth: u64) -> [u8; 32] {
        let mut key = hmac::digest::Key::<Hmac<Sha256>>::default();
        key[..self.secret.len()].copy_from_slice(&*self.secret);
        let mut mac = Hmac::<Sha256>::new(&key);
        mac.update(&nth.to_le_bytes());
        mac.update(purpose.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

impl std::fmt::Debug for Rotation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rotation({})", self.label())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::voiceprint::Embedding;

    fn cosine(a: &[f32], b: &[f32]) -> f64 {
        let dot = |a: &[f32], b: &[f32]| -> f64 {
            a.iter().zip(b).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum()
        };
        dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn a_rotation_keeps_every_cosine(
            secret in proptest::array::uniform32(0_u8..),
            (a, b) in (2_usize..80).prop_flat_map(|dim| {
                let vector = || proptest::collection::vec(-1.0_f32..1.0, dim);
                (vector(), vector())
            })
        ) {
            let (Ok(a), Ok(b)) = (Embedding::from_direction(a), Embedding::from_direction(b)) else { return Ok(()) };
            let rotation = Rotation::new(secret);
            let turned = cosine(&rotation.turned(a.as_slice()), &rotation.turned(b.as_slice()));
            prop_assert!((turned - cosine(a.as_slice(), b.as_slice())).abs() < 1e-5);
        }
    }

    #[test]
    fn a_turned_voice_is_unlike_the_voice_and_unlike_another_rotations() {
        let (one, two) = (Rotation::new([1; 32]), Rotation::new([2; 32]));
        assert_ne!(one.label(), two.label());
        let voice: Vec<f32> = (0..512)
            .map(|nth| ((nth * 37 % 101) as f32 - 50.0) / 50.0)
            .collect();
        let (by_one, by_two) = (one.turned(&voice), two.turned(&voice));
        // A random direction of 512 dimensions has a cosine of 0 with a deviation of 0.044.
        for (a, b) in [(&voice, &by_one), (&voice, &by_two), (&by_one, &by_two)] {
            assert!(cosine(a, b).abs() < 0.2);
        }
        assert_eq!(
            by_one,
            Rotation::new([1; 32]).turned(&voice),
            "every process makes the same"
        );
    }
}
