//! Calls that several nodes of one store have news of, as where a webhook comes to one and the audio to another.
//!
//! Each node stores every version with what it rests on. Before a node makes the next one it takes in what others
//! stored since, and a few times a second it looks whether there is any, so that all come to weigh the same. A version takes the
//! place of the one that it was made over alone; whoever was too late takes in what is there and says theirs anew, of both. A
//! last word takes the place of whatever goes on. A call that began while its
//! record could not be read takes that in the same way, once it can be read, whichever database it is in.

use std::sync::Arc;

use super::call_evidence::{CallContext, CallEvidence};
use super::kept::Before;
use super::stored_version::{StoredVersion, VERSIONS_LEFT_OUT};
use crate::store::{CallRecord, StoreError};
use crate::verdict::{Identification, Identity};

/// What another node had stored.
#[derive(Default)]
pub(super) struct Taken {
    /// Whether a version of this node's gave way to it and has to be said anew, or it is damaged.
    pub gave_way: bool,
    /// Whether one that said something new did.
    pub news_gave_way: bool,
    /// How many numbers of versions are left out before the next.
    pub left_out: u64,
    /// Whether the call is over.
    pub ended: bool,
    /// What the voice comes to by itself, where the other node's word stands now in place of ours.
    pub said: Option<Identification>,
    /// The last word on the call, as it is recorded: it is the last here too, whatever was said here meanwhile. `None` where the call
    /// goes on, or what another release recorded cannot be read.
    pub last: Option<Box<(Identification, Identity)>>,
}

impl CallEvidence {
    /// Takes in what others stored of the call since. `own` is what the voice came to here. While the store cannot be
    /// read, nothing is taken in.
    pub async fn take_in_others(&mut self, context: &CallContext, own: &Identification) -> Taken {
        let services = &context.services;
        if !self.is_unread && !services.store.is_shared() {
            return Taken::default();
        }
        let is_earlier = |record: &CallRecord| record.updated_at < context.started_at;
        // What this node said of the call in an earlier session may be on its way into the record still. Asked first: what is
        // on its way after the store was read gives way to what was read.
        let waiting = services.recorder.waiting_of(&context.id);
        if self.is_unread && waiting.iter().any(|version| is_earlier(&version.record)) {
            return Taken::default();
        }
        let Ok((stored, is_damaged)) = stored_of(context).await else {
            return Taken::default();
        };
        let was_unread = std::mem::take(&mut self.is_unread);
        // A call id says nothing of another number's calls.
        let Some(stored) = stored.filter(|stored| stored.number == context.number) else {
            self.refused = Arc::default();
            return Taken::default();
        };
        let version = StoredVersion {
            number: stored.version,
            at: stored.updated_at,
        };
        // Numbers tell nothing then: those of this session began anew.
        let is_news = was_unread && is_earlier(&stored);
        if !is_news && !self.refused.any() && version.is_known_by(self.stored) {
            return Taken::default();
        }
        let news_gave_way = is_news || self.refused.news() || waiting.iter().any(|version| version.is_news);
        let gave_way = news_gave_way || is_damaged || self.refused.any() || !waiting.is_empty();
        self.stored = Some(version);
        // What is still to be refused is said anew by now.
        self.refused = Arc::default();
        let ended = stored.is_final;
        let mut other = Before::read(stored, own);
        let (said, last) = (other.said.take(), other.last.take());
        let is_theirs = self.take_in(other);
        Taken {
            gave_way,
            news_gave_way,
            left_out: if is_news { VERSIONS_LEFT_OUT } else { 0 },
            ended,
            said: said.filter(|_| is_theirs),
            last,
        }
    }
}

/// What is stored of the call, and whether it is damaged: then there is nothing to take in, and what is said here takes its place.
async fn stored_of(context: &CallContext) -> Result<(Option<CallRecord>, bool), StoreError> {
    let store = &context.services.store;
    let damaged = match store.call(&context.id).await {
        Err(StoreError::Unreadable { .. }) => store.unopened_call(&context.id).await,
        read => return Ok((read?, false)),
    };
    match damaged {
        // It stays so: it is not asked for again and again.
        Err(StoreError::Unreadable { .. }) => Ok((None, true)),
        read => Ok((read?, true)),
    }
}
