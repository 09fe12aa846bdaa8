//! Sealing what a store of an older release holds in plain, when it is first opened.
//!
//! Keys first, in a transaction of their own; then every row in one transaction with the note that it is done, so that a
//! crash leaves the store as it was or as it is to be. Then the file is written anew, for pages may hold remains of what
//! moved between them; a crash before that is made good when the store is next opened.

use crate::store::calls::sealed_verdicts;
use crate::store::database::{Pool, Tx, query, read_fact, write_fact};
use crate::store::keys::{
    UserKeys, Whose, add_scope, ensure_user_keys, is_buried, raise_epoch, users_without_keys,
};
use crate::store::people::{names, phones};
use crate::store::secrets::{AUDIO, AudioKey, DataKey, vault};
use crate::store::voices::{prints, recordings};
use crate::store::{Store, StoreError, files};

/// The fact that says how much is sealed: a step a byte.
const SEALED: &str = "sealed";
/// The fact that says whether the database's pages may still hold what was plain.
const PLAIN_PAGES: &str = "plain_pages";
/// The steps there are: 1, voiceprints and the salts of recordings; 2, names and phones; 3, what
/// was said of calls.
const STEPS: u8 = 3;
/// The tables of PostgreSQL that held something plain.
const WRITTEN_ANEW: [&str; 6] = [
    "VACUUM (FULL) prints",
    "VACUUM (FULL) recordings",
    "VACUUM (FULL) users",
    "VACUUM (FULL) calls",
    "VACUUM (FULL) verdicts",
    "VACUUM (FULL) webhooks",
];

impl Store {
    /// Seals what is not sealed yet. Nothing is written where there is nothing to do.
    ///
    /// # Errors
    /// [`StoreError`]; the store is as it was then.
    pub(in crate::store) async fn carry_over(&self) -> Result<(), StoreError> {
        self.adopt_audio_key().await?;
        let mut tx = self.read().await?;
        let sealed = steps_done(&mut tx).await?;
        drop(tx);
        if sealed < STEPS {
            self.make_missing_keys().await?;
            self.seal_rows().await?;
        }
        let mut tx = self.read().await?;
        let plain = read_fact(&mut tx, PLAIN_PAGES).await?;
        drop(tx);
        if plain.is_some_and(|value| value == [1]) {
            self.clean_pages().await;
        }
        Ok(())
    }

    /// Makes the keys of users who have none.
    async fn make_missing_keys(&self) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        for user in users_without_keys(&mut tx).await? {
            // Who was erased, and came back with an old copy of the data, goes again in a moment.
            if !is_buried(&mut tx, &user).await? {
                ensure_user_keys(&mut tx, &user).await?;
            }
        }
        Ok(tx.commit().await?)
    }

    async fn seal_rows(&self) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let done = steps_done(&mut tx).await?;
        if done >= STEPS {
            return Ok(());
        }
        let keys = UserKeys::read(&mut tx, Whose::All).await?;
        let mut rows = 0;
        if done < 1 {
            rows += prints::seal_prints(&mut tx, &keys).await?;
            rows += recordings::seal_salts(&mut tx, &keys).await?;
        }
        if done < 2 {
            rows += names::seal_names(&mut tx, &keys).await?;
            rows += phones::seal_phones(&mut tx, &keys).await?;
        }
        if done < 3 {
            rows += sealed_verdicts::seal_calls(&mut tx).await?;
            sealed_verdicts::forget_answers(&mut tx).await?;
        }
        write_fact(&mut tx, SEALED, &[STEPS]).await?;
        if rows > 0 {
            write_fact(&mut tx, PLAIN_PAGES, &[1]).await?;
        }
        tx.commit().await?;
        if rows > 0 {
            tracing::info!(rows, "what an older release stored in plain is encrypted now");
        }
        Ok(())
    }

    /// Writes the database's files anew, without what was there before. Who reads meanwhile can stand in the way: then it
    /// is done when the store is next opened.
    async fn clean_pages(&self) {
        let done = async {
            match self.writers() {
                Pool::Sqlite(_) => {
                    query("VACUUM main").execute(self.writers()).await?;
                }
                // Straight to the server: it takes longer than an answer is waited for elsewhere.
                Pool::Postgres(pool) => {
                    for statement in WRITTEN_ANEW {
                        sqlx::query(statement).execute(pool).await?;
                    }
                }
            }
            if !self.is_shared() && !self.overwrite().await {
                return Err(StoreError::Busy);
            }
            let mut tx = self.write().await?;
            write_fact(&mut tx, PLAIN_PAGES, &[0]).await?;
            Ok::<_, StoreError>(tx.commit().await?)
        };
        if let Err(error) = done.await {
            tracing::warn!(%error, "rows are encrypted, but the files may hold older pages: they go when the store is next opened");
        }
    }

    /// Takes the audio key of an older release into the keyring, and its file away.
    async fn adopt_audio_key(&self) -> Result<(), StoreError> {
        let path = vault::key_file(self.path());
        let file = tokio::task::spawn_blocking(move || files::read_key(&path)).await;
        let Some(key) = file.map_err(|_| StoreError::Interrupted)?.unwrap_or_default() else {
            return Ok(());
        };
        let key = AudioKey::from_bytes(*key);
        let mut tx = self.write().await?;
        let keys = tx.keys().await?;
        let known = read_fact(&mut tx, recordings::FACT).await?;
        if known.as_deref() != Some(&key.fingerprint()[..]) {
            // Another key than the recordings were sealed with: not ours to take away.
            return Ok(());
        }
        if keys.of(AUDIO, recordings::OLD_AUDIO).is_none() {
            let bytes = DataKey::from_bytes(key.as_bytes()).ok_or(StoreError::Interrupted)?;
            add_scope(&mut tx, &keys.wrapping, AUDIO, recordings::OLD_AUDIO, &bytes).await?;
            raise_epoch(&mut tx).await?;
            tx.commit().await?;
        }
        let path = self.path().to_owned();
        let gone = tokio::task::spawn_blocking(move || vault::remove_key(&path)).await;
        Ok(gone.map_err(|_| StoreError::Interrupted)??)
    }
}

async fn steps_done(conn: &mut Tx) -> Result<u8, StoreError> {
    let value = read_fact(conn, SEALED).await?;
    Ok(value.and_then(|value| value.first().copied()).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{NewClip, NewEnrolment, NewUser, Recording};
    use crate::units::Seconds;
    use crate::voiceprint::{Bandwidth, Embedding, ModelId, Voiceprint};

    /// An enrolment of somebody new whose recording is kept; gives the clip.
    async fn kept(store: &Store) -> String {
        let number = "+12025550102".parse().unwrap();
        store.add_number(&number, None, None).await.unwrap();
        let new = NewUser {
            name: "Ana".into(),
            number,
            phones: vec![],
            pin: None,
            exclusive: false,
        };
        let clip = NewClip {
            content_sha256: [1; 32],
            net_speech: Seconds::new(4.5),
            snr_db: None,
            source: "wav".into(),
            prints: vec![Voiceprint {
                embedding: Embedding::from_direction(vec![3.0, 4.0]).unwrap(),
                model: ModelId::new("test"),
                bandwidth: Bandwidth::Wide,
                net_speech: Seconds::new(4.5),
            }],
            fingerprint: None,
        };
        let enrolment = NewEnrolment {
            user: store.add_user(new).await.unwrap().id,
            consent: "Yes".into(),
            consent_version: None,
            invite: None,
            clips: vec![clip],
        };
        let recording = Recording {
            bytes: b"a voice".to_vec().into(),
            channel: None,
        };
        store
            .add_enrolment_keeping(enrolment, vec![recording])
            .await
            .unwrap();
        let other = ModelId::new("other");
        store.unheard_clips(&other).await.unwrap().remove(0).clip
    }

    #[tokio::test]
    async fn the_audio_key_of_an_older_release_goes_into_the_keyring() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("voxline.db");
        let store = Store::open(&path).await.unwrap();
        let clip = kept(&store).await;
        let (key, salt) = ([9; vault::KEY_BYTES], [3; vault::KEY_BYTES]);
        std::fs::write(vault::key_file(&path), key).unwrap();
        let key = AudioKey::from_bytes(key);
        vault::seal(&path, &key, &salt, &clip, b"the voice of Ana".to_vec()).unwrap();
        let mut tx = store.write().await.unwrap();
        write_fact(&mut tx, recordings::FACT, &key.fingerprint())
            .await
            .unwrap();
        write_fact(&mut tx, SEALED, &[0]).await.unwrap();
        for statement in [
            "DELETE FROM prints",
            "CREATE TABLE plain_phones (user_id TEXT, phone TEXT, position BIGINT)",
        ] {
            query(statement).execute(&mut tx).await.unwrap();
        }
        let plain = query("UPDATE recordings SET salt = $1").bind(&salt[..]);
        plain.execute(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        store.close().await;

        let store = Store::open(&path).await.unwrap();
        assert!(!vault::key_file(&path).exists());
        let read = store.recording(&clip).await.unwrap().unwrap();
        assert_eq!(read.bytes.as_slice(), b"the voice of Ana");
    }
}
