//! The audio of somebody on the line in jobs that are short enough for all others: a frame may hold minutes of it.

use crate::units::Hertz;

/// Audio that one job hears at most: in the first seconds of speech it may hold two checkpoints.
const SLICE_MILLISECONDS: u32 = 500;

/// Samples of one job at most, of all channels together.
pub(super) fn samples_of_a_job(rate: Hertz, channels: u16) -> usize {
    let frames = (u64::from(rate.0) * u64::from(SLICE_MILLISECONDS) / 1000) as usize;
    (frames * usize::from(channels)).max(1)
}

/// The samples job by job, each of at most `longest`, and whether it is the last; one without samples where there are none.
pub(super) fn slices(samples: &[f32], longest: usize) -> impl Iterator<Item = (Vec<f32>, bool)> {
    let count = samples.len().div_ceil(longest).max(1);
    (0..count).map(move |at| {
        let slice = samples.chunks(longest).nth(at).unwrap_or_default();
        (slice.to_vec(), at + 1 == count)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_all_of_the_samples_and_nothing_is_one_slice() {
        let samples: Vec<f32> = (0..10).map(|at| at as f32).collect();
        for longest in 1..12 {
            let (cut, last): (Vec<Vec<f32>>, Vec<bool>) = slices(&samples, longest).unzip();
            assert!(cut.iter().all(|slice| slice.len() <= longest) && cut.concat() == samples);
            assert_eq!(last.iter().position(|last| *last), Some(cut.len() - 1));
        }
        let nothing: Vec<(Vec<f32>, bool)> = slices(&[], 4).collect();
        assert!(matches!(&nothing[..], [(slice, true)] if slice.is_empty()));
        assert_eq!(samples_of_a_job(Hertz(8_000), 2), 8_000);
    }
}
