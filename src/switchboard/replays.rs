//! Recordings that are played: what a caller says is compared with what is kept of the users whose voice it may be.

use std::collections::HashMap;
use std::sync::Arc;

use crate::decision::{Reason, ReplayRule};
use crate::speech::{Fingerprint, KeptFingerprint, ReplaySearch};
use crate::store::{FingerprintOf, KeptUntil, StoreError};
use crate::units::{CallId, Seconds, UserId};
use crate::verdict::{Checkpoint, Identification, OutcomeName};

use super::services::Services;

/// Calls and recordings on which a recording was played.
pub(crate) const REPLAYS: &str = "voxline_replays_total";

/// The speech of a clip whose fingerprint is kept, 15 kB with no pause, and of a call.
pub(super) const OF_CLIP: Seconds = Seconds::new(120.0);
const OF_CALL: Seconds = Seconds::new(60.0);

/// Whoever is less like the call is named by nothing, so a recording of theirs does nothing.
const LIKELIEST: usize = 3;
/// Users whose fingerprints a call holds in memory: some 10 kB each, and never more than 1.5 MB.
const MOST_USERS: usize = 8;

/// What a call was compared with so far.
pub(super) struct ReplayWatch {
    /// When it began.
    begun: KeptUntil,
    users: HashMap<UserId, Watched>,
    is_replay: bool,
}

struct Watched {
    kept: Arc<Vec<KeptFingerprint>>,
    search: ReplaySearch,
}

impl ReplayWatch {
    /// Of a call or a recording that begins now.
    pub fn begin() -> Self {
        Self {
            begun: KeptUntil::now(),
            users: HashMap::new(),
            is_replay: false,
        }
    }

    /// Goes on with another stream of the call, whose fingerprint begins anew.
    pub fn begin_anew(&mut self) {
        self.users.clear();
    }

    /// Takes the name back where a recording is played, now or earlier on the call.
    pub async fn look(&mut self, services: &Services, checkpoint: &Checkpoint, said: &mut Identification) {
        if services.replay == ReplayRule::Off {
            return;
        }
        if !self.is_replay {
            match self.search(services, &checkpoint.fingerprint, said).await {
                Ok(found) => self.is_replay = found,
                Err(fault) => {
                    tracing::error!(%fault, "what is kept against replays cannot be read: {fault}");
                    metrics::counter!("voxline_identification_faults_total").increment(1);
                    said.withhold(Reason::Unavailable);
                    return;
                }
            }
        }
        if self.is_replay {
            said.withhold(Reason::Replayed);
        }
    }

    async fn search(
        &mut self,
        services: &Services,
        heard: &Fingerprint,
        said: &Identification,
    ) -> Result<bool, StoreError> {
        let likeliest = said.candidates.iter().take(LIKELIEST);
        for user in likeliest.map(|candidate| candidate.user_id) {
            if self.finds(services, heard, user).await? {
                metrics::counter!(REPLAYS).increment(1);
                tracing::warn!(
                    user.id = %user, number = ?said.number,
                    "a recording of user {user} is played: what was said was heard before"
                );
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn finds(
        &mut self,
        services: &Services,
        heard: &Fingerprint,
        user: UserId,
    ) -> Result<bool, StoreError> {
        if self.users.len() >= MOST_USERS && !self.users.contains_key(&user) {
            self.users.clear();
        }
        if !self.users.contains_key(&user) {
            let of = match services.replay {
                ReplayRule::Calls => FingerprintOf::ClipsAndCalls,
                ReplayRule::Off | ReplayRule::Enrolments => FingerprintOf::Clips,
            };
            let watched = Watched {
                kept: Arc::new(services.store.fingerprints(user, of, &self.begun).await?),
                search: ReplaySearch::default(),
            };
            self.users.insert(user, watched);
        }
        let Some(watched) = self.users.get_mut(&user) else {
            return Ok(false);
        };
        if watched.kept.is_empty() {
            return Ok(false);
        }
        let (kept, heard, mut search) = (Arc::clone(&watched.kept), heard.clone(), watched.search.clone());
        // A few milliseconds, which nobody else's socket is to wait for.
        let searched = tokio::task::spawn_blocking(move || (search.finds(&heard, &kept), search)).await;
        let (found, search) = searched.map_err(|_| StoreError::Interrupted)?;
        watched.search = search;
        Ok(found)
    }
}

/// Keeps the fingerprint of a call that ended in a user's name, where calls are kept.
pub(super) async fn keep_call(
    services: &Services,
    call: &CallId,
    said: &Identification,
    fingerprint: &Fingerprint,
) {
    let (ReplayRule::Calls, OutcomeName::Identified, Some(user)) =
        (services.replay, said.outcome, said.user_id)
    else {
        return;
    };
    let kept = fingerprint.kept(OF_CALL);
    match services.store.keep_call_fingerprint(user, call, &kept).await {
        Ok(true) => {}
        Ok(false) => {
            tracing::info!(call.id = %call, "call {call} is not kept against replays: it is not recorded");
        }
        Err(fault) => {
            tracing::warn!(call.id = %call, %fault, "call {call} is not kept against replays: {fault}");
        }
    }
}
