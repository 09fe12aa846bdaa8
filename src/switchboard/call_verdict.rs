//! What is said of a call.

use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::units::CallId;
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
