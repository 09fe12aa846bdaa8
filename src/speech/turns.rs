//! Where in one window somebody else takes over.

use super::vad::Frame;

/// A stretch of one person's speech shorter than this (0.25 s) is no turn: a cough, an "mhm", or a doubt.
pub(super) const SHORTEST_TURN: usize = 15;

/// For each frame of a window, whether another person begins a turn there than the one who spoke before.
///
/// Who speaks is the likeliest of the three, in frames where speech is likelier than not. Pauses and stretches
/// shorter than [`SHORTEST_TURN`] are passed over.
pub(super) fn turns(frames: &[Frame]) -> Vec<bool> {
    let mut begins = vec![false; frames.len()];
    let mut before: Option<usize> = None;
    let mut run: Option<Run> = None;
    for (at, frame) in frames.iter().enumerate() {
        let Some(speaker) = speaker(frame) else { continue };
        let current = match run {
            Some(run) if run.speaker == speaker => Run {
                length: run.length + 1,
                ..run
            },
            _ => Run {
                speaker,
                start: at,
                length: 1,
            },
        };
        if current.length == SHORTEST_TURN {
            begins[current.start] = before.is_some_and(|earlier| earlier != speaker);
            before = Some(speaker);
        }
        run = Some(current);
    }
    begins
}

#[derive(Clone, Copy)]
struct Run {
    speaker: usize,
    start: usize,
    length: usize,
}

fn speaker(frame: &Frame) -> Option<usize> {
    let speakers = frame.speakers();
    let likeliest = speakers.iter().enumerate().max_by(|a, b| a.1.total_cmp(b.1));
    likeliest
        .filter(|_| frame.speech() >= 0.5)
        .map(|(speaker, _)| speaker)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Frames by who speaks: 0 nobody, 1 to 3 one of them.
    fn frames(who: &[(usize, usize)]) -> Vec<Frame> {
        let frame = |class: usize| {
            let mut frame = [0.02; 7];
            frame[class] = 0.88;
            Frame(frame)
        };
        who.iter()
            .flat_map(|(class, count)| vec![frame(*class); *count])
            .collect()
    }

    fn places(who: &[(usize, usize)]) -> Vec<usize> {
        let begins = turns(&frames(who));
        (0..begins.len()).filter(|at| begins[*at]).collect()
    }

    #[test]
    fn a_turn_begins_where_somebody_else_starts_to_speak() {
        assert_eq!(places(&[(1, 40), (2, 40)]), [40]);
        assert_eq!(places(&[(0, 10), (1, 40), (0, 20), (3, 40), (1, 15)]), [70, 110]);
    }

    #[test]
    fn one_voice_with_pauses_takes_over_from_nobody() {
        assert!(places(&[(1, 40), (0, 30), (1, 40)]).is_empty());
        assert!(places(&[(0, 100)]).is_empty() && places(&[]).is_empty());
    }

    #[test]
    fn a_short_interjection_is_no_turn() {
        assert!(places(&[(1, 40), (2, SHORTEST_TURN - 1), (1, 40)]).is_empty());
    }
}
