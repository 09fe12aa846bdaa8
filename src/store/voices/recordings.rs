//! Recordings that are kept so that a new model can hear them: only where the consent allows it.

use std::collections::HashSet;
use std::path::Path;

use zeroize::Zeroizing;

use crate::store::database::{Tx, query, query_as, read_text_fact, write_fact};
use crate::store::keys::{Purpose, UserKeys, Whose};
use crate::store::secrets::vault::{self, KEY_BYTES};
use crate::store::secrets::{AUDIO, AudioKey, Generation, Keys, Place};
use crate::store::{Store, StoreError, VaultFault};
use crate::units::hex;

/// The name among the store's facts of the fingerprint of the audio key that older releases had in a file.
pub(in crate::store) const FACT: &str = "audio_key_sha256";

/// The name among the store's facts of the id by which a folder of recordings is known to be its own.
const STORE_ID: &str = "store_id";

/// The generation that the audio key of an older release has.
pub(in crate::store) const OLD_AUDIO: u32 = 0;

/// A recording to keep, or one that was kept.
pub struct Recording {
    /// The file as it came: its own format, its own rate.
    pub bytes: Zeroizing<Vec<u8>>,
    /// Which of two channels holds the user.
    pub channel: Option<u16>,
}

impl Store {
    /// The recording of a clip; `None` when it was not kept, or the clip is gone.
    ///
    /// # Errors
    /// [`StoreError::Vault`] when it was kept and cannot be read.
    pub async fn recording(&self, clip: &str) -> Result<Option<Recording>, StoreError> {
        let mut tx = self.read().await?;
        let row: Option<(String, Vec<u8>, Option<i64>)> =
            query_as("SELECT user_id, salt, channel FROM recordings WHERE clip_id = $1")
                .bind(clip)
                .fetch_optional(&mut tx)
                .await?;
        let Some((user, sealed, channel)) = row else {
            return Ok(None);
        };
        let keys = tx.keys().await?;
        let of_user = UserKeys::read(&mut tx, Whose::User(&user)).await?;
        drop(tx);
        let Some(salt) = of_user.open(&user, Purpose::Voice, salt_place(clip), &sealed, "salt")? else {
            return Ok(None);
        };
        let (salt, generation) = Salt::read(&salt)?;
        let key = audio_key(&keys, generation).ok_or_else(|| no_key(self.path()))?;
        let clip = clip.to_owned();
        let bytes = self
            .in_vault(move |store| vault::open(store, &key, &salt, &clip))
            .await?;
        Ok(Some(Recording {
            bytes,
            channel: channel.and_then(|channel| u16::try_from(channel).ok()),
        }))
    }

    /// Keeps the recording of a clip that is being stored in the transaction of `conn`.
    pub(in crate::store) async fn keep(
        &self,
        conn: &mut Tx,
        user: &str,
        clip: &str,
        recording: Recording,
    ) -> Result<(), StoreError> {
        let keys = conn.keys().await?;
        let (generation, _) = keys.newest(AUDIO)?;
        let key = audio_key(&keys, generation).ok_or_else(|| no_key(self.path()))?;
        let mut salt = [0; KEY_BYTES];
        getrandom::fill(&mut salt).map_err(|_| StoreError::Interrupted)?;
        let of_user = UserKeys::read(conn, Whose::User(user)).await?;
        let sealed = of_user.seal(
            user,
            Purpose::Voice,
            salt_place(clip),
            &Salt::stored(&salt, generation),
        )?;
        let (name, channel) = (clip.to_owned(), recording.channel);
        let id = store_id(conn).await?;
        let row: Option<(bool,)> = query_as("SELECT TRUE FROM recordings LIMIT 1")
            .fetch_optional(&mut *conn)
            .await?;
        self.in_vault(move |store| {
            vault::add_owner(store, &id, row.is_some())?;
            vault::seal(store, &key, &salt, &name, recording.bytes.to_vec())
        })
        .await?;
        query("INSERT INTO recordings (clip_id, user_id, salt, channel) VALUES ($1, $2, $3, $4)")
            .bind(clip)
            .bind(user)
            .bind(sealed)
            .bind(channel.map(i64::from))
            .execute(&mut *conn)
            .await?;
        Ok(())
    }

    /// Removes files that no row speaks of. A store that is busy is swept another time.
    ///
    /// A database that was put beside recordings of another one, as an empty one in its place, knows none of them: those of
    /// another store stay. An older release noted no owner; whoever has rows of recordings is it.
    pub(in crate::store) async fn sweep_recordings(&self) -> Result<(), StoreError> {
        if !vault::exists(self.path()) && has_id(&mut self.read().await?).await? {
            return Ok(());
        }
        let mut tx = self.write().await?;
        let own = vec![store_id(&mut tx).await?];
        let rows: Vec<(String,)> = query_as("SELECT clip_id FROM recordings")
            .fetch_all(&mut tx)
            .await?;
        let known: HashSet<String> = rows.into_iter().map(|(clip,)| clip).collect();
        let remedy = if known.is_empty() {
            "where they do and nobody needs the recordings, remove the folder recordings"
        } else {
            "where they do, remove recordings/store-id alone: what this store does not know goes when it is next opened"
        };
        let left = self
            .in_vault(move |store| {
                match vault::owners(store)? {
                    Some(owners) if owners == own => {}
                    None if !known.is_empty() => vault::set_owners(store, &own)?,
                    _ => return Ok(vault::strange(store, |clip| known.contains(clip)).len()),
                }
                vault::sweep(store, |clip| known.contains(clip));
                Ok(0)
            })
            .await?;
        tx.commit().await?;
        if left > 0 {
            tracing::warn!(
                left,
                "kept recordings that this store does not know were left alone, for they may be another's: check that \
                 store.url and the data folder name the right ones; {remedy}"
            );
        }
        Ok(())
    }

    /// Removes the files of erased recordings.
    pub(in crate::store) async fn unlink(&self, clips: Vec<String>) -> Result<(), StoreError> {
        self.in_vault(move |store| {
            vault::remove(store, &clips);
            Ok(())
        })
        .await
    }

    async fn in_vault<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Path) -> Result<T, VaultFault> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.path().to_owned();
        let done = tokio::task::spawn_blocking(move || work(&store)).await;
        Ok(done.map_err(|_| StoreError::Interrupted)??)
    }
}

/// The id of this store's data, made when it has none.
async fn store_id(conn: &mut Tx) -> Result<String, StoreError> {
    if let Some(id) = read_text_fact(conn, STORE_ID).await? {
        return Ok(id);
    }
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| StoreError::Interrupted)?;
    let id = hex(&bytes);
    write_fact(conn, STORE_ID, id.as_bytes()).await?;
    Ok(id)
}

async fn has_id(conn: &mut Tx) -> Result<bool, StoreError> {
    Ok(read_text_fact(conn, STORE_ID).await?.is_some())
}

/// Seals the salts of an older release; gives how many.
pub(in crate::store) async fn seal_salts(conn: &mut Tx, keys: &UserKeys) -> Result<u64, StoreError> {
    let rows: Vec<(String, String, Vec<u8>)> = query_as("SELECT clip_id, user_id, salt FROM recordings")
        .fetch_all(&mut *conn)
        .await?;
    let mut done = 0;
    for (clip, user, salt) in rows {
        let known = <[u8; KEY_BYTES]>::try_from(salt.as_slice());
        let (Ok(salt), true) = (known, keys.has(&user)) else {
            continue;
        };
        query("UPDATE recordings SET salt = $2 WHERE clip_id = $1")
            .bind(&clip)
            .bind(keys.seal(
                &user,
                Purpose::Voice,
                salt_place(&clip),
                &Salt::stored(&salt, OLD_AUDIO),
            )?)
            .execute(&mut *conn)
            .await?;
        done += 1;
    }
    Ok(done)
}

/// A recording's salt, and after it the generation of the audio key: what is sealed in its row.
struct Salt;

impl Salt {
    fn stored(salt: &[u8; KEY_BYTES], generation: Generation) -> Vec<u8> {
        [&salt[..], &generation.to_le_bytes()].concat()
    }

    fn read(stored: &[u8]) -> Result<([u8; KEY_BYTES], Generation), StoreError> {
        let parts = stored.split_first_chunk::<KEY_BYTES>();
        let read =
            parts.and_then(|(salt, rest)| Some((*salt, Generation::from_le_bytes(rest.try_into().ok()?))));
        read.ok_or(StoreError::Unreadable { what: "salt" })
    }
}

/// Where the salt of a recording stands.
pub(in crate::store) fn salt_place(clip: &str) -> Place<'_> {
    Place::of("recordings", "salt", clip)
}

fn audio_key(keys: &Keys, generation: Generation) -> Option<AudioKey> {
    let key = keys.of(AUDIO, generation)?;
    Some(AudioKey::from_bytes(*key.as_bytes()))
}

/// Only the key that an older release had in a file can be missing: it was not taken into the keyring.
fn no_key(store: &Path) -> VaultFault {
    let path = vault::key_file(store);
    if path.exists() {
        VaultFault::KeyReplaced { path }
    } else {
        VaultFault::KeyMissing { path }
    }
}
