//! Fingerprints of users' speech, by which a recording that is played is known: of clips, and of calls. Each is sealed by
//! its user's key for their voice, and goes with it.

use serde::Serialize;
use zeroize::Zeroizing;

use crate::speech::KeptFingerprint;
use crate::store::database::{Tx, query, query_as};
use crate::store::keys::{Purpose, UserKeys, Whose};
use crate::store::secrets::Place;
use crate::store::values::read_u64;
use crate::store::{Store, StoreError};
use crate::units::{CallId, UserId};

/// Most calls of a user of which a fingerprint is kept, the latest.
const MOST_CALLS: i64 = 5;
/// Most fingerprints of a user that are given to be searched, the latest: at most 1.5 MB with their pauses.
const MOST_SEARCHED: i64 = 48;

/// Where a user's fingerprint is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FingerprintOf {
    /// The clips of their enrolments.
    Clips,
    /// Those, and the latest calls they were recognised on.
    ClipsAndCalls,
}

/// A moment: what is kept later is left out. Whoever enrols on a call is no replay of themself on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptUntil(String);

impl KeptUntil {
    /// What is kept from now on is left out.
    pub fn now() -> Self {
        // Ids of this kind sort by their time.
        Self(uuid::Uuid::now_v7().to_string())
    }
}

/// How many fingerprints are kept of somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct FingerprintCounts {
    /// Of clips of their enrolments.
    pub clips: u64,
    /// Of calls that they were recognised on.
    pub calls: u64,
}

impl Store {
    /// The fingerprints of a user's speech that were kept by then, the latest first, at most 48.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when one is damaged.
    pub async fn fingerprints(
        &self,
        user: UserId,
        of: FingerprintOf,
        until: &KeptUntil,
    ) -> Result<Vec<KeptFingerprint>, StoreError> {
        let user = user.to_string();
        let mut tx = self.read().await?;
        let rows: Vec<(String, Vec<u8>)> = query_as(
            "SELECT id, frames FROM fingerprints WHERE user_id = $1 AND (call_id IS NULL OR $2) AND id < $3 \
             ORDER BY id DESC LIMIT $4",
        )
        .bind(&user)
        .bind(of == FingerprintOf::ClipsAndCalls)
        .bind(&until.0)
        .bind(MOST_SEARCHED)
        .fetch_all(&mut tx)
        .await?;
        if rows.is_empty() {
            return Ok(Vec::new());
        }
        let keys = UserKeys::read(&mut tx, Whose::User(&user)).await?;
        let mut all = Vec::with_capacity(rows.len());
        for (id, sealed) in rows {
            let opened = keys.open(&user, Purpose::Voice, frames_place(&id), &sealed, "fingerprint")?;
            // One whose key is destroyed is being erased.
            let Some(bytes) = opened else { continue };
            let read = KeptFingerprint::from_bytes(&bytes);
            all.push(read.ok_or(StoreError::Unreadable { what: "fingerprint" })?);
        }
        Ok(all)
    }

    /// How many fingerprints are kept of a user.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn count_fingerprints(&self, user: UserId) -> Result<FingerprintCounts, StoreError> {
        let (clips, calls): (i64, i64) =
            query_as("SELECT COUNT(clip_id), COUNT(call_id) FROM fingerprints WHERE user_id = $1")
                .bind(user.to_string())
                .fetch_one(self.pool())
                .await?;
        Ok(FingerprintCounts {
            clips: read_u64(clips, "count")?,
            calls: read_u64(calls, "count")?,
        })
    }

    /// Keeps the fingerprint of a call that `user` was recognised on, in place of the oldest of more than five. Says
    /// whether it was kept: not where the user, their voice or the call is no longer here, or the user is not to be
    /// recognised.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn keep_call_fingerprint(
        &self,
        user: UserId,
        call: &CallId,
        fingerprint: &KeptFingerprint,
    ) -> Result<bool, StoreError> {
        let user = user.to_string();
        let mut tx = self.write().await?;
        let keys = UserKeys::read(&mut tx, Whose::User(&user)).await?;
        if !keys.has(&user) {
            return Ok(false);
        }
        let id = uuid::Uuid::now_v7().to_string();
        let kept = query(
            "INSERT INTO fingerprints (id, user_id, clip_id, call_id, frames) \
             SELECT $1, u.id, NULL, c.call_id, $4 FROM users u JOIN calls c ON c.call_id = $3 \
             WHERE u.id = $2 AND u.opted_out_at IS NULL AND EXISTS (SELECT 1 FROM clips WHERE user_id = u.id)",
        )
        .bind(&id)
        .bind(&user)
        .bind(call.as_str())
        .bind(sealed(&keys, &user, &id, fingerprint)?)
        .execute(&mut tx)
        .await?;
        query(
            "DELETE FROM fingerprints WHERE user_id = $1 AND call_id IS NOT NULL AND id NOT IN \
             (SELECT id FROM fingerprints WHERE user_id = $1 AND call_id IS NOT NULL ORDER BY id DESC LIMIT $2)",
        )
        .bind(&user)
        .bind(MOST_CALLS)
        .execute(&mut tx)
        .await?;
        tx.commit().await?;
        Ok(kept > 0)
    }
}

/// Where a fingerprint stands.
pub(in crate::store) fn frames_place(id: &str) -> Place<'_> {
    Place::of("fingerprints", "frames", id)
}

fn sealed(
    keys: &UserKeys,
    user: &str,
    id: &str,
    fingerprint: &KeptFingerprint,
) -> Result<Vec<u8>, StoreError> {
    let plain = Zeroizing::new(fingerprint.to_bytes());
    keys.seal(user, Purpose::Voice, frames_place(id), &plain)
}

/// Keeps the fingerprint of a clip that is being stored.
pub(super) async fn keep_clip_fingerprint(
    conn: &mut Tx,
    user: UserId,
    clip: &str,
    fingerprint: &KeptFingerprint,
) -> Result<(), StoreError> {
    let user = user.to_string();
    let keys = UserKeys::read(conn, Whose::User(&user)).await?;
    let id = uuid::Uuid::now_v7().to_string();
    query("INSERT INTO fingerprints (id, user_id, clip_id, call_id, frames) VALUES ($1, $2, $3, NULL, $4)")
        .bind(&id)
        .bind(&user)
        .bind(clip)
        .bind(sealed(&keys, &user, &id, fingerprint)?)
        .execute(conn)
        .await?;
    Ok(())
}

/// Deletes those of a user's calls once none of their clips is left: without a consent there is none to keep them by.
pub(in crate::store) async fn erase_unconsented(conn: &mut Tx, user: UserId) -> Result<(), StoreError> {
    query(
        "DELETE FROM fingerprints WHERE user_id = $1 \
         AND NOT EXISTS (SELECT 1 FROM clips WHERE clips.user_id = $1)",
    )
    .bind(user.to_string())
    .execute(conn)
    .await?;
    Ok(())
}
