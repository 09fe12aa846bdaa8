//! Calls that several nodes of one store have news of, as where a webhook comes to one and the audio to another.
//!
//! Each node stores every version with what it rests on. Before a node makes the next one it takes in what others
//! stored since, and a few times a second it looks whether there is any, so that all come to weigh the same. Of two
//! versions with one number the store keeps the first; whoever lost says theirs anew, of both.

use super::call_evidence::{CallContext, CallEvidence};
use super::kept::{Before, StoredVersion};
use crate::verdict::Identification;

/// What another node had stored.
#[derive(Default)]
pub(super) struct Taken {
    /// Whether a version of this node's gave way to it and has to be said anew.
    pub gave_way: bool,
    /// Whether the call is over.
    pub ended: bool,
    /// What the voice comes to by itself, where the other node heard more of it.
    pub said: Option<Identification>,
}

impl CallEvidence {
    /// Takes in what others stored of the call since. `own` is what the voice came to here. While the store cannot be
    /// read, nothing is taken in.
    pub async fn take_in_others(&mut self, context: &CallContext, own: &Identification) -> Taken {
        let store = &context.services.store;
        if !store.is_shared() {
            return Taken::default();
        }
        let Ok(Some(stored)) = store.call(&context.id).await else {
            return Taken::default();
        };
        let version = StoredVersion {
            number: stored.version,
            at: stored.updated_at,
        };
        if version.is_known_by(self.stored) {
            return Taken::default();
        }
        let gave_way = self.stored.is_some_and(|known| known.number == version.number);
        self.stored = Some(version);
        let ended = stored.is_final;
        let mut other = Before::read(stored, own);
        let said = other.said.take();
        self.take_in(other);
        Taken {
            gave_way,
            ended,
            said: said.filter(|said| said.is_final || said.net_speech_seconds > own.net_speech_seconds),
        }
    }
}
