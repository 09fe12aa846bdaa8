//! What the verdict of a call that goes on rests on, in the form in which it outlives this process.
//!
//! It is stored with each version, so that whoever takes the call up after a restart weighs on with the claims and the
//! voice that were there. Telephone numbers are in it as keyed hashes, users by their ids, and of those only who is on
//! the roster: the store finds them there when they are erased.

use std::cmp::Reverse;
use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::claims::read_kept;
use super::heard_streams::HeardStreams;
use super::stored_version::StoredVersion;
use super::voice_known::VoiceKnown;
use crate::decision::Reason;
use crate::store::CallRecord;
use crate::units::{Llr, UserId};
use crate::verdict::chain::{Claim, Member, Voice};
use crate::verdict::{Identification, Identity, OutcomeName};

/// Most bytes that are kept of a call, which the store takes: with the bounds below few calls come near.
const MOST_BYTES: usize = 256 * 1024;

/// Most ratios that are kept, beside those of whom something points to: of a larger roster the likeliest. What is left out is far
/// below anything that makes a name.
const MOST_RATIOS: usize = 500;

/// Most users of a claim: one of so many it says nothing of.
const MOST_SHARERS: usize = 500;

/// What a call rests on.
#[derive(Serialize, Deserialize)]
pub(super) struct Kept {
    /// Each a [`Claim`], read by itself: one of a kind or a source that this release does not know is no reason to lose the
    /// others.
    claims: Vec<Value>,
    voice: Option<KeptVoice>,
    /// Since when speech of the call is known to have been spoofed.
    #[serde(default, with = "time::serde::rfc3339::option")]
    spoofed_at: Option<OffsetDateTime>,
    /// Until when what was heard was not the caller.
    #[serde(default, with = "time::serde::rfc3339::option")]
    void_until: Option<OffsetDateTime>,
    /// How many streams the call had.
    #[serde(default)]
    streams: u64,
    #[serde(default)]
    heard: HeardStreams,
    /// The keyed hash of the caller's number, by which wrong PINs are counted.
    caller: Option<String>,
}

/// As much of a [`Voice`] as is weighed.
#[derive(Serialize, Deserialize)]
struct KeptVoice {
    outcome: OutcomeName,
    user_id: Option<UserId>,
    reason: Option<Reason>,
    llr: Option<f64>,
    net_speech_seconds: f64,
    #[serde(rename = "ratios")]
    llrs: Vec<(UserId, Llr)>,
    /// What the ratios that were left out are at most.
    #[serde(default, rename = "others")]
    llr_of_others: Option<Llr>,
    /// Which of the call's streams it came by.
    #[serde(default)]
    stream: u64,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

impl Kept {
    /// What a call rests on that goes to a number with these `members`. `caller` is the keyed hash of the caller's number.
    pub fn of(claims: &[Claim], known: &VoiceKnown, members: &[Member], caller: Option<String>) -> Self {
        let here: HashSet<UserId> = members.iter().map(|member| member.user).collect();
        let claims: Vec<Claim> = claims.iter().map(|claim| kept_claim(claim, &here)).collect();
        let claimed = claims.iter().flat_map(|claim| claim.users.iter().copied());
        let claimed: HashSet<UserId> = claimed.collect();
        let voice = known.word.as_ref();
        Self {
            voice: voice.and_then(|voice| KeptVoice::of(voice, &here, &claimed)),
            claims: claims
                .iter()
                .filter_map(|claim| serde_json::to_value(claim).ok())
                .collect(),
            spoofed_at: known.spoofed_at,
            void_until: known.void_until,
            streams: known.streams,
            heard: known.heard.clone(),
            caller,
        }
    }

    /// As the store takes it; `None` when there is too much of it.
    pub fn document(&self) -> Option<Value> {
        let document = serde_json::to_value(self).ok()?;
        (document.to_string().len() <= MOST_BYTES).then_some(document)
    }
}

/// A claim as it is kept. Who is not on the number any more may be erased: neither they nor what pointed to them is in
/// it.
fn kept_claim(claim: &Claim, here: &HashSet<UserId>) -> Claim {
    let mut kept = claim.clone();
    if claim.users.len() > MOST_SHARERS || !claim.users.iter().all(|user| here.contains(user)) {
        kept.users.clear();
        kept.value_hash = None;
    }
    kept
}

impl KeptVoice {
    /// `None` when it names somebody who is not here any more.
    fn of(voice: &Voice, here: &HashSet<UserId>, claimed: &HashSet<UserId>) -> Option<Self> {
        let said = &voice.said;
        let llrs = said.llrs.iter().filter(|(user, _)| here.contains(user));
        let mut llrs: Vec<(UserId, Llr)> = llrs.copied().collect();
        let left_out = leave_likeliest(&mut llrs, |user| {
            said.user_id == Some(user) || claimed.contains(&user)
        });
        let all_here = said.llrs.iter().all(|(user, _)| here.contains(user));
        let named_here = said.user_id.is_none_or(|user| here.contains(&user));
        named_here.then(|| Self {
            outcome: said.outcome,
            user_id: said.user_id,
            reason: said.reason,
            // It is that of one of them; of whom else it may be, an erasure would not find.
            llr: said.llr.filter(|_| all_here && !said.llrs.is_empty()),
            net_speech_seconds: said.net_speech_seconds,
            llrs,
            llr_of_others: said.llr_of_others.max(left_out),
            stream: said.stream,
            at: voice.at,
        })
    }

    /// The voice again, as a word on the call that `blank` is of.
    fn voice(self, blank: &Identification) -> Voice {
        let at = self.at;
        let said = Identification {
            outcome: self.outcome,
            user_id: self.user_id,
            reason: self.reason,
            llr: self.llr,
            net_speech_seconds: self.net_speech_seconds,
            llrs: self.llrs,
            llr_of_others: self.llr_of_others,
            stream: self.stream,
            ..blank.unheard()
        };
        Voice { said, at }
    }
}

/// Leaves the likeliest, and whom else something points to; gives what the ratios of the others are at most. Rounded up it is
/// nobody's own, which an erasure would have to find.
fn leave_likeliest(llrs: &mut Vec<(UserId, Llr)>, is_pointed_to: impl Fn(UserId) -> bool) -> Option<Llr> {
    llrs.sort_by_key(|(user, llr)| (Reverse(*llr), *user));
    let (_, highest) = *llrs.get(MOST_RATIOS)?;
    let mut place = 0;
    llrs.retain(|(user, _)| {
        place += 1;
        place <= MOST_RATIOS || is_pointed_to(*user)
    });
    Llr::new(highest.get().ceil()).ok()
}

/// Where a call that goes on takes up.
pub(super) struct Before {
    /// The latest that was said of it.
    pub stored: Option<StoredVersion>,
    pub started_at: OffsetDateTime,
    /// What the voice came to by itself.
    pub said: Option<Identification>,
    /// The last word on it, of the voice and by all evidence, where it is over.
    pub last: Option<Box<(Identification, Identity)>>,
    pub claims: Vec<Claim>,
    pub known: VoiceKnown,
    pub caller: Option<String>,
    /// Whether the store could not be read, so that there may be more.
    pub is_unread: bool,
}

impl Before {
    /// A call that begins.
    pub fn nothing(started_at: OffsetDateTime) -> Self {
        Self {
            stored: None,
            started_at,
            said: None,
            last: None,
            claims: Vec::new(),
            known: VoiceKnown::default(),
            caller: None,
            is_unread: false,
        }
    }

    /// Reads what was stored of a call. What another release wrote and this one cannot read is left out, and said to
    /// be: the call goes on with what there is.
    pub fn read(record: CallRecord, blank: &Identification) -> Self {
        let id = record.call_id;
        let left_out = |what: &str, fault: &dyn std::fmt::Display| {
            tracing::warn!(call.id = %id, %fault, "{what} of call {id} from before cannot be read: {fault}");
        };
        let said = Identification::deserialize(&record.verdict);
        let said = said.map_err(|fault| left_out("the word", &fault)).ok();
        let last = said.clone().filter(|_| record.is_final).and_then(|said| {
            let identity = Identity::deserialize(&record.verdict);
            let identity = identity.map_err(|fault| left_out("the last word", &fault));
            Some(Box::new((said, identity.ok()?)))
        });
        let kept = record.evidence.map(serde_json::from_value::<Kept>).transpose();
        let kept = kept
            .map_err(|fault| left_out("the evidence", &fault))
            .ok()
            .flatten();
        let (claims, known, caller) = kept.map_or_else(Default::default, |kept| {
            let there = kept.claims.len();
            let claims: Vec<Claim> = kept.claims.into_iter().filter_map(read_kept).collect();
            if claims.len() < there {
                left_out("a claim", &"its kind or source is not known here");
            }
            let known = VoiceKnown {
                word: kept.voice.map(|voice| voice.voice(blank)),
                spoofed_at: kept.spoofed_at,
                void_until: kept.void_until,
                streams: kept.streams,
                heard: kept.heard,
            };
            (claims, known, kept.caller)
        });
        Self {
            stored: Some(StoredVersion {
                number: record.version,
                at: record.updated_at,
            }),
            started_at: record.started_at,
            said,
            last,
            claims,
            known,
            caller,
            is_unread: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::units::CallId;
    use crate::verdict::chain::{EvidenceKind, EvidenceSource, Tier};
    use crate::voiceprint::ModelId;

    fn blank() -> Identification {
        let number = "+12025550102".parse().unwrap();
        Identification::inconclusive(number, ModelId::new("m"), "c".to_owned(), Reason::TooLittleSpeech)
    }

    #[test]
    fn a_ratio_that_may_be_of_who_is_not_here_is_not_kept() {
        let (ana, bob) = (UserId::fresh(), UserId::fresh());
        let said = Identification {
            llr: Some(4.0),
            llrs: vec![(ana, Llr::new(4.0).unwrap()), (bob, Llr::new(-4.0).unwrap())],
            ..blank()
        };
        let at = OffsetDateTime::UNIX_EPOCH;
        let voice = Voice { said, at };
        let kept = |here: &[UserId]| {
            let here = here.iter().copied().collect();
            KeptVoice::of(&voice, &here, &HashSet::new()).unwrap().llr
        };
        assert_eq!((kept(&[ana, bob]), kept(&[bob])), (Some(4.0), None));
    }

    /// Reads what is kept of a call that said this, as whoever takes it up.
    fn taken_up(said: &Identification, kept: &Kept) -> Before {
        let at = OffsetDateTime::now_utc();
        let record = CallRecord {
            call_id: CallId::fresh(),
            number: said.number.clone(),
            started_at: at,
            updated_at: at,
            version: 1,
            is_final: false,
            verdict: serde_json::to_value(said).unwrap(),
            evidence: Some(kept.document().unwrap()),
        };
        Before::read(record, &blank())
    }

    fn pin_of(user: UserId, at: OffsetDateTime) -> Claim {
        Claim {
            tier: Tier::T4,
            kind: EvidenceKind::Pin,
            users: vec![user],
            owner: 0.9,
            speaker: Some(0.9),
            failed: false,
            anybodys: false,
            source: EvidenceSource::Sip,
            at,
            value_hash: None,
            note: None,
        }
    }

    #[test]
    fn a_call_on_a_number_of_thousands_is_kept_with_all_that_names_somebody() {
        let member = |_| Member {
            user: UserId::fresh(),
            name: String::new(),
            exclusive: false,
            enrolled: true,
        };
        let members: Vec<Member> = (0..6_000).map(member).collect();
        let (named, claimed) = (members[4_321].user, members[5_999].user);
        let llr = |user: UserId, place: usize| {
            if user == named {
                9.0
            } else {
                -1.5 - place as f64 / 1e3
            }
        };
        let users = members.iter().map(|member| member.user);
        let llrs = users
            .enumerate()
            .map(|(place, user)| (user, Llr::new(llr(user, place)).unwrap()));
        let said = Identification {
            outcome: OutcomeName::Identified,
            user_id: Some(named),
            reason: None,
            llr: Some(9.0),
            llrs: llrs.collect(),
            net_speech_seconds: 20.0,
            ..blank()
        };
        let at = OffsetDateTime::now_utc();
        let claim = pin_of(claimed, at);
        let known = VoiceKnown {
            word: Some(Voice {
                said: said.clone(),
                at,
            }),
            spoofed_at: Some(at),
            streams: 2,
            ..VoiceKnown::default()
        };
        let kept = Kept::of(std::slice::from_ref(&claim), &known, &members, None);
        let read = taken_up(&said, &kept);
        assert_eq!((read.claims, read.known.spoofed_at), (vec![claim], Some(at)));
        let word = read.known.word.unwrap().said;
        assert_eq!((word.word(), word.llr), (said.word(), said.llr));
        for member in &members {
            let (before, after) = (said.llr_of(member.user), word.llr_of(member.user));
            let is_exact = [named, claimed].contains(&member.user);
            assert!(
                after >= before && (after == before || !is_exact),
                "{after:?} of {before:?}"
            );
            assert!(after == before || after <= Llr::new(-1.0).ok(), "{after:?}");
        }
    }
}
