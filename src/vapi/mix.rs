//! Whose voice a mix of both sides may hold besides the assistant's: the caller's, as long as it is told who speaks.
//!
//! In a mix whoever speaks while the assistant does not is taken for the caller. That holds on a call between the caller and
//! an assistant whose messages come here. One that is put through to a person, or handed over to an assistant whose messages
//! go elsewhere, has other voices in it, of which nothing is told: from then on the mix is nobody's.

use std::time::Duration;

use crate::units::Seconds;

use super::message_time::MessageTime;

/// How much speech may come that nobody was told to make.
const UNTOLD: Seconds = Seconds::new(20.0);
/// The longest the caller is taken to speak without a word of their end, which may have been lost.
const LONGEST: Duration = Duration::from_secs(90);

/// What is known of whose the mix is.
#[derive(Debug, Default)]
pub(super) struct Mix {
    left: Option<Left>,
    /// When the message of the latest beginning of somebody's speech was made.
    began: MessageTime,
    /// When the message was made that last said that the assistant has the call.
    answered: MessageTime,
    /// Since when the caller is told to speak, by the call's clock.
    caller_since: Option<Duration>,
    /// How much speech the stream had when it was last told who speaks.
    told_by: Option<Seconds>,
}

/// The mix is nobody's.
#[derive(Debug, Clone, Copy)]
struct Left {
    /// When the message was made that said so.
    since: MessageTime,
    /// A person has the call, until it is said that the assistant has it again.
    to_person: bool,
}

impl Mix {
    /// Whether nobody may be taken for the caller.
    pub(super) fn is_nobodys(&self) -> bool {
        self.left.is_some()
    }

    /// It is told who speaks.
    pub(super) fn told(&mut self) {
        self.told_by = None;
    }

    /// Somebody began to speak, says a message that was made at `time`: whoever has the call tells who speaks.
    pub(super) fn began(&mut self, time: MessageTime) {
        self.told();
        if !time.is_before(self.began) {
            self.began = time;
        }
        self.left = self
            .left
            .filter(|left| left.to_person || time.is_before(left.since));
    }

    /// The caller began or stopped speaking, says a message that arrived `at` and was made at `time`.
    pub(super) fn caller(&mut self, started: bool, at: Duration, time: MessageTime) {
        self.caller_since = started.then_some(at);
        if started {
            self.began(time);
        } else {
            self.told();
        }
    }

    /// The call was handed on, says a message that was made at `time`: to a person, or to another assistant.
    pub(super) fn handed_on(&mut self, time: MessageTime, to_person: bool) {
        let known = if to_person { self.answered } else { self.began };
        // Overtaken by a later word.
        if time.is_before(known) {
            return;
        }
        let to_person = to_person || self.left.is_some_and(|left| left.to_person);
        self.left = Some(Left {
            since: time,
            to_person,
        });
        self.caller_since = None;
    }

    /// The assistant has the call, says a message that was made at `time`. Who speaks is to be told anew.
    pub(super) fn answered(&mut self, time: MessageTime) {
        if !time.is_before(self.answered) {
            self.answered = time;
        }
        if let Some(left) = &mut self.left
            && left.to_person
            && !time.is_before(left.since)
        {
            *left = Left {
                since: time,
                to_person: false,
            };
        }
    }

    /// The stream has brought so much speech besides the assistant's by `now`. Gives whether too much of it is nobody's: that
    /// is so from now on.
    pub(super) fn heard(&mut self, speech: Seconds, now: Duration) -> bool {
        let is_callers = self
            .caller_since
            .is_some_and(|since| now.saturating_sub(since) < LONGEST);
        let known = self.told_by.filter(|told_by| !is_callers && *told_by <= speech);
        let told_by = *self.told_by.insert(known.unwrap_or(speech));
        if speech.saturating_minus(told_by) < UNTOLD {
            return false;
        }
        self.handed_on(self.began, false);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(ms: i64) -> MessageTime {
        MessageTime {
            made_ms: Some(ms),
            turn: None,
        }
    }

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn whom_a_call_is_put_through_to_is_nobody_till_the_assistant_is_back() {
        let mut mix = Mix::default();
        mix.answered(made(1_000));
        mix.began(made(2_000));
        mix.handed_on(made(5_000), true);
        // What the assistant says before it puts the caller through, and what the caller answers.
        mix.told();
        mix.began(made(5_100));
        mix.caller(true, at(6), made(6_000));
        assert!(mix.is_nobodys());
        // The word of its beginning comes again.
        mix.answered(made(1_000));
        mix.began(made(6_500));
        assert!(mix.is_nobodys());
        mix.answered(made(7_000));
        assert!(mix.is_nobodys(), "who speaks is not told yet");
        mix.began(made(7_100));
        assert!(!mix.is_nobodys());
        // That it was put through comes late.
        mix.handed_on(made(5_000), true);
        assert!(!mix.is_nobodys());
    }

    #[test]
    fn after_another_assistant_took_over_it_is_nobodys_until_a_speech_begins() {
        let mut mix = Mix::default();
        mix.began(made(1_000));
        mix.handed_on(made(2_000), false);
        mix.told();
        mix.began(made(1_900));
        assert!(mix.is_nobodys(), "both are of the one before");
        mix.began(made(2_100));
        assert!(!mix.is_nobodys());
        mix.handed_on(made(2_000), false);
        assert!(!mix.is_nobodys(), "it was overtaken");
    }

    #[test]
    fn speech_of_which_nothing_is_told_is_nobodys_after_a_while() {
        let mut mix = Mix::default();
        mix.began(made(1_000));
        assert!(!mix.heard(Seconds::new(4.0), at(10)));
        assert!(!mix.heard(Seconds::new(23.9), at(30)));
        // Each word begins it anew, and another stream does.
        mix.told();
        assert!(!mix.heard(Seconds::new(30.0), at(40)));
        assert!(!mix.heard(Seconds::new(49.9), at(60)));
        assert!(!mix.heard(Seconds::ZERO, at(61)));
        assert!(!mix.heard(Seconds::new(19.9), at(80)));
        assert!(mix.heard(Seconds::new(20.0), at(81)));
        assert!(mix.is_nobodys());
        mix.began(made(2_000));
        assert!(!mix.is_nobodys());
    }

    #[test]
    fn a_caller_who_speaks_on_is_heard_and_a_lost_end_lasts_not_for_ever() {
        let mut mix = Mix::default();
        mix.caller(true, at(10), made(1_000));
        for second in 0..89_u32 {
            let now = at(10 + u64::from(second));
            assert!(!mix.heard(Seconds::new(f64::from(second)), now));
        }
        assert!(!mix.heard(Seconds::new(107.0), at(118)));
        assert!(mix.heard(Seconds::new(108.0), at(119)));
    }
}
