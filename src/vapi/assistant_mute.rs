//! The assistant's voice kept out of the caller's: what arrives while the assistant speaks is silenced.
//!
//! Vapi tells by `speech-update` when the assistant begins and stops. In a mono stream both sides are mixed; in
//! stereo the assistant may still come back as an echo. That message arrives after the sound it tells of, so
//! audio waits here for a moment before it goes on. Time is kept by arrival on one clock; nothing is dropped,
//! only silenced, so that the stream's own time stays whole.

use std::collections::VecDeque;
use std::time::Duration;

use zeroize::Zeroizing;

use super::message_time::MessageTime;
use super::mix::Mix;
use super::shape::Shape;

/// How long audio waits for word of who was speaking.
pub(super) const WAIT: Duration = Duration::from_millis(600);
/// How far before the message the assistant may have begun.
const LEAD: Duration = Duration::from_millis(400);
/// How long the assistant's last word echoes on.
const TAIL: Duration = Duration::from_millis(300);
/// The longest the assistant is taken to speak without a word of its end, which may have been lost.
const LONGEST: Duration = Duration::from_secs(90);
/// Spans of the assistant's speech that are remembered.
const MOST_SPANS: usize = 64;
/// Audio is judged in pieces of this length.
pub(super) const STEP: Duration = Duration::from_millis(20);

/// When the assistant spoke, by arrival.
#[derive(Debug, Default)]
pub struct AssistantSpeech {
    spans: VecDeque<Span>,
    told: bool,
    /// Whose a mix is besides.
    pub(super) mix: Mix,
}

/// From a beginning to an end, if it came, with when the messages of both were made. What is guessed had a beginning or an
/// end that was not told.
#[derive(Debug)]
struct Span {
    start: Duration,
    began: MessageTime,
    end: Option<Duration>,
    ended: MessageTime,
    guessed: bool,
}

/// Who was told to speak at a moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Told {
    /// The assistant, for certain.
    Assistant,
    /// Certainly not the assistant.
    NotAssistant,
    /// A message may be on its way, or was lost.
    Unsure,
}

impl AssistantSpeech {
    /// The assistant began to speak, says a message that arrived `at` and was made at `time`.
    pub fn started(&mut self, at: Duration, time: MessageTime) {
        self.told = true;
        self.mix.began(time);
        if let Some(span) = self.spans.back_mut() {
            if span.end.is_some() {
                if span.began_late(time) {
                    return;
                }
            } else if time.is_after(span.began) {
                // The end was lost, or comes later.
                span.end = Some(at);
                span.guessed = true;
            } else {
                // A second beginning without an end in between is the same speech, told twice.
                return;
            }
        }
        self.push(Span {
            start: at,
            began: time,
            end: None,
            ended: MessageTime::default(),
            guessed: false,
        });
    }

    /// The assistant stopped, says a message that arrived `at` and was made at `time`.
    pub fn stopped(&mut self, at: Duration, time: MessageTime) {
        self.told = true;
        self.mix.told();
        match self.spans.back_mut() {
            // The end of an earlier speech.
            Some(span) if time.is_before(span.began) || time.is_before(span.ended) => {}
            Some(span) if span.end.is_none() => {
                span.end = Some(at);
                span.ended = time;
            }
            // Its beginning was lost, or comes later: all before this moment is the assistant's.
            _ => self.push(Span {
                start: at.saturating_sub(LONGEST),
                began: MessageTime::default(),
                end: Some(at),
                ended: time,
                guessed: true,
            }),
        }
    }

    fn push(&mut self, span: Span) {
        if self.spans.len() == MOST_SPANS {
            self.spans.pop_front();
        }
        self.spans.push_back(span);
    }

    /// Somebody else spoke: from now on it is known that messages come.
    pub fn told(&mut self) {
        self.told = true;
        self.mix.told();
    }

    /// Whether it was ever told who speaks. Until then nothing of a mix is heard.
    pub(super) fn is_told(&self) -> bool {
        self.told
    }

    /// Whether sound that arrived `at` may be the assistant's. In a mix that is so until anything was told.
    fn covers(&self, at: Duration, mixed: bool) -> bool {
        if mixed && !self.told {
            return true;
        }
        self.spans.iter().any(|span| {
            let until = span.end.map_or(span.start + LONGEST, |end| end + TAIL);
            at >= span.start.saturating_sub(LEAD) && at <= until
        })
    }

    /// Who was told to speak when this sound arrived. Messages come after what they tell of: what is certain begins
    /// with the message of a beginning, and ends before that of the end.
    pub(super) fn told_at(&self, at: Duration) -> Told {
        let certain = |span: &Span| {
            let until = span
                .end
                .map_or(span.start + LONGEST, |end| end.saturating_sub(LEAD));
            !span.guessed && at >= span.start && at <= until
        };
        if self.spans.iter().any(certain) {
            Told::Assistant
        } else if self.covers(at, true) {
            Told::Unsure
        } else {
            Told::NotAssistant
        }
    }
}

impl Span {
    /// Whether a beginning of this time is one that its end has overtaken, or that of an earlier speech. Then it opens
    /// nothing; a beginning that was guessed is known by it.
    fn began_late(&mut self, time: MessageTime) -> bool {
        let same_turn = time.turn.is_some() && time.turn == self.ended.turn;
        let is_its_own = self.guessed && same_turn && !time.is_after(self.ended);
        let is_late = time.is_before(self.ended) || is_its_own;
        if is_late
            && self.guessed
            && let (Some(end), Some(lasted)) = (self.end, time.ahead_of(self.ended))
        {
            self.start = end.saturating_sub(lasted.min(LONGEST));
            self.began = time;
            self.guessed = false;
        }
        is_late
    }
}

/// Audio of one stream that waits to be judged.
pub struct AssistantMute {
    shape: Shape,
    waiting: VecDeque<(Duration, Zeroizing<Vec<u8>>)>,
}

impl AssistantMute {
    /// A mute for a stream of this shape.
    pub fn new(shape: Shape) -> Self {
        Self {
            shape,
            waiting: VecDeque::new(),
        }
    }

    /// Takes whole samples of one channel, the last of which arrived `at`.
    pub fn push(&mut self, bytes: &[u8], at: Duration) {
        let sample = self.shape.encoding.bytes_per_sample();
        let rate = f64::from(self.shape.rate.0.max(1));
        let step = (rate * STEP.as_secs_f64()) as usize * sample;
        let lasts = |bytes: usize| Duration::from_secs_f64((bytes / sample) as f64 / rate);
        let mut behind = bytes.len();
        for piece in bytes.chunks(step.max(sample)) {
            // The middle of the piece, counted back from the end of the frame.
            behind -= piece.len();
            let middle = lasts(behind) + lasts(piece.len() / 2);
            self.waiting
                .push_back((at.saturating_sub(middle), Zeroizing::new(piece.to_vec())));
        }
    }

    /// What has waited long enough at `now`, with the assistant's share silenced.
    pub fn ready(&mut self, now: Duration, assistant: &AssistantSpeech) -> Zeroizing<Vec<u8>> {
        self.take_until(now.saturating_sub(WAIT), assistant)
    }

    /// All that waits: the stream has ended.
    pub fn rest(&mut self, assistant: &AssistantSpeech) -> Zeroizing<Vec<u8>> {
        self.take_until(Duration::MAX, assistant)
    }

    fn take_until(&mut self, until: Duration, assistant: &AssistantSpeech) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::new());
        while let Some((at, bytes)) = self.waiting.pop_front_if(|(at, _)| *at <= until) {
            if assistant.covers(at, self.shape.channels == 1) {
                let silence = self.shape.silence();
                out.extend(silence.iter().cycle().take(bytes.len()));
            } else {
                out.extend_from_slice(&bytes);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bytes::Encoding;
    use crate::units::Hertz;

    fn shape(channels: u16) -> Shape {
        Shape {
            encoding: Encoding::PcmS16le,
            rate: Hertz(8_000),
            channels,
            caller_channel: 0,
        }
    }

    fn at(milliseconds: u64) -> Duration {
        Duration::from_millis(milliseconds)
    }

    /// Which 20 ms of a stream (full scale throughout, in frames of 100 ms) are heard.
    fn heard(channels: u16, milliseconds: u64, assistant: &AssistantSpeech) -> Vec<bool> {
        let mut assistant_mute = AssistantMute::new(shape(channels));
        let mut out = Vec::new();
        for frame in 0..milliseconds / 100 {
            let arrived = at(10_000 + (frame + 1) * 100);
            assistant_mute.push(&[0x55; 1_600], arrived);
            out.extend_from_slice(&assistant_mute.ready(arrived, assistant));
        }
        out.extend_from_slice(&assistant_mute.rest(assistant));
        assert_eq!(out.len() as u64, milliseconds * 16, "nothing is dropped");
        out.chunks(320)
            .map(|piece| piece.iter().all(|byte| *byte == 0x55))
            .collect()
    }

    #[test]
    fn a_mix_is_heard_once_told_of_and_not_while_the_assistant_speaks() {
        assert!(
            heard(1, 2_000, &AssistantSpeech::default())
                .iter()
                .all(|heard| !heard)
        );
        let mut assistant = AssistantSpeech::default();
        assistant.started(at(11_000), MessageTime::default());
        assistant.stopped(at(12_000), MessageTime::default());
        let pieces = heard(1, 4_000, &assistant);
        let part = |from: usize, until: usize| &pieces[from / 20..until / 20];
        assert!(part(0, 600).iter().all(|heard| *heard), "before it began");
        assert!(
            part(600, 2_300).iter().all(|heard| !heard),
            "with its lead and its tail"
        );
        assert!(part(2_320, 4_000).iter().all(|heard| *heard), "after it");
    }

    #[test]
    fn in_stereo_the_caller_is_heard_from_the_first_sample_on() {
        assert!(
            heard(2, 1_000, &AssistantSpeech::default())
                .iter()
                .all(|heard| *heard)
        );
    }

    #[test]
    fn an_end_that_was_lost_does_not_silence_the_caller_for_ever() {
        let mut assistant = AssistantSpeech::default();
        assistant.started(at(0), MessageTime::default());
        assert!(assistant.covers(at(5_000), false));
        assert!(!assistant.covers(LONGEST + at(1), false));
    }

    #[test]
    fn an_end_whose_beginning_comes_late_or_never_covers_what_was_before() {
        let mut assistant = AssistantSpeech::default();
        assistant.stopped(at(5_000), MessageTime::default());
        assert!(assistant.covers(at(4_000), false) && !assistant.covers(at(5_400), false));
    }

    /// When a message was made that tells of a turn.
    fn made(ms: i64, turn: i64) -> MessageTime {
        MessageTime {
            made_ms: Some(ms),
            turn: Some(turn),
        }
    }

    #[test]
    fn a_beginning_that_its_end_overtook_leaves_the_caller_heard() {
        let untimed = |turn| MessageTime {
            made_ms: None,
            turn: Some(turn),
        };
        for (began, ended) in [
            (made(70_000, 1), made(71_000, 1)),
            (made(70_000, 1), made(71_000, 2)),
            (untimed(1), untimed(1)),
            (untimed(1), untimed(2)),
        ] {
            let mut assistant = AssistantSpeech::default();
            assistant.stopped(at(5_000), ended);
            assistant.started(at(5_050), began);
            assert!(assistant.covers(at(4_500), false), "{began:?}");
            assert!(!assistant.covers(at(6_000), false), "{began:?}");
            let known = began.made_ms.is_some();
            assert_eq!(assistant.told_at(at(4_500)) == Told::Assistant, known);
            assert_eq!(assistant.covers(at(3_000), false), !known);
            // The next speech is one of its own.
            assistant.started(at(9_000), made(75_000, 3));
            assert!(assistant.covers(at(9_500), false), "{began:?}");
        }
    }

    #[test]
    fn a_beginning_after_a_lost_end_is_another_speech() {
        let mut assistant = AssistantSpeech::default();
        assistant.started(at(0), made(0, 0));
        assistant.started(at(1_000), made(0, 0));
        let later = LONGEST.saturating_sub(at(1_000));
        assistant.started(later, made(89_000, 2));
        assert!(assistant.covers(LONGEST + at(5_000), true));
        assert_eq!(
            assistant.told_at(at(5_000)),
            Told::Unsure,
            "whose it was is not known"
        );
        // The lost end was a late one.
        assistant.stopped(later + at(2_000), made(3_000, 0));
        assert!(assistant.covers(LONGEST + at(5_000), true));
        assistant.stopped(LONGEST + at(3_000), made(93_000, 2));
        assert!(!assistant.covers(LONGEST + at(5_000), true));
    }

    #[test]
    fn memory_is_bounded_however_often_the_assistant_is_said_to_stop() {
        let mut assistant = AssistantSpeech::default();
        for nth in 0..1_000_u64 {
            assistant.stopped(at(nth * 1_000), MessageTime::default());
        }
        assert!(assistant.spans.len() <= MOST_SPANS);
    }

    #[test]
    fn audio_waits_until_word_of_the_assistant_can_have_come() {
        let mut assistant_mute = AssistantMute::new(shape(1));
        let mut assistant = AssistantSpeech::default();
        assistant.told();
        assistant_mute.push(&[0x55; 320], at(1_000));
        assert!(assistant_mute.ready(at(1_500), &assistant).is_empty());
        assistant.started(at(1_300), MessageTime::default());
        assert!(
            assistant_mute
                .ready(at(1_700), &assistant)
                .iter()
                .all(|byte| *byte == 0)
        );
    }
}
