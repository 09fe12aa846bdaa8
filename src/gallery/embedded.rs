//! The gallery inside this process: exact search over one matrix a number and model.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use async_trait::async_trait;
use ndarray::{Array2, ArrayView1};
use zeroize::Zeroize;

use super::{Gallery, GalleryError, GalleryPrint, Hit, Query, check_dim, check_roster};
use crate::units::{Cosine, DialedNumber, Seconds, UserId};
use crate::voiceprint::{Bandwidth, ModelId, cosine_of};

/// Voiceprints in memory, for rosters of up to thousands.
///
/// A search costs users x dimension multiplications, about a millisecond for 10 000 users of 256
/// numbers (`benches/gallery.rs`), so it is done where it is asked for and not handed to another
/// thread. It holds no lock while it computes: a roster is immutable and shared, and
/// [`Gallery::replace`] swaps the whole of it at once.
///
/// Nothing is kept across a restart: the system of record fills the gallery again.
#[derive(Default)]
pub struct EmbeddedGallery {
    state: RwLock<State>,
}

/// What the lock guards. Every change is one insertion or removal of finished values, so a panic
/// elsewhere cannot leave it half-written.
#[derive(Default)]
struct State {
    rosters: HashMap<DialedNumber, Arc<Roster>>,
    /// The dimension of each model ever put, by any number.
    dims: HashMap<ModelId, usize>,
}

/// One number's prints, apart by what may be compared.
type Roster = HashMap<ModelId, Panel>;

/// Prints that may be compared with one another: row `i` of `matrix` is the voice of `people[i]`. In the order of the
/// users' ids, so that of equal cosines the earlier row comes first.
struct Panel {
    people: Vec<Person>,
    /// people x dimension, each row of unit length.
    matrix: Array2<f32>,
}

struct Person {
    user: UserId,
    net_speech: Seconds,
    bandwidth: Bandwidth,
    clips: u32,
}

impl EmbeddedGallery {
    /// A gallery with nobody in it.
    pub fn new() -> Self {
        Self::default()
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Gallery for EmbeddedGallery {
    async fn replace(&self, number: &DialedNumber, prints: Vec<GalleryPrint>) -> Result<(), GalleryError> {
        let dims = check_roster(&prints)?;
        let roster = roster(&prints);

        let mut state = self.write();
        for (model, got) in &dims {
            let expected = state.dims.get(*model).copied().unwrap_or(*got);
            check_dim(model, expected, *got)?;
        }
        state
            .dims
            .extend(dims.into_iter().map(|(model, dim)| (model.clone(), dim)));
        if roster.is_empty() {
            state.rosters.remove(number);
        } else {
            state.rosters.insert(number.clone(), Arc::new(roster));
        }
        Ok(())
    }

    async fn search(&self, query: &Query) -> Result<Vec<Hit>, GalleryError> {
        let roster = {
            let state = self.read();
            if let Some(expected) = state.dims.get(&query.model) {
                check_dim(&query.model, *expected, query.probe.dim())?;
            }
            state.rosters.get(&query.number).map(Arc::clone)
        };
        match roster.as_ref().and_then(|roster| roster.get(&query.model)) {
            Some(panel) => panel.search(query.probe.as_slice()),
            None => Ok(Vec::new()),
        }
    }

    async fn ready(&self) -> Result<(), GalleryError> {
        Ok(())
    }
}

/// Sorts checked prints into panels, each with its matrix.
fn roster(prints: &[GalleryPrint]) -> Roster {
    let mut groups: HashMap<ModelId, Vec<&GalleryPrint>> = HashMap::new();
    for print in prints {
        groups.entry(print.print.model.clone()).or_default().push(print);
    }
    groups
        .into_iter()
        .map(|(key, group)| (key, Panel::new(group)))
        .collect()
}

impl Panel {
    /// A panel of prints that [`check_roster`] found to be of one dimension.
    fn new(mut prints: Vec<&GalleryPrint>) -> Self {
        prints.sort_unstable_by_key(|print| print.user);
        let dim = prints.first().map_or(0, |print| print.print.embedding.dim());
        let mut matrix = Array2::zeros((prints.len(), dim));
        for (mut row, print) in matrix.rows_mut().into_iter().zip(&prints) {
            row.assign(&ArrayView1::from(print.print.embedding.as_slice()));
        }
        let people = prints.iter().map(|print| Person {
            user: print.user,
            net_speech: print.print.net_speech,
            bandwidth: print.print.bandwidth,
            clips: print.clips,
        });
        Self {
            people: people.collect(),
            matrix,
        }
    }

    /// Everybody in the panel, best first. `probe` has the panel's dimension.
    fn search(&self, probe: &[f32]) -> Result<Vec<Hit>, GalleryError> {
        let mut cosines = Vec::with_capacity(self.people.len());
        let mut order = Vec::with_capacity(self.people.len());
        for (row, (person, voice)) in self.people.iter().zip(self.matrix.outer_iter()).enumerate() {
            let cosine = voice.to_slice().and_then(|voice| cosine_of(voice, probe).ok());
            let cosine = cosine.ok_or(GalleryError::NotFinite { user: person.user })?;
            order.push(descending(cosine) << 32 | row as u64);
            cosines.push(cosine);
        }
        order.sort_unstable();
        let rows = order.into_iter().map(|key| key as u32 as usize);
        Ok(rows.map(|row| self.people[row].hit(cosines[row])).collect())
    }
}

/// 32 bits that fall as the cosine rises: sorting plain numbers takes a third of the time of sorting hits.
fn descending(cosine: Cosine) -> u64 {
    let bits = cosine.get().to_bits();
    let sign = 1 << 31;
    let ascending = if bits & sign == 0 { bits | sign } else { !bits };
    u64::from(!ascending)
}

impl Person {
    fn hit(&self, cosine: Cosine) -> Hit {
        Hit {
            user: self.user,
            cosine,
            net_speech: self.net_speech,
            bandwidth: self.bandwidth,
            clips: self.clips,
        }
    }
}

/// A voiceprint is biometric data: its memory is cleared when the last search over it is done.
impl Drop for Panel {
    fn drop(&mut self) {
        if let Some(numbers) = self.matrix.as_slice_mut() {
            numbers.zeroize();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_score_that_is_no_number_is_an_error_and_never_a_hit() {
        let user = UserId::fresh();
        let panel = Panel {
            people: vec![Person {
                user,
                net_speech: Seconds::ZERO,
                bandwidth: Bandwidth::Narrow,
                clips: 1,
            }],
            matrix: Array2::from_elem((1, 2), f32::NAN),
        };
        assert_eq!(panel.search(&[0.6, 0.8]), Err(GalleryError::NotFinite { user }));
    }

    #[test]
    fn the_bits_that_hits_are_sorted_by_fall_as_the_cosine_rises() {
        let rising = [-1.0, -0.5, -f32::MIN_POSITIVE, -0.0, 1e-9, 0.4, 0.400_000_04, 1.0];
        let keys = rising.map(|cosine| descending(Cosine::new(cosine).expect("finite")));
        assert!(keys.is_sorted_by(|a, b| a > b), "{keys:x?}");
        assert!(keys.iter().all(|key| u32::try_from(*key).is_ok()));
    }
}
