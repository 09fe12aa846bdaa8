//! Recordings that are kept so that a new model can hear them: only where the consent allows it.

use std::path::Path;

use zeroize::Zeroizing;

use super::StoreError;
use super::facts::{read_fact, write_fact};
use super::open::Store;
use super::sql::{Tx, query, query_as};
use super::vault::{self, AudioKey, KEY_BYTES, VaultFault};

/// The name of the audio key's fingerprint among the store's facts.
const FACT: &str = "audio_key_sha256";

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
        let row: Option<(Vec<u8>, Option<i64>)> =
            query_as("SELECT salt, channel FROM recordings WHERE clip_id = $1")
                .bind(clip)
                .fetch_optional(&mut tx)
                .await?;
        let Some((salt, channel)) = row else {
            return Ok(None);
        };
        let known = read_fact(&mut tx, FACT).await?;
        drop(tx);
        let clip = clip.to_owned();
        let bytes = self
            .in_vault(move |store| {
                let key = needed(store, known.as_deref())?;
                vault::open(store, &key, &salt, &clip)
            })
            .await?;
        Ok(Some(Recording {
            bytes,
            channel: channel.and_then(|channel| u16::try_from(channel).ok()),
        }))
    }

    /// Keeps the recording of a clip that is being stored in the transaction of `conn`.
    pub(super) async fn keep(
        &self,
        conn: &mut Tx,
        user: &str,
        clip: &str,
        recording: Recording,
    ) -> Result<(), StoreError> {
        let known = read_fact(conn, FACT).await?;
        let (count,): (i64,) = query_as("SELECT COUNT(*) FROM recordings")
            .fetch_one(&mut *conn)
            .await?;
        let mut salt = [0; KEY_BYTES];
        getrandom::fill(&mut salt).map_err(|_| StoreError::Interrupted)?;
        let (name, channel) = (clip.to_owned(), recording.channel);
        // Where several machines have the store, one that has no key does not make another.
        let theirs = self.is_shared() && known.is_some();
        let found = self
            .in_vault(move |store| {
                let key = match AudioKey::read(store)? {
                    None if count == 0 && !theirs => AudioKey::make(store)?,
                    _ if count == 0 && !theirs => needed(store, None)?,
                    _ => needed(store, known.as_deref())?,
                };
                let bytes = recording.bytes.to_vec();
                vault::seal(store, &key, &salt, &name, bytes)?;
                Ok(key.fingerprint())
            })
            .await?;
        write_fact(conn, FACT, &found).await?;
        query("INSERT INTO recordings (clip_id, user_id, salt, channel) VALUES ($1, $2, $3, $4)")
            .bind(clip)
            .bind(user)
            .bind(&salt[..])
            .bind(channel.map(i64::from))
            .execute(&mut *conn)
            .await?;
        Ok(())
    }

    /// Removes files that no row speaks of. A store that is busy is swept another time.
    pub(super) async fn sweep_recordings(&self) -> Result<(), StoreError> {
        if !vault::exists(self.path()) {
            return Ok(());
        }
        let mut tx = self.write().await?;
        let rows: Vec<(String,)> = query_as("SELECT clip_id FROM recordings")
            .fetch_all(&mut tx)
            .await?;
        let known: std::collections::HashSet<String> = rows.into_iter().map(|(clip,)| clip).collect();
        self.in_vault(move |store| {
            vault::sweep(store, |clip| known.contains(clip));
            Ok(())
        })
        .await?;
        tx.rollback().await?;
        Ok(())
    }

    /// Removes the files of erased recordings.
    pub(super) async fn unlink(&self, clips: Vec<String>) -> Result<(), StoreError> {
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

/// The key the recordings were sealed with, by its fingerprint where one is known.
fn needed(store: &Path, known: Option<&[u8]>) -> Result<AudioKey, VaultFault> {
    let path = vault::key_file(store);
    let Some(key) = AudioKey::read(store)? else {
        return Err(VaultFault::KeyMissing { path });
    };
    if known.is_some_and(|known| known != key.fingerprint()) {
        return Err(VaultFault::KeyReplaced { path });
    }
    Ok(key)
}
