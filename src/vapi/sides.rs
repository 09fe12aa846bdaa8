//! Which channel of a stereo stream is whose, found out by who was told to speak while which channel was loud.
//!
//! Vapi documents no order. But `speech-update` says when the assistant speaks, and then the assistant's channel is
//! loud and the other is not; between, it is silent. A channel is taken for the assistant's only when both are so:
//! loud alone through half of what was told to be the assistant's speech, and hardly ever loud alone outside it. A
//! caller who talks over the assistant is loud outside too; on a line with music, an echo as loud as the voice, or
//! the same mix on both channels no channel is ever loud alone. Whatever stays in doubt stays as it is configured.
//!
//! Time is kept by arrival, as in the assistant's mute; a message may be late by as much as that allows for.

use std::collections::VecDeque;
use std::time::Duration;

use crate::bytes::RawStream;

use super::assistant_mute::{AssistantSpeech, STEP, Told, WAIT};
use super::shape::Shape;

/// From this level on a channel is loud, in dB relative to full scale: speech is some 20 dB above.
const LOUD: f64 = -45.0;
/// How far the other must lie below it, in dB: the echo of a telephone does.
const ALONE: f64 = 20.0;
/// How much of the assistant's speech has to be heard alone, and how much silence of the assistant to be seen.
const NEEDED: (Duration, Duration) = (Duration::from_millis(2_000), Duration::from_millis(1_000));
/// The part of the assistant's speech through which its channel is loud alone, at least.
const SHARE: f64 = 0.5;
/// What may speak against it, as a part of what speaks for it, at most.
const AGAINST: f64 = 0.2;

/// Finds the sides of one stream of two channels.
pub struct Sides {
    shape: Shape,
    waiting: VecDeque<(Duration, [f64; 2])>,
    within: Times,
    outside: Times,
}

/// How long something was so, in steps.
#[derive(Default)]
struct Times {
    all: u32,
    alone: [u32; 2],
}

impl Times {
    fn add(&mut self, levels: [f64; 2]) {
        self.all += 1;
        for (at, level) in levels.into_iter().enumerate() {
            if level > LOUD && level - levels[1 - at] > ALONE {
                self.alone[at] += 1;
            }
        }
    }
}

impl Sides {
    /// For a stream of this shape.
    pub fn new(shape: Shape) -> Self {
        Self {
            shape,
            waiting: VecDeque::new(),
            within: Times::default(),
            outside: Times::default(),
        }
    }

    /// Takes whole samples of the first and the second channel, as many of each, the last of which arrived `at`.
    pub fn push(&mut self, channels: [&[u8]; 2], at: Duration) {
        let sample = self.shape.encoding.bytes_per_sample();
        let rate = f64::from(self.shape.rate.0.max(1));
        let step = ((rate * STEP.as_secs_f64()) as usize).max(1) * sample;
        let mut behind = channels[0].len();
        for (first, second) in channels[0].chunks(step).zip(channels[1].chunks(step)) {
            behind -= first.len();
            let middle = (behind + first.len() / 2) / sample;
            let arrived = at.saturating_sub(Duration::from_secs_f64(middle as f64 / rate));
            let levels = [first, second].map(|piece| self.level(piece));
            self.waiting.push_back((arrived, levels));
        }
    }

    /// The caller's channel, as soon as it is known. `now` is the time by the clock of the arrivals.
    pub fn caller(&mut self, now: Duration, assistant: &AssistantSpeech) -> Option<u16> {
        let until = now.saturating_sub(WAIT);
        while let Some((at, levels)) = self.waiting.pop_front_if(|(at, _)| *at <= until) {
            match assistant.told_at(at) {
                Told::Assistant => self.within.add(levels),
                Told::NotAssistant => self.outside.add(levels),
                Told::Unsure => {}
            }
        }
        let assistants = (0..2).find(|channel| self.is_assistants(*channel))?;
        u16::try_from(1 - assistants).ok()
    }

    fn is_assistants(&self, channel: usize) -> bool {
        let steps = |time: Duration| (time.as_millis() / STEP.as_millis()) as u32;
        let (within, outside) = (&self.within, &self.outside);
        let speaks_for = f64::from(within.alone[channel]);
        let against = f64::from(within.alone[1 - channel] + outside.alone[channel]);
        within.alone[channel] >= steps(NEEDED.0)
            && outside.all >= steps(NEEDED.1)
            && speaks_for >= SHARE * f64::from(within.all)
            && against <= AGAINST * speaks_for
    }

    /// The level of some samples in dB relative to full scale.
    fn level(&self, bytes: &[u8]) -> f64 {
        let mut samples = Vec::new();
        RawStream::new(self.shape.encoding, 1).push(bytes, &mut samples);
        let sum: f64 = samples.iter().map(|sample| f64::from(*sample).powi(2)).sum();
        10.0 * (sum / samples.len().max(1) as f64).max(1e-12).log10()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::message_time::MessageTime;
    use super::*;
    use crate::bytes::Encoding;
    use crate::units::Hertz;

    /// What one 20 ms step of a call holds, by who it is.
    #[derive(Clone, Copy, Default)]
    struct Step {
        assistant: i16,
        caller: i16,
    }

    /// A turn of the assistant and the pause after it, in steps; how late the messages are, in milliseconds; and
    /// how many times five steps the caller talks over at its beginning.
    #[derive(Debug, Clone)]
    struct Turn {
        speaks: usize,
        pause: usize,
        late: [u64; 2],
        over: usize,
    }

    fn turns() -> impl Strategy<Value = Vec<Turn>> {
        let turn = (
            150..400_usize,
            100..300_usize,
            [0..=350_u64, 0..=350_u64],
            0..=3_usize,
        );
        let turn = turn.prop_map(|(speaks, pause, late, over)| Turn {
            speaks,
            pause,
            late,
            over,
        });
        proptest::collection::vec(turn, 2..6)
    }

    /// The steps of a call, and what is told of it when. The assistant is loud in four steps of five; the caller
    /// answers in the middle of each pause.
    fn call(turns: &[Turn], loudness: [i16; 2]) -> (Vec<Step>, Vec<(Duration, bool)>) {
        let (mut steps, mut told) = (Vec::new(), Vec::new());
        for turn in turns {
            let start = steps.len();
            for at in 0..turn.speaks {
                steps.push(Step {
                    assistant: if at % 5 == 4 { 0 } else { loudness[0] },
                    // Only while the assistant is loud too, as one talks over another.
                    caller: if at % 5 != 4 && at / 5 < turn.over {
                        loudness[1]
                    } else {
                        0
                    },
                });
            }
            let end = steps.len();
            let moment = |step: usize, late: u64| STEP * step as u32 + Duration::from_millis(late);
            told.push((moment(start, turn.late[0]), true));
            told.push((moment(end, turn.late[1]), false));
            for at in 0..turn.pause {
                let answers = at > turn.pause / 4 && at < turn.pause * 3 / 4;
                let caller = if answers { loudness[1] } else { 0 };
                steps.push(Step { assistant: 0, caller });
            }
        }
        (steps, told)
    }

    /// What is found out on a call whose channels are made of each step by `mix`: at every moment until the end.
    fn found(steps: &[Step], told: &[(Duration, bool)], mix: impl Fn(&Step) -> [i16; 2]) -> Vec<u16> {
        let shape = Shape {
            encoding: Encoding::PcmS16le,
            // Ten samples a step are enough for a level.
            rate: Hertz(500),
            channels: 2,
            caller_channel: 0,
        };
        let (mut sides, mut assistant) = (Sides::new(shape), AssistantSpeech::default());
        let mut told = told.iter().peekable();
        let mut found = Vec::new();
        // The clock does not begin with the stream.
        for at in 0..steps.len() + 60 {
            let now = STEP * (at as u32 + 1);
            while let Some((_, started)) = told.next_if(|(moment, _)| *moment <= now) {
                if *started {
                    assistant.started(now, MessageTime::default());
                } else {
                    assistant.stopped(now, MessageTime::default());
                }
            }
            if let Some(step) = steps.get(at) {
                let bytes = mix(step).map(|level| level.to_le_bytes().repeat(10));
                sides.push([&bytes[0], &bytes[1]], now);
            }
            found.extend(sides.caller(now, &assistant));
        }
        found
    }

    proptest! {
        #[test]
        fn the_callers_channel_is_found_whichever_it_is_and_never_the_other(
            turns in turns(), assistant in 1_000..20_000_i16, caller in 1_000..20_000_i16, right in any::<bool>(),
        ) {
            let (steps, told) = call(&turns, [assistant, caller]);
            let found = found(&steps, &told, |step| {
                if right { [step.assistant, step.caller] } else { [step.caller, step.assistant] }
            });
            prop_assert!(!found.is_empty());
            prop_assert!(found.iter().all(|channel| *channel == u16::from(right)));
        }

        #[test]
        fn what_tells_nothing_apart_is_never_decided(
            turns in turns(), assistant in 1_000..20_000_i16, caller in 1_000..20_000_i16,
        ) {
            let (steps, told) = call(&turns, [assistant, caller]);
            // The same mix twice; an echo as loud as the voice; music on the caller's side; no assistant at all.
            let mixes: [fn(&Step) -> [i16; 2]; 4] = [
                |step| [step.caller.max(step.assistant); 2],
                |step| [step.caller.max(step.assistant / 4), step.assistant],
                |step| [step.caller.max(8_000), step.assistant],
                |step| [step.caller, 0],
            ];
            for (nth, mix) in mixes.into_iter().enumerate() {
                prop_assert!(found(&steps, &told, mix).is_empty(), "{}", nth);
            }
            // Nothing was ever told.
            let untold = found(&steps, &[], |step| [step.caller, step.assistant]);
            prop_assert!(untold.is_empty());
        }
    }

    #[test]
    fn an_end_without_its_beginning_is_no_evidence() {
        let mut assistant = AssistantSpeech::default();
        assistant.stopped(Duration::from_secs(60), MessageTime::default());
        assert_eq!(assistant.told_at(Duration::from_secs(30)), Told::Unsure);
        assert_eq!(assistant.told_at(Duration::from_secs(61)), Told::NotAssistant);
    }
}
