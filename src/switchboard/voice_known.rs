//! What is known of a call's voice, by all its streams and at all nodes: the word that stands, and what is held against any.
//!
//! Whatever is weighed by time has that of the one clock that all nodes share ([`Store::shared_time`](crate::store::Store::shared_time)).

use time::OffsetDateTime;

use super::heard_streams::HeardStreams;
use crate::decision::{FULL_EVIDENCE, Outcome, Reason};
use crate::units::UserId;
use crate::verdict::Identification;
use crate::verdict::chain::Voice;

const UNAVAILABLE: Outcome = Outcome::Inconclusive(Reason::Unavailable);
const SPOOFED: Outcome = Outcome::Inconclusive(Reason::Spoofed);

/// What is known of a call's voice at a moment.
#[derive(Clone, Default)]
pub struct VoiceKnown {
    /// The word that stands, whichever stream brought it.
    pub(super) word: Option<Voice>,
    /// Since when it is known that speech of the call was spoofed: no voice names anybody on it any more.
    pub(super) spoofed_at: Option<OffsetDateTime>,
    /// What was heard until then was not the caller, and is not taken from other nodes either.
    pub(super) void_until: Option<OffsetDateTime>,
    /// The latest of its streams that is known here.
    pub(super) streams: u64,
    /// Which of them are heard, here or at another node.
    pub(super) heard: HeardStreams,
}

impl VoiceKnown {
    /// What the voice comes to by itself; `None` where nothing was heard of it.
    pub(super) fn said(&self) -> Option<Identification> {
        self.word.as_ref().map(|word| word.said.clone())
    }

    /// Takes the voice's next word, and gives whether it is to be said: one that is put aside is not, nor that nobody hears the call
    /// where something else is held against it. On a call on which a recording was played no voice names anybody any more,
    /// whichever stream it comes by; nor where a stream was spoofed.
    pub(super) fn hear(&mut self, said: &mut Identification, now: OffsetDateTime) -> bool {
        // Another stream begins with nothing. What was found in less than a window may have been mended in its own.
        let of_another = |before: &Voice| {
            before.said.is_spoofed() && said.net_speech_seconds < before.said.net_speech_seconds
        };
        if said.was_spoofed || self.word.as_ref().is_some_and(of_another) {
            self.spoofed_at = self.spoofed_at.or(Some(now));
        }
        let is_unheard = said.word() == UNAVAILABLE;
        self.withhold(said);
        self.heard.note(said.stream, !said.is_final && !is_unheard, now);
        let waits = is_unheard || self.is_put_aside(said, now);
        self.hear_at(said, now) || !waits
    }

    /// Notes that a stream is heard still, or is not any more. A word of it that stands is as new as that.
    pub(super) fn note_stream(&mut self, stream: u64, is_heard: bool, now: OffsetDateTime) {
        self.heard.note(stream, is_heard, now);
        let own = self.word.as_mut().filter(|word| word.said.stream == stream);
        if let Some(own) = own.filter(|_| is_heard) {
            own.at = now;
        }
    }

    /// Takes back whom a word names on a call on which a recording was played, or speech was spoofed.
    pub(super) fn withhold(&self, said: &mut Identification) {
        if self.word.as_ref().is_some_and(|word| word.said.is_replay()) {
            said.withhold(Reason::Replayed);
        }
        let names_nobody = matches!(
            said.word(),
            Outcome::Unknown
                | Outcome::Inconclusive(Reason::Replayed | Reason::EmptyRoster | Reason::Unavailable)
        );
        if self.spoofed_at.is_some() && !names_nobody {
            said.withhold(Reason::Spoofed);
        }
    }

    /// Takes in what another node knows; whether the word that stands is theirs now.
    pub(super) fn take_in(&mut self, other: Self) -> bool {
        let is_newly_void = other.void_until > self.void_until;
        let mut is_theirs = is_newly_void && self.take_void(&other);
        // What is void here may come in a version that another node made before it knew.
        let counts = |at: OffsetDateTime| is_newly_void || self.is_of_the_caller(at);
        let spoofed_at = other.spoofed_at.filter(|at| counts(*at));
        let word = other.word.filter(|word| counts(word.at) && self.is_news(word));
        self.streams = self.streams.max(other.streams);
        self.heard.take_in(&other.heard);
        self.spoofed_at = [self.spoofed_at, spoofed_at].into_iter().flatten().min();
        if let Some(word) = word {
            is_theirs |= self.hear_at(&word.said, word.at);
        }
        if let Some(mut word) = self.word.take() {
            if self.spoofed_at.is_some() {
                self.withhold(&mut word.said);
            }
            self.word = Some(word);
        }
        is_theirs
    }

    /// Forgets what another node found was not the caller: of what was known before, that node kept what was theirs. Whether a
    /// word of this node's went.
    fn take_void(&mut self, other: &Self) -> bool {
        self.void_until = other.void_until;
        let had_word = self.word.is_some();
        self.word = self.word.take().filter(|word| self.is_of_the_caller(word.at));
        self.spoofed_at = self.spoofed_at.filter(|at| self.is_of_the_caller(*at));
        had_word && self.word.is_none()
    }

    /// Goes back to what was known before; whether anything was heard since.
    pub(super) fn go_back_to(&mut self, before: Self, now: OffsetDateTime) -> bool {
        let heard_at = |known: &Self| known.word.as_ref().map(|word| word.at);
        let is_news = heard_at(self) != heard_at(&before);
        *self = Self {
            void_until: Some(now),
            streams: self.streams,
            heard: std::mem::take(&mut self.heard),
            ..before
        };
        is_news
    }

    fn is_of_the_caller(&self, at: OffsetDateTime) -> bool {
        self.void_until.is_none_or(|until| at > until)
    }

    /// Whether another node's word is one to be weighed against ours. That a recording was played holds whenever it was found.
    fn is_news(&self, theirs: &Voice) -> bool {
        self.word
            .as_ref()
            .is_none_or(|own| theirs.at > own.at || (theirs.said.is_replay() && !own.said.is_replay()))
    }

    /// Whether a word says nothing of who has the phone now. The word that stands holds against earlier streams' for as long as the
    /// stream that brought it is known to be heard; and whoever does not hear the call says nothing of it while another stream is.
    pub(super) fn is_put_aside(&self, said: &Identification, now: OffsetDateTime) -> bool {
        if said.word() == UNAVAILABLE {
            return self.heard.is_other_heard(said.stream, now);
        }
        let later = self.word.as_ref().map(|word| word.said.stream);
        let later = later.filter(|later| said.stream != 0 && *later > said.stream);
        later.is_some_and(|later| self.heard.is_heard(later, now))
    }

    /// Has a word stand, where it takes the place of the one that does; whether it did.
    fn hear_at(&mut self, said: &Identification, at: OffsetDateTime) -> bool {
        let is_weightier = self.word.as_ref().is_none_or(|before| {
            let takes_it = takes_the_place_of(said, &before.said) && !self.is_put_aside(said, at);
            said.is_replay() || (takes_it && !before.said.is_replay())
        });
        if is_weightier {
            self.word = Some(Voice {
                said: said.clone(),
                at,
            });
        }
        is_weightier
    }
}

/// Whether the voice's next word takes the place of the one before. A stream that was opened again begins with nothing, so what
/// the first one heard stays until this one has heard as much, is sure of something else, or has heard enough that does not speak
/// for who was named: somebody else may have the phone by now. Where nobody hears any more, nothing that was heard stands.
fn takes_the_place_of(said: &Identification, before: &Identification) -> bool {
    match (said.word(), before.word()) {
        // It names nobody either, and is held against the streams that follow.
        (UNAVAILABLE, SPOOFED) => return false,
        (UNAVAILABLE, _) | (_, UNAVAILABLE) => return true,
        _ if said.net_speech_seconds >= before.net_speech_seconds => return true,
        _ => {}
    }
    let is_enough = said.net_speech_seconds >= FULL_EVIDENCE.get();
    let speaks_against = |named: UserId| said.llr_of(named).is_some_and(|llr| llr.get() <= 0.0);
    match (said.word(), before.word()) {
        // Older speech makes no name of what is not a person's.
        (SPOOFED, word) => word != SPOOFED,
        (_, SPOOFED) => false,
        (Outcome::Identified(now), Outcome::Identified(named)) => now != named,
        (Outcome::Identified(_), _) => true,
        (word @ (Outcome::Unknown | Outcome::Inconclusive(Reason::SeveralVoices)), known) => word != known,
        (Outcome::Inconclusive(_), Outcome::Identified(named)) => is_enough && speaks_against(named),
        // Other evidence may have made a name of whom the older speech was like.
        (Outcome::Inconclusive(Reason::Ambiguous), Outcome::Inconclusive(_)) => is_enough,
        (Outcome::Inconclusive(_), _) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::OutcomeName;
    use crate::voiceprint::ModelId;
    use time::Duration;
    use uuid::Uuid;

    fn alice() -> UserId {
        UserId::from_uuid(Uuid::from_u128(1))
    }

    fn said(word: Outcome, stream: u64, seconds: f64) -> Identification {
        let number = "+12025550102".parse().unwrap();
        let (outcome, user_id, reason) = match word {
            Outcome::Identified(user) => (OutcomeName::Identified, Some(user), None),
            Outcome::Unknown => (OutcomeName::Unknown, None, None),
            Outcome::Inconclusive(reason) => (OutcomeName::Inconclusive, None, Some(reason)),
        };
        Identification {
            outcome,
            user_id,
            stream,
            net_speech_seconds: seconds,
            reason,
            ..Identification::inconclusive(number, ModelId::new("m"), "c".to_owned(), Reason::TooLittleSpeech)
        }
    }

    fn now() -> OffsetDateTime {
        OffsetDateTime::now_utc()
    }

    fn at(second: i64) -> OffsetDateTime {
        OffsetDateTime::UNIX_EPOCH + Duration::seconds(second)
    }

    /// What is known after one word at this second.
    fn known(word: &Identification, second: i64) -> VoiceKnown {
        let mut known = VoiceKnown::default();
        assert!(known.hear_at(word, at(second)));
        known.streams = word.stream;
        known
    }

    fn word(known: &VoiceKnown) -> Option<Outcome> {
        known.said().map(|said| said.word())
    }

    #[test]
    fn that_nobody_hears_takes_the_place_of_a_name_and_gives_way_to_any_word() {
        let named = Outcome::Identified(alice());
        for (unheard, seconds) in [(0, 0.0), (1, 60.0), (2, 3.0)] {
            let mut known = known(&said(named, 1, 60.0), 1);
            assert!(known.hear(&mut said(UNAVAILABLE, unheard, seconds), now()));
            assert_eq!(word(&known), Some(UNAVAILABLE));
            let little = Outcome::Inconclusive(Reason::TooLittleSpeech);
            known.hear(&mut said(little, 3, 0.0), now());
            assert_eq!(word(&known), Some(little));
        }
    }

    #[test]
    fn that_nobody_hears_is_not_said_where_speech_was_spoofed() {
        let mut known = VoiceKnown::default();
        known.hear(&mut said(SPOOFED, 1, 8.0), now());
        assert!(!known.hear(&mut said(UNAVAILABLE, 1, 8.0), now()));
        assert_eq!(word(&known), Some(SPOOFED));
    }

    #[test]
    fn a_word_holds_while_its_stream_is_heard_and_no_longer() {
        let named = Outcome::Identified(alice());
        let two_streams = || {
            let mut known = VoiceKnown::default();
            for (second, stream) in [(1, 1), (2, 2)] {
                assert!(known.hear(&mut said(named, stream, 60.0), at(second)));
            }
            known
        };
        let (nobody, unheard) = (said(Outcome::Unknown, 1, 61.0), said(UNAVAILABLE, 0, 0.0));
        let mut known = two_streams();
        for other in [&nobody, &unheard] {
            assert!(!known.hear(&mut other.clone(), at(20)), "stream 2 is heard");
        }
        // Its node ends without a word, and stream 1 is heard still.
        assert!(known.hear(&mut nobody.clone(), at(40)));
        assert_eq!(word(&known), Some(Outcome::Unknown));
        assert!(!known.hear(&mut unheard.clone(), at(41)));
        // Its node says that it hears it no more: to another that hears stream 1 that is at once.
        let (mut there, mut here) = (two_streams(), two_streams());
        assert!(
            !there.hear(&mut said(UNAVAILABLE, 2, 60.0), at(3)),
            "stream 1 is heard"
        );
        here.take_in(there);
        assert_eq!(word(&here), Some(named));
        assert!(here.hear(&mut nobody.clone(), at(4)));
        // And where no stream is heard any more the name falls.
        let mut known = two_streams();
        assert!(known.hear(&mut unheard.clone(), at(40)));
        assert_eq!(word(&known), Some(UNAVAILABLE));
    }

    #[test]
    fn an_earlier_stream_puts_nothing_in_the_place_of_a_later_ones_word() {
        let mut known = known(&said(Outcome::Identified(alice()), 1, 60.0), 1);
        assert!(known.hear(&mut said(Outcome::Unknown, 2, 3.0), at(2)));
        for late in [Outcome::Identified(alice()), UNAVAILABLE] {
            let late = said(late, 1, 61.0);
            assert!(known.is_put_aside(&late, at(3)) && !known.hear_at(&late, at(3)));
        }
        // Of one stream the latest counts, here or from another node.
        let mut there = known.clone();
        for (second, next) in [(4, Outcome::Identified(alice())), (5, Outcome::Unknown)] {
            assert!(there.hear_at(&said(next, 2, second as f64), at(second)));
            assert!(known.take_in(there.clone()));
            assert_eq!(word(&known), Some(next));
        }
    }

    #[test]
    fn what_was_played_or_spoofed_at_one_node_names_nobody_at_another() {
        let named = said(Outcome::Identified(alice()), 2, 6.0);
        let replayed = Outcome::Inconclusive(Reason::Replayed);
        let spoofed = Identification {
            was_spoofed: true,
            ..said(Outcome::Unknown, 1, 8.0)
        };
        // Found before the name was said here.
        let played = known(&said(replayed, 1, 8.0), 1);
        let mut mimicked = VoiceKnown::default();
        mimicked.hear(&mut spoofed.clone(), now());
        for (other, wanted) in [(played, replayed), (mimicked, SPOOFED)] {
            let mut here = known(&named, 10_000_000_000);
            here.take_in(other);
            assert_eq!(word(&here), Some(wanted));
            let mut next = said(Outcome::Identified(alice()), 2, 8.0);
            here.hear(&mut next, now());
            assert_eq!(next.word(), wanted);
        }
    }

    #[test]
    fn what_is_void_at_one_node_is_void_at_the_other() {
        let named = said(Outcome::Identified(alice()), 1, 6.0);
        let mut here = known(&named, 10);
        here.spoofed_at = Some(at(10));
        let (stale, mut there) = (here.clone(), here.clone());
        assert!(here.go_back_to(VoiceKnown::default(), now()));
        assert!(there.take_in(here.clone()), "their word is taken back");
        for known in [&mut here, &mut there] {
            assert!((word(known), known.spoofed_at) == (None, None));
            // A version that was made before.
            assert!(!known.take_in(stale.clone()));
            assert!((word(known), known.spoofed_at) == (None, None));
            known.hear(&mut said(Outcome::Unknown, 2, 3.0), now());
            assert_eq!(word(known), Some(Outcome::Unknown));
        }
        // What was known before it stays.
        let before = known(&said(Outcome::Unknown, 1, 20.0), 5);
        let mut here = known(&named, 10);
        here.go_back_to(before, now());
        let mut there = known(&named, 10);
        assert!(there.take_in(here));
        assert_eq!(word(&there), Some(Outcome::Unknown));
    }
}
