//! Whether what is heard was heard before.
//!
//! Haitsma and Kalker look up single sub-fingerprints exactly, in a table of ten thousand songs, and compare blocks where
//! one is found. Here there are minutes and not weeks to search, and one bit in seven is wrong after GSM: so each block is
//! compared at every place, most of them by a glance.

use super::fingerprint::{Fingerprint, KEPT_EACH, KeptFingerprint, NO_SPEECH};

/// Frames of speech in a block: 3.07 s.
const BLOCK: usize = 192;
/// Frames of speech from one block to the next.
const BLOCK_STEP: usize = 96;
/// In a block that lasts longer than so many frames there is too little speech for it to fit anywhere by more than chance.
const LONGEST_BLOCK: usize = 3 * BLOCK;
/// Share of the bits that may differ. Measured (`docs/accuracy.md`): blocks of other calls by the same caller are nowhere
/// nearer than 0.342, those over GSM, Opus at 6 kbit/s or a room seldom farther than 0.29.
const MOST_WRONG: f64 = 0.32;
/// After so many kept frames a place is left where more bits differ than in nearly any block of a replay.
const GLANCE: u32 = 24;
const MOST_WRONG_AT_A_GLANCE: u32 = GLANCE * 32 * 43 / 100;

/// The search for one stream's speech in what is kept of one person: block after block, each once.
#[derive(Debug, Clone, Default)]
pub struct ReplaySearch {
    /// Frames of the stream before this one were searched.
    next: usize,
}

impl ReplaySearch {
    /// Whether some 3 s of the speech that is new since this was asked before are in `kept`.
    pub fn finds(&mut self, heard: &Fingerprint, kept: &[KeptFingerprint]) -> bool {
        let spoken: Vec<(usize, u32)> = heard.spoken().skip_while(|(at, _)| *at < self.next).collect();
        let mut begin = 0;
        let mut found = false;
        while let Some(block) = spoken.get(begin..begin + BLOCK).filter(|_| !found) {
            found = is_kept(block, kept);
            begin += BLOCK_STEP;
        }
        if let Some((at, _)) = spoken.get(begin) {
            self.next = *at;
        }
        found
    }
}

/// Whether there is enough speech in a block for it to fit anywhere by more than chance.
fn is_dense(block: &[(usize, u32)]) -> bool {
    match (block.first(), block.last()) {
        (Some((first, _)), Some((last, _))) => last - first <= LONGEST_BLOCK,
        _ => false,
    }
}

/// Those frames of a block that can meet kept ones, with their places in kept frames from the block's beginning.
fn every_other(block: &[(usize, u32)], phase: usize) -> Vec<(usize, u32)> {
    let first = block.first().map_or(0, |(at, _)| *at);
    block
        .iter()
        .map(|(at, bits)| (at - first, *bits))
        .filter(|(at, _)| at % KEPT_EACH == phase)
        .map(|(at, bits)| (at / KEPT_EACH, bits))
        .collect()
}

fn is_kept(block: &[(usize, u32)], kept: &[KeptFingerprint]) -> bool {
    is_dense(block)
        && (0..KEPT_EACH).any(|phase| {
            let frames = every_other(block, phase);
            let fits = |place: &[u32]| {
                differing(&frames, place, MOST_WRONG_AT_A_GLANCE).is_some_and(|share| share <= MOST_WRONG)
            };
            kept.iter()
                .any(|one| (0..one.frames.len()).any(|at| fits(&one.frames[at..])))
        })
}

/// The share of a block's bits, each frame of it with its place, that are not those kept from here on; `None` where too
/// little of it meets speech, or where a glance is enough to leave it.
fn differing(frames: &[(usize, u32)], kept: &[u32], glance: u32) -> Option<f64> {
    let needed = (frames.len() * 3 / 4) as u32;
    let (mut compared, mut wrong) = (0, 0);
    for (at, bits) in frames {
        let Some(other) = kept.get(*at) else { break };
        if *other == NO_SPEECH {
            continue;
        }
        compared += 1;
        wrong += (bits ^ other).count_ones();
        if compared == GLANCE && wrong > glance {
            return None;
        }
    }
    (compared >= needed.max(GLANCE)).then(|| f64::from(wrong) / (32.0 * f64::from(compared)))
}

/// For each block of some speech how much of it differs from the nearest place in what is kept, 0 to 1: how sure a
/// [`ReplaySearch`] is, for measurements.
pub fn nearest(heard: &Fingerprint, kept: &[KeptFingerprint]) -> Vec<f64> {
    let spoken: Vec<(usize, u32)> = heard.spoken().collect();
    let blocks = spoken
        .windows(BLOCK)
        .step_by(BLOCK_STEP)
        .filter(|block| is_dense(block));
    let least = |block: &[(usize, u32)]| {
        let places = (0..KEPT_EACH).flat_map(|phase| {
            let frames = every_other(block, phase);
            let all = kept
                .iter()
                .flat_map(|one| (0..one.frames.len()).map(move |at| &one.frames[at..]));
            all.filter_map(|place| differing(&frames, place, u32::MAX))
                .collect::<Vec<_>>()
        });
        places.fold(1.0, f64::min)
    };
    blocks.map(least).collect()
}
