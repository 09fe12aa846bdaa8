//! API keys: made, listed, revoked, and looked up by their hash.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Serialize;
use serde_json::json;
use time::{Duration, OffsetDateTime};
use utoipa::ToSchema;

use super::access::Access;
use super::tenants::require_tenant;
use crate::store::audit::{Act, NewAudit, append};
use crate::store::database::{Tx, query, query_as};
use crate::store::erased::{ErasedId, note};
use crate::store::values::{kept_name, now, read, read_time, time_text};
use crate::store::{Scope, Store, StoreError, Token};
use crate::units::{DialedNumber, KeyId, TenantId};

/// A key as it is listed: never the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct KeyInfo {
    /// By which it is revoked.
    #[schema(value_type = String, format = "uuid")]
    pub id: KeyId,
    /// Whose it is, by the tenant's name.
    pub tenant: String,
    /// What its owner called it.
    pub name: Option<String>,
    /// What it may do.
    #[schema(value_type = Vec<String>, example = json!(["identify"]))]
    pub scopes: BTreeSet<Scope>,
    /// The numbers it is for; null for all of its tenant's.
    #[schema(value_type = Option<Vec<String>>)]
    pub numbers: Option<Vec<DialedNumber>>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: OffsetDateTime,
    /// When it last let somebody in, to the minute; null for never.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used_at: Option<OffsetDateTime>,
    /// When it stopped working, if it has.
    #[serde(with = "time::serde::rfc3339::option")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<OffsetDateTime>,
    /// The last four characters of the token.
    pub last4: String,
}

type Row = (
    String,
    String,
    Option<String>,
    String,
    bool,
    String,
    Option<String>,
    Option<String>,
    String,
);
/// Id, tenant, scopes, whether it is narrowed, and its last use.
type AccessRow = (String, String, String, bool, Option<String>);

/// A key to make.
#[derive(Debug, Clone)]
pub struct NewKey {
    /// Whose it is.
    pub tenant: TenantId,
    /// What it may do; at least one.
    pub scopes: BTreeSet<Scope>,
    /// The numbers of the tenant that it is for; `None` for all, those that come later too.
    pub numbers: Option<BTreeSet<DialedNumber>>,
    /// 1 to 200 visible characters.
    pub name: Option<String>,
}

/// How exactly the last use of a key is told: it is written at most once in so long.
const USED_WITHIN: Duration = Duration::MINUTE;

impl Store {
    /// Makes a key and gives its token, which cannot be read back later.
    ///
    /// # Errors
    /// [`StoreError::NoScope`] without scopes, [`StoreError::BadText`] for the name, [`StoreError::UnknownTenant`],
    /// [`StoreError::UnknownNumber`] for a number that is not the tenant's.
    pub async fn create_key(&self, new: NewKey) -> Result<(Token, KeyInfo), StoreError> {
        if new.scopes.is_empty() {
            return Err(StoreError::NoScope);
        }
        let name = new.name.as_deref();
        let name = name
            .map(|name| kept_name(name, "key's name", 200, "1 to 200 visible characters"))
            .transpose()?;
        let token = Token::fresh().ok_or(StoreError::Interrupted)?;
        let mut tx = self.write().await?;
        let info = KeyInfo {
            id: KeyId::fresh(),
            tenant: require_tenant(&mut tx, new.tenant).await?,
            name,
            scopes: new.scopes,
            numbers: new.numbers.map(|numbers| numbers.into_iter().collect()),
            created_at: now(),
            last_used_at: None,
            revoked_at: None,
            last4: token.last4(),
        };
        query(
            "INSERT INTO api_keys (id, name, scopes, sha256, last4, created_at, tenant_id, narrowed) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
        )
        .bind(info.id.to_string())
        .bind(&info.name)
        .bind(scopes_text(&info.scopes))
        .bind(&token.sha256()[..])
        .bind(&info.last4)
        .bind(time_text(info.created_at))
        .bind(new.tenant.to_string())
        .bind(info.numbers.is_some())
        .execute(&mut tx)
        .await?;
        for number in info.numbers.iter().flatten() {
            narrow(&mut tx, info.id, new.tenant, number).await?;
        }
        let made = NewAudit::new(Act::KeyCreate).object(info.id);
        append(
            &mut tx,
            &made.detail(json!({ "scopes": info.scopes, "narrowed": info.numbers.is_some() })),
        )
        .await?;
        tx.commit().await?;
        Ok((token, info))
    }

    /// All keys of all tenants, revoked ones too, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn keys(&self) -> Result<Vec<KeyInfo>, StoreError> {
        self.keys_of(None).await
    }

    /// The keys of the tenant that `access` is of, revoked ones too, oldest first; of a narrowed access those that are
    /// for numbers of its own alone.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn seen_keys(&self, access: &Access) -> Result<Vec<KeyInfo>, StoreError> {
        let keys = self.keys_of(Some(access.tenant_text())).await?.into_iter();
        let is_seen = |key: &KeyInfo| match &key.numbers {
            None => access.narrowed_to().is_none(),
            Some(numbers) => numbers.iter().all(|number| access.covers(number)),
        };
        Ok(keys.filter(is_seen).collect())
    }

    async fn keys_of(&self, tenant: Option<String>) -> Result<Vec<KeyInfo>, StoreError> {
        let mut tx = self.read().await?;
        let rows: Vec<Row> = query_as(
            "SELECT k.id, t.name, k.name, k.scopes, k.narrowed, k.created_at, k.last_used_at, k.revoked_at, k.last4 \
             FROM api_keys k JOIN tenants t ON t.id = k.tenant_id WHERE $1 IS NULL OR k.tenant_id = $1 \
             ORDER BY k.created_at, k.id",
        )
        .bind(&tenant)
        .fetch_all(&mut tx)
        .await?;
        let mut keys = Vec::with_capacity(rows.len());
        for (id, tenant, name, scopes, narrowed, created_at, last_used_at, revoked_at, last4) in rows {
            let id = read(&id, "key id")?;
            keys.push(KeyInfo {
                id,
                tenant,
                name,
                scopes: read_scopes(&scopes)?,
                numbers: if narrowed {
                    Some(numbers_of(&mut tx, id).await?.into_iter().collect())
                } else {
                    None
                },
                created_at: read_time(&created_at)?,
                last_used_at: last_used_at.as_deref().map(read_time).transpose()?,
                revoked_at: revoked_at.as_deref().map(read_time).transpose()?,
                last4,
            });
        }
        Ok(keys)
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
        append(&mut tx, &NewAudit::new(Act::KeyRevoke).object(id)).await?;
        note(&mut tx, ErasedId::Key(id)).await?;
        tx.commit().await?;
        self.write_erased_list().await;
        Ok(())
    }

    /// What the holder of `token` may see and do; `None` when it is no key's, or a revoked one's. That the key was used
    /// is noted, at most once a minute.
    ///
    /// The token is looked up by its SHA-256: how long the search takes tells nothing about a secret of
    /// 256 random bits.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn key_for(&self, token: &Token) -> Result<Option<Access>, StoreError> {
        if !token.is_well_formed() {
            return Ok(None);
        }
        let row: Option<AccessRow> = query_as(
            "SELECT id, tenant_id, scopes, narrowed, last_used_at FROM api_keys \
             WHERE sha256 = $1 AND revoked_at IS NULL",
        )
        .bind(&token.sha256()[..])
        .fetch_optional(self.pool())
        .await?;
        self.access(row).await
    }

    /// What a key may see and do, by its id, as for whatever goes on for long by it; `None` when there is no such key, or
    /// it was revoked. This is a use of the key too.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn access_of(&self, id: KeyId) -> Result<Option<Access>, StoreError> {
        let row: Option<AccessRow> = query_as(
            "SELECT id, tenant_id, scopes, narrowed, last_used_at FROM api_keys \
             WHERE id = $1 AND revoked_at IS NULL",
        )
        .bind(id.to_string())
        .fetch_optional(self.pool())
        .await?;
        self.access(row).await
    }

    async fn access(&self, row: Option<AccessRow>) -> Result<Option<Access>, StoreError> {
        let Some((id, tenant, scopes, narrowed, used)) = row else {
            return Ok(None);
        };
        let id = read(&id, "key id")?;
        let used = used.as_deref().map(read_time).transpose()?;
        if used.is_none_or(|used| now() - used >= USED_WITHIN) {
            self.note_use(id);
        }
        Ok(Some(Access {
            key: Some(id),
            tenant: read(&tenant, "tenant id")?,
            numbers: if narrowed {
                Some(Arc::new(numbers_of(&mut self.read().await?, id).await?))
            } else {
                None
            },
            scopes: read_scopes(&scopes)?,
        }))
    }

    /// Notes that a key was used. Whoever brings it is let in all the same where that cannot be written: it says nothing
    /// that a request would have to wait for.
    fn note_use(&self, id: KeyId) {
        let at = now();
        let noted = query(
            "UPDATE api_keys SET last_used_at = $2 WHERE id = $1 AND (last_used_at IS NULL OR last_used_at < $3)",
        )
        .bind(id.to_string())
        .bind(time_text(at))
        .bind(time_text(at - USED_WITHIN));
        let (store, waiting) = (self.clone(), Arc::clone(&self.noting));
        // One at a time: a store that takes no writes must not be asked by every request at once.
        let Ok(turn) = waiting.try_acquire_owned() else {
            return;
        };
        tokio::spawn(async move {
            if let Err(fault) = noted.execute(store.writers()).await.map_err(StoreError::from) {
                tracing::debug!(key.id = %id, %fault, "the last use of a key was not noted: {fault}");
            }
            drop(turn);
        });
    }
}

/// Narrows a key to a number of its tenant.
async fn narrow(
    conn: &mut Tx,
    key: KeyId,
    tenant: TenantId,
    number: &DialedNumber,
) -> Result<(), StoreError> {
    let done = query(
        "INSERT INTO key_numbers (key_id, number) SELECT $1, number FROM numbers \
         WHERE number = $2 AND tenant_id = $3",
    )
    .bind(key.to_string())
    .bind(number.as_e164())
    .bind(tenant.to_string())
    .execute(conn)
    .await?;
    match done {
        0 => Err(StoreError::UnknownNumber(number.clone())),
        _ => Ok(()),
    }
}

/// The numbers a key is narrowed to.
async fn numbers_of(conn: &mut Tx, key: KeyId) -> Result<BTreeSet<DialedNumber>, StoreError> {
    let rows: Vec<(String,)> = query_as("SELECT number FROM key_numbers WHERE key_id = $1 ORDER BY number")
        .bind(key.to_string())
        .fetch_all(conn)
        .await?;
    rows.iter().map(|(number,)| read(number, "number")).collect()
}

fn scopes_text(scopes: &BTreeSet<Scope>) -> String {
    scopes
        .iter()
        .map(|scope| scope.name())
        .collect::<Vec<_>>()
        .join(",")
}

fn read_scopes(text: &str) -> Result<BTreeSet<Scope>, StoreError> {
    text.split(',').map(|scope| read(scope, "scope")).collect()
}
