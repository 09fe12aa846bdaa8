//! How users are enrolled, page by page: what is needed to say whether somebody should enrol again.

use serde::Serialize;
use time::OffsetDateTime;

use crate::store::database::{Tx, query_as};
use crate::store::keys::{UserKeys, Whose};
use crate::store::people::{load_one, open_invites, open_name};
use crate::store::values::{now, one_spelling, read, read_seconds, read_time, read_u64};
use crate::store::{Access, Store, StoreError, User};
use crate::units::{DialedNumber, Seconds, UserId};
use crate::voiceprint::{Bandwidth, ModelId};

/// Most users of one page.
const MAX_PAGE: usize = 200;
/// Names of one transaction where one is looked for: some 15 ms.
const NAMES_AT_A_TIME: usize = 256;

/// Which users are asked for, and how many at a time.
#[derive(Debug, Clone, Default)]
pub struct UsersWanted {
    /// Only those of this number.
    pub number: Option<DialedNumber>,
    /// Only those whose name holds this, whatever its case.
    pub name: Option<String>,
    /// Only those after this one, which is the last of the page already seen.
    pub after: Option<UserId>,
    /// How many at most; never more than 200.
    pub limit: usize,
}

/// A user and how they are enrolled.
#[derive(Debug, Clone, PartialEq)]
pub struct UserVoice {
    /// Whose voice it is.
    pub user: User,
    /// What a model has of their voice; `None` where it has nothing.
    pub known: Option<KnownVoice>,
    /// The models that any voiceprint of theirs is of, in order.
    pub models: Vec<ModelId>,
    /// Links by which they can still enrol.
    pub open_invites: u64,
}

/// What one model has of a voice: every clip that it made a voiceprint of. No embedding is part of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct KnownVoice {
    /// When the last of them was enrolled.
    pub enrolled_at: OffsetDateTime,
    /// How many clips.
    pub clips: u64,
    /// Speech in all of them.
    pub net_speech: Seconds,
    /// The lowest signal-to-noise ratio of any, in dB; `None` where none could be measured.
    pub snr_db: Option<f64>,
    /// What they were heard over together.
    pub bandwidth: Bandwidth,
}

impl Store {
    /// Users that `access` sees, in the order of their ids, which is that of their coming, with what `model` has of their voices; and
    /// whether more follow. Whoever looks for a name looks through all that `access` sees, 256 names at a time in a transaction
    /// of their own, and by one connection together with all who do so at the time: the others are free for whoever else reads.
    ///
    /// # Errors
    /// [`StoreError::UnknownNumber`]; [`StoreError::Unreadable`].
    pub async fn voices(
        &self,
        access: &Access,
        wanted: &UsersWanted,
        model: &ModelId,
    ) -> Result<(Vec<UserVoice>, bool), StoreError> {
        let limit = wanted.limit.clamp(1, MAX_PAGE);
        // Before the transaction: whoever holds one waits for no other connection.
        if let Some(number) = &wanted.number {
            self.require_number(access, number).await?;
        }
        let mut found = self.page_of_users(access, wanted, limit + 1).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let mut tx = self.read().await?;
        let mut voices = Vec::with_capacity(found.len());
        for id in found {
            voices.extend(voice(&mut tx, access, id, model).await?);
        }
        Ok((voices, more))
    }

    /// The ids of a page. Names are sealed, and so compared here: those of the users that `access` sees are opened, some at a
    /// time, until the page is full.
    async fn page_of_users(
        &self,
        access: &Access,
        wanted: &UsersWanted,
        limit: usize,
    ) -> Result<Vec<UserId>, StoreError> {
        let number = wanted.number.as_ref();
        let mut after = wanted.after.map(|id| id.to_string());
        let Some(sought) = wanted.name.as_deref().map(in_search) else {
            let mut tx = self.read().await?;
            let rows = seen_after(&mut tx, access, number, after.as_deref(), limit).await?;
            return rows.iter().map(|(id, _)| read(id, "user id")).collect();
        };
        let mut found = Vec::new();
        loop {
            let turn = self.searching.acquire().await;
            let _turn = turn.map_err(|_| StoreError::Interrupted)?;
            let mut tx = self.read().await?;
            let rows = seen_after(&mut tx, access, number, after.as_deref(), NAMES_AT_A_TIME).await?;
            let ids: Vec<String> = rows.iter().map(|(id, _)| id.clone()).collect();
            let keys = UserKeys::read(&mut tx, Whose::Users(&ids)).await?;
            drop(tx);
            for (id, sealed) in &rows {
                let name = open_name(&keys, id, sealed)?;
                if name.is_some_and(|name| in_search(&name).contains(&sought)) {
                    found.push(read(id, "user id")?);
                }
                if found.len() == limit {
                    return Ok(found);
                }
            }
            if rows.len() < NAMES_AT_A_TIME {
                return Ok(found);
            }
            after = ids.last().cloned();
        }
    }

    /// How one user is enrolled.
    ///
    /// # Errors
    /// [`StoreError::UnknownUser`], also for one that `access` does not see; [`StoreError::Unreadable`].
    pub async fn voice_of(
        &self,
        access: &Access,
        user: UserId,
        model: &ModelId,
    ) -> Result<UserVoice, StoreError> {
        self.seen_user(access, user).await?;
        let mut tx = self.read().await?;
        let found = voice(&mut tx, access, user, model).await?;
        found.ok_or(StoreError::UnknownUser(user))
    }

    /// How many users `access` sees, and of how many `model` has a voiceprint.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn user_counts(&self, access: &Access, model: &ModelId) -> Result<(u64, u64), StoreError> {
        let (users, enrolled): (i64, i64) = query_as(
            "SELECT COUNT(*), COUNT(CASE WHEN EXISTS \
             (SELECT 1 FROM prints p WHERE p.user_id = u.id AND p.model = $1) THEN 1 END) FROM users u \
             WHERE u.tenant_id = $2 AND ($3 IS NULL OR EXISTS (SELECT 1 FROM memberships m JOIN key_numbers k \
             ON k.number = m.number WHERE m.user_id = u.id AND k.key_id = $3))",
        )
        .bind(model.as_str())
        .bind(access.tenant_text())
        .bind(access.narrowing_key())
        .fetch_one(self.pool())
        .await?;
        Ok((read_u64(users, "user count")?, read_u64(enrolled, "user count")?))
    }
}

/// Statement of [`seen_after`]: users in the order of their ids, of those that `$1` is before, of this tenant and, where a key
/// is narrowed, on one of its numbers.
macro_rules! seen_after {
    ($from:literal, $id:literal) => {
        concat!(
            "SELECT u.id, u.name FROM ",
            $from,
            $id,
            " > $1 AND u.tenant_id = $3 AND ($4 IS NULL OR EXISTS (SELECT 1 FROM memberships o \
             JOIN key_numbers k ON k.number = o.number WHERE o.user_id = u.id AND k.key_id = $4)) ORDER BY ",
            $id,
            " LIMIT $2"
        )
    };
}

/// A name as it is compared in a search: neither its case nor its spelling matters, also of one that was kept as it came.
fn in_search(name: &str) -> String {
    one_spelling(name).to_lowercase()
}

/// The first users that `access` sees behind the one with the id `after`, in the order of their ids, and their sealed names.
async fn seen_after(
    conn: &mut Tx,
    access: &Access,
    number: Option<&DialedNumber>,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, Vec<u8>)>, StoreError> {
    let statement = match number {
        // From its members: they may be few among many users.
        Some(_) => seen_after!(
            "memberships m JOIN users u ON u.id = m.user_id WHERE m.number = $5 AND ",
            "m.user_id"
        ),
        None => seen_after!("users u WHERE ", "u.id"),
    };
    let mut asked = query_as(statement)
        .bind(after.unwrap_or_default())
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        .bind(access.tenant_text())
        .bind(access.narrowing_key());
    if let Some(number) = number {
        asked = asked.bind(number.as_e164());
    }
    Ok(asked.fetch_all(conn).await?)
}

async fn voice(
    conn: &mut Tx,
    access: &Access,
    id: UserId,
    model: &ModelId,
) -> Result<Option<UserVoice>, StoreError> {
    let user = load_one(conn, id).await?;
    let Some(user) = user.and_then(|user| access.sight_of(user)) else {
        return Ok(None);
    };
    let models: Vec<(String,)> =
        query_as("SELECT DISTINCT model FROM prints WHERE user_id = $1 ORDER BY model")
            .bind(id.to_string())
            .fetch_all(&mut *conn)
            .await?;
    Ok(Some(UserVoice {
        known: known(conn, id, model).await?,
        models: models.into_iter().map(|(model,)| ModelId::new(model)).collect(),
        open_invites: open_invites(conn, id, now()).await?,
        user,
    }))
}

async fn known(conn: &mut Tx, id: UserId, model: &ModelId) -> Result<Option<KnownVoice>, StoreError> {
    type Row = (i64, Option<f64>, Option<f64>, Option<String>, i64);
    let (clips, seconds, snr_db, last, narrow): Row = query_as(
        "SELECT COUNT(*), SUM(c.net_speech_s), MIN(c.snr_db), MAX(e.created_at), \
         COUNT(CASE WHEN p.bandwidth = 'narrow' THEN 1 END) \
         FROM prints p JOIN clips c ON c.id = p.clip_id JOIN enrollments e ON e.id = c.enrollment_id \
         WHERE p.user_id = $1 AND p.model = $2",
    )
    .bind(id.to_string())
    .bind(model.as_str())
    .fetch_one(conn)
    .await?;
    let (Some(last), Some(seconds)) = (last, seconds) else {
        return Ok(None);
    };
    Ok(Some(KnownVoice {
        enrolled_at: read_time(&last)?,
        clips: read_u64(clips, "clip count")?,
        net_speech: read_seconds(seconds)?,
        snr_db,
        bandwidth: if narrow == 0 {
            Bandwidth::Wide
        } else {
            Bandwidth::Narrow
        },
    }))
}
