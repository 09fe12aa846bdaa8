//! Which model a store's voiceprints are searched by, and what a change of it needs.

use std::collections::HashSet;

use super::prints::insert_prints;
use crate::store::audit::{Act, NewAudit, append};
use crate::store::database::{Tx, query, query_as, read_text_fact, write_fact};
use crate::store::keys::{UserKeys, Whose};
use crate::store::people::open_name;
use crate::store::values::read;
use crate::store::{Store, StoreError};
use crate::units::{DialedNumber, UserId};
use crate::voiceprint::{ModelId, Voiceprint};

/// The name of the model in use among the store's facts.
const ACTIVE: &str = "active_model";

/// What the hash of a model's weights is called among the store's facts; its id follows.
const WEIGHTS: &str = "weights_sha256 ";

/// What the hash of all else that makes a model's voiceprints, and of its weights, is called there; the id follows. Stores of
/// earlier releases lack it until they are opened.
const IDENTITY: &str = "identity_sha256 ";

/// A clip that a model has not heard yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnheardClip {
    /// The clip's id.
    pub clip: String,
    /// Whose voice it is.
    pub user: UserId,
    /// Whether its recording was kept, so that the model could hear it.
    pub kept: bool,
}

/// An enrolled user of whom a model has no voiceprint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnheardUser {
    /// Id of the user.
    pub user: UserId,
    /// The name to show.
    pub name: String,
    /// Their numbers, in order.
    pub numbers: Vec<DialedNumber>,
}

impl Store {
    /// The model whose voiceprints are searched: the one that was switched to or, where there never was
    /// a switch, the one that made the newest voiceprint. `None` for a store without voiceprints.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn active_model(&self) -> Result<Option<ModelId>, StoreError> {
        active(&mut self.read().await?).await
    }

    /// Writes down that `model` is in use, that its weights have the hash `sha256` and all that makes its voiceprints the hash
    /// `identity`, unless others are written down.
    ///
    /// # Errors
    /// [`StoreError::OtherWeights`] when the store has voiceprints of a model of that name with other
    /// weights, or made otherwise: a name is no proof that two voiceprints can be compared.
    pub async fn pin_model(&self, model: &ModelId, sha256: &str, identity: &str) -> Result<(), StoreError> {
        let facts =
            [(WEIGHTS, sha256), (IDENTITY, identity)].map(|(fact, hash)| (format!("{fact}{model}"), hash));
        let mut tx = self.read().await?;
        let is_known = is_written(&mut tx, &facts).await?;
        drop(tx);
        if is_known {
            return Ok(());
        }
        let mut tx = self.write().await?;
        let (prints,): (i64,) = query_as("SELECT COUNT(*) FROM prints WHERE model = $1")
            .bind(model.as_str())
            .fetch_one(&mut tx)
            .await?;
        for (fact, hash) in &facts {
            let known = read_text_fact(&mut tx, fact).await?;
            if prints > 0 && known.is_some_and(|known| known != *hash) {
                return Err(StoreError::OtherWeights { model: model.clone() });
            }
            write_fact(&mut tx, fact, hash.as_bytes()).await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Writes down which model is in use where that only followed from the voiceprints, before
    /// voiceprints of another are added. Gives the model in use.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn hold_model(&self) -> Result<Option<ModelId>, StoreError> {
        let mut tx = self.write().await?;
        let model = active(&mut tx).await?;
        if let Some(model) = &model {
            write_fact(&mut tx, ACTIVE, model.as_str().as_bytes()).await?;
        }
        tx.commit().await?;
        Ok(model)
    }

    /// The clips that `model` has not heard, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn unheard_clips(&self, model: &ModelId) -> Result<Vec<UnheardClip>, StoreError> {
        unheard(&mut self.read().await?, model).await
    }

    /// The enrolled users of whom `model` has no voiceprint, by name.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn unheard_users(&self, model: &ModelId) -> Result<Vec<UnheardUser>, StoreError> {
        let mut tx = self.read().await?;
        let rows: Vec<(String, Vec<u8>, Option<String>)> = query_as(
            "SELECT u.id, u.name, m.number FROM users u LEFT JOIN memberships m ON m.user_id = u.id \
             WHERE EXISTS (SELECT 1 FROM clips c WHERE c.user_id = u.id) \
             AND NOT EXISTS (SELECT 1 FROM prints p WHERE p.user_id = u.id AND p.model = $1) \
             ORDER BY u.id, m.number",
        )
        .bind(model.as_str())
        .fetch_all(&mut tx)
        .await?;
        let ids: Vec<String> = rows.iter().map(|(id, ..)| id.clone()).collect();
        let keys = UserKeys::read(&mut tx, Whose::Users(&ids)).await?;
        let mut users: Vec<UnheardUser> = Vec::new();
        for (id, name, number) in rows {
            let user: UserId = read(&id, "user id")?;
            if users.last().is_none_or(|last| last.user != user) {
                // Who has no key is being erased.
                let Some(name) = open_name(&keys, &id, &name)? else {
                    continue;
                };
                let numbers = Vec::new();
                users.push(UnheardUser { user, name, numbers });
            }
            if let (Some(last), Some(number)) = (users.last_mut(), number) {
                last.numbers.push(read(&number, "number")?);
            }
        }
        users.sort_by(|one, other| (&one.name, one.user).cmp(&(&other.name, other.user)));
        Ok(users)
    }

    /// Adds voiceprints of a model that is not in use to a clip; `false` when the clip is gone, or has
    /// some of that model already. Nobody is found by them before [`Store::switch_model`].
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written.
    pub async fn add_prints(&self, clip: &str, prints: &[Voiceprint]) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let row: Option<(String,)> = query_as("SELECT user_id FROM clips WHERE id = $1")
            .bind(clip)
            .fetch_optional(&mut tx)
            .await?;
        let (Some((user,)), Some(first)) = (row, prints.first()) else {
            return Ok(false);
        };
        let (heard,): (i64,) = query_as("SELECT COUNT(*) FROM prints WHERE clip_id = $1 AND model = $2")
            .bind(clip)
            .bind(first.model.as_str())
            .fetch_one(&mut tx)
            .await?;
        if heard > 0 {
            return Ok(false);
        }
        insert_prints(&mut tx, clip, &user, prints).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Puts `model` in use from this moment, if it has heard every clip but those in `settled`, which it
    /// cannot hear; `false` when there are others, which came in meanwhile.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be written; the model in use stays the one it was.
    pub async fn switch_model(&self, model: &ModelId, settled: &HashSet<String>) -> Result<bool, StoreError> {
        let mut tx = self.write().await?;
        let unheard = unheard(&mut tx, model).await?;
        if unheard.iter().any(|clip| !settled.contains(&clip.clip)) {
            return Ok(false);
        }
        write_fact(&mut tx, ACTIVE, model.as_str().as_bytes()).await?;
        query("UPDATE numbers SET roster_version = roster_version + 1")
            .execute(&mut tx)
            .await?;
        append(&mut tx, &NewAudit::new(Act::ModelSwitch).object(model)).await?;
        tx.commit().await?;
        Ok(true)
    }
}

/// An error when a model was switched to and these clips were not heard by it: an enrolment that began
/// under the old one.
pub(super) async fn refuse_old_model<'a>(
    conn: &mut Tx,
    clips: impl IntoIterator<Item = &'a [Voiceprint]>,
) -> Result<(), StoreError> {
    let Some(active) = read_text_fact(conn, ACTIVE).await?.map(ModelId::new) else {
        return Ok(());
    };
    let by_it = |prints: &[Voiceprint]| prints.iter().any(|print| print.model == active);
    if clips.into_iter().all(by_it) {
        return Ok(());
    }
    Err(StoreError::ModelSwitched { active })
}

/// Whether all of these facts are written down as they are here.
async fn is_written(conn: &mut Tx, facts: &[(String, &str)]) -> Result<bool, StoreError> {
    for (fact, value) in facts {
        if read_text_fact(conn, fact).await?.as_deref() != Some(*value) {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn active(conn: &mut Tx) -> Result<Option<ModelId>, StoreError> {
    if let Some(model) = read_text_fact(conn, ACTIVE).await? {
        return Ok(Some(ModelId::new(model)));
    }
    let row: Option<(String,)> = query_as("SELECT model FROM prints ORDER BY id DESC LIMIT 1")
        .fetch_optional(conn)
        .await?;
    Ok(row.map(|(model,)| ModelId::new(model)))
}

async fn unheard(conn: &mut Tx, model: &ModelId) -> Result<Vec<UnheardClip>, StoreError> {
    let rows: Vec<(String, String, bool)> = query_as(
        "SELECT c.id, c.user_id, r.clip_id IS NOT NULL FROM clips c LEFT JOIN recordings r ON r.clip_id = c.id \
         WHERE NOT EXISTS (SELECT 1 FROM prints p WHERE p.clip_id = c.id AND p.model = $1) ORDER BY c.id",
    )
    .bind(model.as_str())
    .fetch_all(conn)
    .await?;
    rows.into_iter()
        .map(|(clip, user, kept)| {
            let user = read(&user, "user id")?;
            Ok(UnheardClip { clip, user, kept })
        })
        .collect()
}
