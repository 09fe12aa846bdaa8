//! The users' own keys, each wrapped by the master key: what is a person's is sealed by theirs, and goes with it.

use std::collections::HashMap;

use zeroize::Zeroizing;

use super::keyring_rows::read_generation;
use crate::store::database::{Tx, each, query, query_as};
use crate::store::secrets::{DataKey, Generation, Place, generation_of, unwrap, wrap};
use crate::store::{Store, StoreError};
use crate::units::{UserId, words};

impl Store {
    /// Commits keys for users who are to be added: in SQLite before them, for a transaction over its two files may be
    /// cut in half. PostgreSQL's hold: there a user's key comes with the user.
    pub(in crate::store) async fn make_user_keys(&self, users: &[UserId]) -> Result<(), StoreError> {
        if self.is_shared() {
            return Ok(());
        }
        let mut tx = self.write().await?;
        for user in users {
            ensure_user_keys(&mut tx, &user.to_string()).await?;
        }
        Ok(tx.commit().await?)
    }

    /// Takes keys away again whose users did not come to be. One that stays is a random number that seals nothing.
    pub(in crate::store) async fn drop_unused_keys(&self, users: &[UserId]) {
        let done = async {
            let mut tx = self.write().await?;
            for user in users {
                query(
                    "DELETE FROM keyring_users WHERE user_id = $1 AND NOT EXISTS (SELECT 1 FROM users WHERE id = $1)",
                )
                .bind(user.to_string())
                .execute(&mut tx)
                .await?;
            }
            Ok::<_, StoreError>(tx.commit().await?)
        };
        if let Err(error) = done.await {
            tracing::debug!(%error, "keys of users who were not added are left");
        }
    }
}

words! {
    /// What a user's key seals, as the keyring writes it.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(in crate::store) enum Purpose {
        /// Who they are: name and telephone numbers.
        Person = "person",
        /// How they sound: voiceprints, fingerprints, and the salts of kept recordings. Renewed when some of it is erased.
        Voice = "voice",
    }
}

impl Purpose {
    fn read(text: &str) -> Result<Self, StoreError> {
        let found = Self::ALL.into_iter().find(|purpose| purpose.name() == text);
        found.ok_or(StoreError::Unreadable {
            what: "key's purpose",
        })
    }
}

/// What a user's key is wrapped as.
pub(in crate::store) fn name_of(user: &str, purpose: &str) -> String {
    format!("{user} {purpose}")
}

/// Makes a user's first keys unless there are some.
pub(in crate::store) async fn ensure_user_keys(conn: &mut Tx, user: &str) -> Result<(), StoreError> {
    let row: Option<(i64,)> = query_as("SELECT generation FROM keyring_users WHERE user_id = $1 LIMIT 1")
        .bind(user)
        .fetch_optional(&mut *conn)
        .await?;
    if row.is_none() {
        for purpose in Purpose::ALL {
            add_user_key(conn, user, purpose, 1).await?;
        }
    }
    Ok(())
}

/// Makes a key of a user.
pub(in crate::store) async fn add_user_key(
    conn: &mut Tx,
    user: &str,
    purpose: Purpose,
    generation: Generation,
) -> Result<(), StoreError> {
    let keys = conn.keys().await?;
    let name = name_of(user, purpose.name());
    query("INSERT INTO keyring_users (user_id, purpose, generation, wrapped) VALUES ($1, $2, $3, $4)")
        .bind(user)
        .bind(purpose.name())
        .bind(i64::from(generation))
        .bind(wrap(&keys.wrapping, &name, generation, &DataKey::fresh()?)?)
        .execute(conn)
        .await?;
    Ok(())
}

struct UserKey {
    purpose: Purpose,
    generation: Generation,
    key: DataKey,
}

/// Keys of users, opened.
pub(in crate::store) struct UserKeys(HashMap<String, Vec<UserKey>>);

/// Whose keys are read.
#[derive(Clone, Copy)]
pub(in crate::store) enum Whose<'a> {
    /// Those of the user with this id.
    User(&'a str),
    /// Those of the users with these ids.
    Users(&'a [String]),
    /// Those of everybody on a dialed number.
    Number(&'a str),
    /// Those of every user.
    All,
}

/// The statement that reads keys, with whose.
macro_rules! keys_of {
    ($whose:literal) => {
        concat!(
            "SELECT user_id, purpose, generation, wrapped FROM keyring_users WHERE wrapped IS NOT NULL AND user_id ",
            $whose
        )
    };
}

impl UserKeys {
    /// Reads them.
    ///
    /// # Errors
    /// [`StoreError::Master`], [`StoreError::Keyring`].
    pub async fn read(conn: &mut Tx, whose: Whose<'_>) -> Result<Self, StoreError> {
        let keys = conn.keys().await?;
        let one = |statement, parameter: &str| (each(statement, statement), parameter.to_owned());
        let (statement, parameter) = match whose {
            Whose::User(user) => one(keys_of!("= $1"), user),
            Whose::Users(users) => (
                each(
                    keys_of!("IN (SELECT value FROM json_each($1))"),
                    keys_of!("IN (SELECT json_array_elements_text(CAST($1 AS json)))"),
                ),
                serde_json::to_string(users).map_err(|_| StoreError::Unreadable { what: "user id" })?,
            ),
            Whose::Number(number) => one(
                keys_of!("IN (SELECT user_id FROM memberships WHERE number = $1)"),
                number,
            ),
            Whose::All => one(keys_of!("<> $1"), ""),
        };
        let rows: Vec<(String, String, i64, Vec<u8>)> =
            query_as(statement).bind(parameter).fetch_all(&mut *conn).await?;
        let mut all: HashMap<String, Vec<UserKey>> = HashMap::with_capacity(rows.len() / Purpose::ALL.len());
        for (user, purpose, generation, wrapped) in rows {
            let generation = read_generation(generation)?;
            let name = name_of(&user, &purpose);
            let key = unwrap(&keys.wrapping, &name, generation, &wrapped);
            all.entry(user).or_default().push(UserKey {
                purpose: Purpose::read(&purpose)?,
                generation,
                key: key.ok_or_else(|| conn.keyring.damaged())?,
            });
        }
        Ok(Self(all))
    }

    /// Whether a user has keys: who is erased has none.
    pub fn has(&self, user: &str) -> bool {
        self.0.contains_key(user)
    }

    /// The generation of a user's newest key.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when they have none.
    pub fn generation(&self, user: &str, purpose: Purpose) -> Result<Generation, StoreError> {
        Ok(self.newest(user, purpose)?.generation)
    }

    fn newest(&self, user: &str, purpose: Purpose) -> Result<&UserKey, StoreError> {
        let keys = self.0.get(user).into_iter().flatten();
        let newest = keys
            .filter(|key| key.purpose == purpose)
            .max_by_key(|key| key.generation);
        newest.ok_or(StoreError::Unreadable { what: "key" })
    }

    /// Seals a value of a user's with their newest key.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] when they have none.
    pub fn seal(
        &self,
        user: &str,
        purpose: Purpose,
        place: Place<'_>,
        plain: &[u8],
    ) -> Result<Vec<u8>, StoreError> {
        let UserKey { generation, key, .. } = self.newest(user, purpose)?;
        key.seal(*generation, place, plain)
    }

    /// Opens a value of a user's; `None` of one whose key is destroyed: it was erased, or is being erased.
    ///
    /// # Errors
    /// [`StoreError::Unreadable`] with `what` when it does not open, or its key is a later one than any that is here: the
    /// keyring is older than the data.
    pub fn open(
        &self,
        user: &str,
        purpose: Purpose,
        place: Place<'_>,
        sealed: &[u8],
        what: &'static str,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, StoreError> {
        let unreadable = StoreError::Unreadable { what };
        let Some(generation) = generation_of(sealed) else {
            return Err(unreadable);
        };
        let known = self.0.get(user).map(Vec::as_slice).unwrap_or_default();
        let for_it = || known.iter().filter(|key| key.purpose == purpose);
        match for_it().find(|key| key.generation == generation) {
            Some(UserKey { key, .. }) => key.open(place, sealed).map(Some).ok_or(unreadable),
            None if !known.is_empty() && for_it().all(|key| key.generation < generation) => Err(unreadable),
            None => Ok(None),
        }
    }
}
