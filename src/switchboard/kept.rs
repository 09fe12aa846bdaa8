//! What the verdict of a call that goes on rests on, in the form in which it outlives this process.
//!
//! It is stored with each version, so that whoever takes the call up after a restart weighs on with the claims and the
//! voice that were there. Telephone numbers are in it as keyed hashes, users by their ids, and of those only who is on
//! the roster: the store finds them there when they are erased.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::{Duration, OffsetDateTime};

use crate::decision::Reason;
use crate::store::CallRecord;
use crate::units::{Llr, UserId};
use crate::verdict::chain::{Claim, Member, Voice};
use crate::verdict::{Identification, OutcomeName};

/// Most bytes that are kept of a call: those of a roster of some thousand users.
const MOST_BYTES: usize = 256 * 1024;

/// What a call rests on.
#[derive(Serialize)]
pub(super) struct Kept {
    claims: Vec<Claim>,
    voice: Option<KeptVoice>,
    /// The keyed hash of the caller's number, by which wrong PINs are counted.
    caller: Option<String>,
}

/// [`Kept`] as it is read: a claim of a kind or a source that this release does not know is no reason to lose the
/// others.
#[derive(Deserialize)]
struct KeptBefore {
    claims: Vec<Value>,
    voice: Option<KeptVoice>,
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
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
}

impl Kept {
    /// What a call rests on that goes to a number with these `members`. `caller` is the keyed hash of the caller's number.
    pub fn of(claims: &[Claim], voice: Option<&Voice>, members: &[Member], caller: Option<String>) -> Self {
        let here: HashSet<UserId> = members.iter().map(|member| member.user).collect();
        Self {
            claims: claims.iter().map(|claim| kept_claim(claim, &here)).collect(),
            voice: voice.and_then(|voice| KeptVoice::of(voice, &here)),
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
    if !claim.users.iter().all(|user| here.contains(user)) {
        kept.users.clear();
        kept.value_hash = None;
    }
    kept
}

impl KeptVoice {
    /// `None` when it names somebody who is not here any more.
    fn of(voice: &Voice, here: &HashSet<UserId>) -> Option<Self> {
        let said = &voice.said;
        let llrs = said.llrs.iter().filter(|(user, _)| here.contains(user));
        let all_here = said.llrs.iter().all(|(user, _)| here.contains(user));
        let named_here = said.user_id.is_none_or(|user| here.contains(&user));
        named_here.then(|| Self {
            outcome: said.outcome,
            user_id: said.user_id,
            reason: said.reason,
            // It is that of one of them; of whom else it may be, an erasure would not find.
            llr: said.llr.filter(|_| all_here && !said.llrs.is_empty()),
            net_speech_seconds: said.net_speech_seconds,
            llrs: llrs.copied().collect(),
            at: voice.at,
        })
    }

    /// The voice again; `blank` says nothing.
    fn voice(self, blank: &Identification) -> Voice {
        let at = self.at;
        let said = Identification {
            outcome: self.outcome,
            user_id: self.user_id,
            reason: self.reason,
            llr: self.llr,
            net_speech_seconds: self.net_speech_seconds,
            llrs: self.llrs,
            ..blank.clone()
        };
        Voice { said, at }
    }
}

/// How many numbers of versions a call that is taken up leaves out. Words that say nothing new are given out and not recorded,
/// and their numbers must not come again: some twice as many as a stream has checkpoints.
pub(super) const VERSIONS_LEFT_OUT: u64 = 64;

/// Which version of a call's verdict is the latest that is known to be stored, or to be on its way there.
#[derive(Debug, Clone, Copy)]
pub(super) struct StoredVersion {
    pub number: u64,
    /// When it was reached.
    pub at: OffsetDateTime,
}

impl StoredVersion {
    /// Whether this is the version `known`, or one before it.
    pub fn is_known_by(self, known: Option<Self>) -> bool {
        // The store keeps microseconds.
        let is_same = |known: Self| (self.at - known.at).abs() < Duration::microseconds(1);
        known.is_some_and(|known| {
            self.number < known.number || (self.number == known.number && is_same(known))
        })
    }
}

/// Where a call that goes on takes up.
pub(super) struct Before {
    pub version: u64,
    pub started_at: OffsetDateTime,
    /// What the voice came to by itself.
    pub said: Option<Identification>,
    pub claims: Vec<Claim>,
    pub voice: Option<Voice>,
    pub caller: Option<String>,
    /// Whether the store could not be read, so that there may be more.
    pub is_unread: bool,
}

impl Before {
    /// A call that begins now.
    pub fn nothing() -> Self {
        Self {
            version: 0,
            started_at: OffsetDateTime::now_utc(),
            said: None,
            claims: Vec::new(),
            voice: None,
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
        let said = serde_json::from_value(record.verdict);
        let said: Option<Identification> = said.map_err(|fault| left_out("the word", &fault)).ok();
        let kept = record
            .evidence
            .map(serde_json::from_value::<KeptBefore>)
            .transpose();
        let kept = kept
            .map_err(|fault| left_out("the evidence", &fault))
            .ok()
            .flatten();
        let (claims, voice, caller) = kept.map_or_else(Default::default, |kept| {
            let there = kept.claims.len();
            let claims = kept
                .claims
                .into_iter()
                .filter_map(|claim| serde_json::from_value(claim).ok());
            let claims: Vec<Claim> = claims.collect();
            if claims.len() < there {
                left_out("a claim", &"its kind or source is not known here");
            }
            (claims, kept.voice.map(|voice| voice.voice(blank)), kept.caller)
        });
        Self {
            version: record.version,
            started_at: record.started_at,
            said,
            claims,
            voice,
            caller,
            is_unread: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::voiceprint::ModelId;

    #[test]
    fn a_ratio_that_may_be_of_who_is_not_here_is_not_kept() {
        let (ana, bob) = (UserId::fresh(), UserId::fresh());
        let number = "+12025550102".parse().unwrap();
        let said =
            Identification::inconclusive(number, ModelId::new("m"), "c".to_owned(), Reason::TooLittleSpeech);
        let said = Identification {
            llr: Some(4.0),
            llrs: vec![(ana, Llr::new(4.0).unwrap()), (bob, Llr::new(-4.0).unwrap())],
            ..said
        };
        let at = OffsetDateTime::UNIX_EPOCH;
        let voice = Voice { said, at };
        let kept = |here: &[UserId]| {
            let here = here.iter().copied().collect();
            KeptVoice::of(&voice, &here).unwrap().llr
        };
        assert_eq!((kept(&[ana, bob]), kept(&[bob])), (Some(4.0), None));
    }
}
