//! API keys: made, listed, revoked, and looked up by their hash.

use std::collections::BTreeSet;

use serde::Serialize;
use time::OffsetDateTime;

use super::StoreError;
use super::erased::{ErasedId, note};
use super::open::Store;
use super::sql::{query, query_as};
use super::token::{Scope, Token};
use super::values::{label, now, read, read_time, time_text};
use crate::units::KeyId;

/// A key as it is listed: never the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeyInfo {
    /// By which it is revoked.
    pub id: KeyId,
    /// What its owner called it.
    pub name: Option<String>,
    /// What it may do.
    pub scopes: BTreeSet<Scope>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
    /// When it stopped working, if it has.
    #[serde(with = "time::serde::rfc3339::option")]
    pub revoked_at: Option<OffsetDateTime>,
    /// The last four characters of the token.
    pub last4: String,
}

/// What a request with a good token may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyGrant {
    /// The key.
    pub id: KeyId,
    /// Its scopes.
    pub scopes: BTreeSet<Scope>,
}

impl KeyGrant {
    /// Whether the key may do what `scope` stands for; `admin` may do everything.
    pub fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope) || self.scopes.contains(&Scope::Admin)
    }
}

impl Store {
    /// Makes a key and gives its token, which cannot be read back later.
    ///
    /// # Errors
    /// [`StoreError::NoScope`] without scopes, [`StoreError::BadText`] for the name.
    pub async fn create_key(
        &self,
        scopes: &BTreeSet<Scope>,
        name: Option<&str>,
    ) -> Result<(Token, KeyInfo), StoreError> {
        if scopes.is_empty() {
            return Err(StoreError::NoScope);
        }
        let name = name
            .map(|name| label(name, "key's name", 200, "1 to 200 visible characters"))
            .transpose()?;
        let token = Token::fresh().ok_or(StoreError::Interrupted)?;
        let info = KeyInfo {
            id: KeyId::fresh(),
            name,
            scopes: scopes.clone(),
            created_at: now(),
            revoked_at: None,
            last4: token.last4(),
        };
        query(
            "INSERT INTO api_keys (id, name, scopes, sha256, last4, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
        )
        .bind(info.id.to_string())
        .bind(&info.name)
        .bind(scopes_text(scopes))
        .bind(&token.sha256()[..])
        .bind(&info.last4)
        .bind(time_text(info.created_at))
        .execute(self.writers())
        .await?;
        Ok((token, info))
    }

    /// All keys, revoked ones too, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn keys(&self) -> Result<Vec<KeyInfo>, StoreError> {
        type Row = (String, Option<String>, String, String, Option<String>, String);
        let rows: Vec<Row> = query_as(
            "SELECT id, name, scopes, created_at, revoked_at, last4 FROM api_keys ORDER BY created_at, id",
        )
        .fetch_all(self.pool())
        .await?;
        rows.into_iter()
            .map(|(id, name, scopes, created_at, revoked_at, last4)| {
                Ok(KeyInfo {
                    id: read(&id, "key id")?,
                    name,
                    scopes: read_scopes(&scopes)?,
                    created_at: read_time(&created_at)?,
                    revoked_at: revoked_at.as_deref().map(read_time).transpose()?,
                    last4,
                })
            })
            .collect()
    }

    /// Stops a key from working. Revoking one twice keeps the first time.
    ///
    /// # Errors
    /// [`StoreError::UnknownKey`].
    pub async fn revoke_key(&self, id: KeyId) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let done = query("UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $2) WHERE id = $1")
            .bind(id.to_string())
            .bind(time_text(now()))
            .execute(&mut tx)
            .await?;
        if done == 0 {
            return Err(StoreError::UnknownKey(id));
        }
        note(&mut tx, ErasedId::Key(id)).await?;
        tx.commit().await?;
        self.write_erased_list().await;
        Ok(())
    }

    /// What the holder of `token` may do; `None` when it is no key's, or a revoked one's.
    ///
    /// The token is looked up by its SHA-256: how long the search takes tells nothing about a secret of
    /// 256 random bits.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn key_for(&self, token: &Token) -> Result<Option<KeyGrant>, StoreError> {
        if !token.is_well_formed() {
            return Ok(None);
        }
        let row: Option<(String, String)> =
            query_as("SELECT id, scopes FROM api_keys WHERE sha256 = $1 AND revoked_at IS NULL")
                .bind(&token.sha256()[..])
                .fetch_optional(self.pool())
                .await?;
        row.map(|(id, scopes)| {
            Ok(KeyGrant {
                id: read(&id, "key id")?,
                scopes: read_scopes(&scopes)?,
            })
        })
        .transpose()
    }

    /// What a key may do, by its id; `None` when there is no such key, or it was revoked.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn grant(&self, id: KeyId) -> Result<Option<KeyGrant>, StoreError> {
        let row: Option<(String,)> =
            query_as("SELECT scopes FROM api_keys WHERE id = $1 AND revoked_at IS NULL")
                .bind(id.to_string())
                .fetch_optional(self.pool())
                .await?;
        let grant = |(scopes,): (String,)| {
            Ok(KeyGrant {
                id,
                scopes: read_scopes(&scopes)?,
            })
        };
        row.map(grant).transpose()
    }
}

fn scopes_text(scopes: &BTreeSet<Scope>) -> String {
    scopes
        .iter()
        .map(|scope| scope.as_str())
        .collect::<Vec<_>>()
        .join(",")
}

fn read_scopes(text: &str) -> Result<BTreeSet<Scope>, StoreError> {
    text.split(',').map(|scope| read(scope, "scope")).collect()
}
