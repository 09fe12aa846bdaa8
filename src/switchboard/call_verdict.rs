//! What is said of a call.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::decision::Reason;
use crate::units::CallId;
use crate::verdict::chain::SpeakerReason;
use crate::verdict::{Identification, Identity};

/// A new version of what is said of a call.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = CallUpdate)]
pub struct CallVerdict {
    /// Id of the call.
    #[schema(value_type = String)]
    pub call_id: CallId,
    /// 1, 2, 3 and so on: a higher version replaces a lower one. Numbers are left out where a call is taken up after a
    /// restart, or by another node.
    pub version: u64,
    /// Whether the call is over: no other version will follow.
    #[serde(skip)]
    #[schema(ignore)]
    pub ended: bool,
    /// What is said now.
    #[serde(flatten)]
    pub identification: Identification,
    /// Whose line, whose voice.
    #[serde(flatten)]
    pub identity: Identity,
}

/// A verdict as it is stored.
#[derive(Serialize)]
struct Recorded<'a> {
    #[serde(flatten)]
    identification: &'a Identification,
    #[serde(flatten)]
    identity: &'a Identity,
}

impl CallVerdict {
    /// Whether another verdict on the same call says nothing that this one does not, but for figures.
    pub(super) fn says_as_much_as(&self, identification: &Identification, identity: &Identity) -> bool {
        self.identification.says_as_much_as(identification) && self.identity.same_word(identity)
    }

    /// As it is stored; `None` when it cannot be written as JSON.
    pub(super) fn document(&self) -> Option<Value> {
        let recorded = Recorded {
            identification: &self.identification,
            identity: &self.identity,
        };
        serde_json::to_value(recorded).ok()
    }

    /// Writes into the log what it says.
    pub(super) fn log(&self) {
        let (said, identity, id) = (&self.identification, &self.identity, &self.call_id);
        // By the names that they have in the API, so that one search finds both.
        let (line_owner, speaker) = (identity.line_owner.status.name(), identity.speaker.status.name());
        tracing::info!(
            call.id = %id, outcome = said.outcome.name(), reason = said.reason.map(Reason::name),
            line_owner, speaker, speaker_reason = identity.speaker.reason.map(SpeakerReason::name),
            net_speech_s = said.net_speech_seconds, version = self.version,
            "call {id}: line owner {line_owner}, speaker {speaker} after {:.1} s of speech",
            said.net_speech_seconds,
        );
    }
}

/// What the voice brings to the next version.
pub(super) enum Said {
    /// Nothing: other evidence came, or other nodes are looked at.
    Nothing,
    /// Its next word.
    Voice(Box<Identification>),
    /// Its word at a check between two, which is no version where it says nothing new.
    Check(Box<Identification>),
    /// Nothing to whoever asks; to other nodes that a stream is heard still, or is not any more.
    Sign,
    /// That no other word will follow.
    LastWord,
}

impl Said {
    /// What is said by now, where another node's word (`other`) may stand in place of what was said here `before`.
    pub fn over(self, other: Option<Identification>, before: &Identification) -> Identification {
        let latest = || before.clone();
        match self {
            Self::Voice(said) | Self::Check(said) => *said,
            Self::Nothing | Self::Sign => other.unwrap_or_else(latest),
            Self::LastWord => Identification {
                is_final: true,
                ..other.unwrap_or_else(latest)
            },
        }
    }
}
