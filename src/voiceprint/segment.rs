//! How speech of any length is cut for a model that hears whole utterances.

use std::ops::Range;

use crate::samples::RATE;
use crate::units::Seconds;

/// How long a piece of speech may be, and how short.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Segment {
    /// Longer speech is cut in equal pieces of this length. It bounds what one run costs in memory, and no
    /// model was trained on minutes of speech in one piece.
    pub longest: Seconds,
    /// Shorter speech is refused: the statistics that models pool over time need some time.
    pub shortest: Seconds,
}

impl Segment {
    /// What a card says that says nothing.
    pub const DEFAULT: Self = Self {
        longest: Seconds::new(30.0),
        shortest: Seconds::new(0.5),
    };

    /// The pieces of `speech` samples: all of it when it is short enough, else as few pieces of the
    /// longest length as cover it, evenly spread from its first sample to its last. All have one length,
    /// so neighbours overlap where the speech is no multiple of it.
    pub fn cuts(&self, speech: usize) -> Vec<Range<usize>> {
        let longest = RATE.samples(self.longest).max(1);
        if speech <= longest {
            return std::iter::once(0..speech).collect();
        }
        let (count, room) = (speech.div_ceil(longest), speech - longest);
        (0..count)
            .map(|at| at * room / (count - 1))
            .map(|start| start..start + longest)
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn speech_is_covered_from_end_to_end_by_pieces_of_one_length() {
        let segment = Segment {
            longest: Seconds::new(0.1),
            shortest: Seconds::new(0.05),
        };
        for speech in (1..20_000).step_by(37) {
            let cuts = segment.cuts(speech);
            assert_eq!(cuts.len(), speech.div_ceil(1_600), "{speech} samples");
            assert_eq!((cuts[0].start, cuts[cuts.len() - 1].end), (0, speech));
            assert!(
                cuts.iter().all(|cut| cut.len() == speech.min(1_600)),
                "{speech} samples"
            );
            let gapless = cuts.windows(2).all(|pair| pair[1].start <= pair[0].end);
            assert!(gapless, "{speech} samples");
        }
    }

    #[test]
    fn speech_within_the_bound_is_one_piece() {
        assert_eq!(
            Segment::DEFAULT.cuts(480_000),
            std::iter::once(0..480_000).collect::<Vec<_>>()
        );
        assert_eq!(Segment::DEFAULT.cuts(480_001), vec![0..480_000, 1..480_001]);
    }
}
