//! What the verdict of a call that goes on rests on, in the form in which it outlives this process.
//!
//! It is stored with each version, so that whoever takes the call up after a restart weighs on with the claims and the
//! voice that were there. Telephone numbers are in it as keyed hashes, users by their ids, and of those only who is on
//! the roster: the store finds them there when they are erased.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;

use super::call_state::State;
use super::pin_answer::PinWay;
use crate::decision::Reason;
use crate::evidence::{Place, Source};
use crate::store::CallRecord;
use crate::units::{Llr, UserId};
use crate::verdict::chain::{Claim, Tier, Voice};
use crate::verdict::{Identification, OutcomeName};

/// Most bytes that are kept of a call: those of a roster of some thousand users.
const MOST_BYTES: usize = 256 * 1024;

/// What a call state rests on.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Kept {
    claims: Vec<KeptClaim>,
    voice: Option<KeptVoice>,
    /// The keyed hash of the caller's number, by which wrong PINs are counted.
    caller: Option<String>,
}

/// A [`Claim`].
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct KeptClaim {
    tier: Tier,
    kind: String,
    users: Vec<UserId>,
    owner: f64,
    speaker: Option<f64>,
    failed: bool,
    source: String,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    value_hash: Option<String>,
    note: Option<String>,
}

/// As much of a [`Voice`] as is weighed.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
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
    /// What `state` rests on. `caller` is the keyed hash of the caller's number.
    pub fn of(state: &State, caller: Option<String>) -> Self {
        let members = state.roster.as_ref().map_or(&[][..], |known| &known.members);
        let here: HashSet<UserId> = members.iter().map(|member| member.user).collect();
        Self {
            claims: state
                .claims
                .iter()
                .map(|claim| KeptClaim::of(claim, &here))
                .collect(),
            voice: state.voice.as_ref().and_then(|voice| KeptVoice::of(voice, &here)),
            caller,
        }
    }

    /// As the store takes it; `None` when there is too much of it.
    pub fn document(&self) -> Option<Value> {
        let document = serde_json::to_value(self).ok()?;
        (document.to_string().len() <= MOST_BYTES).then_some(document)
    }
}

impl KeptClaim {
    fn of(claim: &Claim, here: &HashSet<UserId>) -> Self {
        let counts = claim.users.iter().all(|user| here.contains(user));
        Self {
            tier: claim.tier,
            kind: claim.kind.to_owned(),
            // Who is not on the number any more may be erased: neither they nor what pointed to them is kept.
            users: if counts { claim.users.clone() } else { Vec::new() },
            owner: claim.owner,
            speaker: claim.speaker,
            failed: claim.failed,
            source: claim.source.to_owned(),
            at: claim.at,
            value_hash: claim.value_hash.clone().filter(|_| counts),
            note: claim.note.clone(),
        }
    }

    /// `None` for a kind or a source that this release does not know.
    fn claim(self) -> Option<Claim> {
        Some(Claim {
            tier: self.tier,
            kind: kinds().find(|kind| *kind == self.kind)?,
            users: self.users,
            owner: self.owner,
            speaker: self.speaker,
            failed: self.failed,
            source: sources().find(|source| *source == self.source)?,
            at: self.at,
            value_hash: self.value_hash,
            note: self.note,
        })
    }
}

impl KeptVoice {
    /// `None` when it names somebody who is not here any more.
    fn of(voice: &Voice, here: &HashSet<UserId>) -> Option<Self> {
        let said = &voice.said;
        let llrs = said.llrs.iter().filter(|(user, _)| here.contains(user));
        let named_here = said.user_id.is_none_or(|user| here.contains(&user));
        named_here.then(|| Self {
            outcome: said.outcome,
            user_id: said.user_id,
            reason: said.reason,
            llr: said.llr,
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

/// Where a call that goes on takes up.
pub(super) struct Before {
    pub version: u64,
    pub started_at: OffsetDateTime,
    /// What the voice came to by itself.
    pub said: Option<Identification>,
    pub claims: Vec<Claim>,
    pub voice: Option<Voice>,
    pub caller: Option<String>,
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
        let kept = record.evidence.map(serde_json::from_value::<Kept>).transpose();
        let kept = kept
            .map_err(|fault| left_out("the evidence", &fault))
            .ok()
            .flatten();
        let (claims, voice, caller) = kept.map_or_else(Default::default, |kept| {
            let there = kept.claims.len();
            let claims: Vec<Claim> = kept.claims.into_iter().filter_map(KeptClaim::claim).collect();
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
        }
    }
}

/// Every kind of claim.
fn kinds() -> impl Iterator<Item = &'static str> {
    let places = Place::ALL.into_iter().map(Place::name);
    places.chain(["forwarding", "caller_number", "pin"])
}

/// Every source of a claim.
fn sources() -> impl Iterator<Item = &'static str> {
    let ways = PinWay::ALL.into_iter().map(PinWay::name);
    Source::ALL.into_iter().map(Source::name).chain(ways)
}
