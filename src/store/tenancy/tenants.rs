//! Tenants: the companies that share a deployment.

use serde::Serialize;
use time::OffsetDateTime;

use super::access::Access;
use crate::store::audit::{Act, NewAudit, append};
use crate::store::database::{Tx, query, query_as};
use crate::store::erased::{ErasedId, note};
use crate::store::values::{kept_name, now, one_spelling, read, read_time, read_u64, time_text};
use crate::store::{Store, StoreError};
use crate::units::{DialedNumber, TenantId, UserId};

/// Calls that are removed in one transaction.
const PAGE: i64 = 100;

/// A company on a deployment, and how much is its.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Tenant {
    /// The tenant's id.
    pub id: TenantId,
    /// What the operator calls it; no two have the same.
    pub name: String,
    /// How many dialed numbers it has.
    pub numbers: u64,
    /// How many users are on them.
    pub users: u64,
    /// How many keys of its are good.
    pub keys: u64,
    /// When it was added.
    #[serde(with = "time::serde::rfc3339")]
    pub created_at: OffsetDateTime,
}

type Row = (String, String, String, i64, i64, i64);

fn read_tenant((id, name, created_at, numbers, users, keys): Row) -> Result<Tenant, StoreError> {
    Ok(Tenant {
        id: read(&id, "tenant id")?,
        name,
        numbers: read_u64(numbers, "number count")?,
        users: read_u64(users, "user count")?,
        keys: read_u64(keys, "key count")?,
        created_at: read_time(&created_at)?,
    })
}

impl Store {
    /// Adds a tenant without numbers.
    ///
    /// # Errors
    /// [`StoreError::TenantExists`]; [`StoreError::BadText`] for the name.
    pub async fn add_tenant(&self, name: &str) -> Result<Tenant, StoreError> {
        let name = kept_name(name, "tenant's name", 100, "1 to 100 visible characters")?;
        let (id, created_at) = (TenantId::fresh(), now());
        let mut tx = self.write().await?;
        let done = query(
            "INSERT INTO tenants (id, name, created_at) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
        )
        .bind(id.to_string())
        .bind(&name)
        .bind(time_text(created_at))
        .execute(&mut tx)
        .await?;
        if done == 0 {
            return Err(StoreError::TenantExists(name));
        }
        append(&mut tx, &NewAudit::new(Act::TenantAdd).object(id)).await?;
        tx.commit().await?;
        Ok(Tenant {
            id,
            name,
            numbers: 0,
            users: 0,
            keys: 0,
            created_at,
        })
    }

    /// All tenants, the oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn tenants(&self) -> Result<Vec<Tenant>, StoreError> {
        let rows: Vec<Row> = query_as(
            "SELECT t.id, t.name, t.created_at, \
             (SELECT COUNT(*) FROM numbers n WHERE n.tenant_id = t.id), \
             (SELECT COUNT(*) FROM users u WHERE u.tenant_id = t.id), \
             (SELECT COUNT(*) FROM api_keys k WHERE k.tenant_id = t.id AND k.revoked_at IS NULL) \
             FROM tenants t ORDER BY t.id",
        )
        .fetch_all(self.pool())
        .await?;
        rows.into_iter().map(read_tenant).collect()
    }

    /// The tenant of this name, or of this id.
    ///
    /// # Errors
    /// [`StoreError::UnknownTenant`].
    pub async fn tenant(&self, named: &str) -> Result<Tenant, StoreError> {
        let named = one_spelling(named);
        let mut all = self.tenants().await?;
        let by_name = all.iter().position(|tenant| one_spelling(&tenant.name) == named);
        let by_id = || all.iter().position(|tenant| tenant.id.to_string() == named);
        match by_name.or_else(by_id) {
            Some(at) => Ok(all.swap_remove(at)),
            None => Err(StoreError::UnknownTenant(named)),
        }
    }

    /// Removes a tenant that has no users any more, with its numbers, its keys and what was said of its calls. Users are
    /// removed one by one before: each is an erasure with a receipt. Its keys work no more from the first, its calls go some at
    /// a time, so that nobody who writes beside waits for long, and the tenant goes last: what is cut off is done by the next
    /// removal.
    ///
    /// # Errors
    /// [`StoreError::UnknownTenant`]; [`StoreError::TenantHasUsers`]; [`StoreError::TenantStays`] of the default one.
    pub async fn remove_tenant(&self, id: TenantId) -> Result<(), StoreError> {
        if id == TenantId::DEFAULT {
            return Err(StoreError::TenantStays);
        }
        let mut tx = self.write().await?;
        refuse_users(&mut tx, id).await?;
        revoke_keys(&mut tx, id).await?;
        tx.commit().await?;
        loop {
            let mut tx = self.write().await?;
            let gone = remove_page_of_calls(&mut tx, id).await?;
            tx.commit().await?;
            if gone == 0 {
                break;
            }
        }
        let mut tx = self.write().await?;
        refuse_users(&mut tx, id).await?;
        // Those that came meanwhile.
        while remove_page_of_calls(&mut tx, id).await? > 0 {}
        for statement in [
            "DELETE FROM key_numbers WHERE key_id IN (SELECT id FROM api_keys WHERE tenant_id = $1)",
            "DELETE FROM api_keys WHERE tenant_id = $1",
            "DELETE FROM pin_locks WHERE subject IN (SELECT number FROM numbers WHERE tenant_id = $1)",
            "DELETE FROM numbers WHERE tenant_id = $1",
            "DELETE FROM tenants WHERE id = $1",
        ] {
            query(statement).bind(id.to_string()).execute(&mut tx).await?;
        }
        append(&mut tx, &NewAudit::new(Act::TenantRemove).object(id)).await?;
        tx.commit().await?;
        self.write_erased_list().await;
        self.overwrite().await;
        Ok(())
    }

    /// An error unless `access` sees the number; the same as for a number that is not here.
    ///
    /// # Errors
    /// [`StoreError::UnknownNumber`].
    pub async fn require_number(&self, access: &Access, number: &DialedNumber) -> Result<(), StoreError> {
        if access.covers(number) && self.tenant_of(number).await? == Some(access.tenant) {
            return Ok(());
        }
        Err(StoreError::UnknownNumber(number.clone()))
    }

    /// Whose number it is; `None` where it is not here.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn tenant_of(&self, number: &DialedNumber) -> Result<Option<TenantId>, StoreError> {
        let row: Option<(String,)> = query_as("SELECT tenant_id FROM numbers WHERE number = $1")
            .bind(number.as_e164())
            .fetch_optional(self.pool())
            .await?;
        row.map(|(tenant,)| read(&tenant, "tenant id")).transpose()
    }

    /// Whose each number is.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn tenants_of_numbers(&self) -> Result<Vec<(DialedNumber, TenantId)>, StoreError> {
        let rows: Vec<(String, String)> = query_as("SELECT number, tenant_id FROM numbers")
            .fetch_all(self.pool())
            .await?;
        let read = |(number, tenant): (String, String)| {
            let number = read(&number, "number")?;
            Ok((number, read(&tenant, "tenant id")?))
        };
        rows.into_iter().map(read).collect()
    }
}

/// Refuses a tenant that has users.
async fn refuse_users(conn: &mut Tx, id: TenantId) -> Result<(), StoreError> {
    let name = require_tenant(conn, id).await?;
    let (users,): (i64,) = query_as("SELECT COUNT(*) FROM users WHERE tenant_id = $1")
        .bind(id.to_string())
        .fetch_one(conn)
        .await?;
    match read_u64(users, "user count")? {
        0 => Ok(()),
        users => Err(StoreError::TenantHasUsers { name, users }),
    }
}

/// Has no key of a tenant's work any more.
async fn revoke_keys(conn: &mut Tx, id: TenantId) -> Result<(), StoreError> {
    query("UPDATE api_keys SET revoked_at = COALESCE(revoked_at, $2) WHERE tenant_id = $1")
        .bind(id.to_string())
        .bind(time_text(now()))
        .execute(&mut *conn)
        .await?;
    let keys: Vec<(String,)> = query_as("SELECT id FROM api_keys WHERE tenant_id = $1")
        .bind(id.to_string())
        .fetch_all(&mut *conn)
        .await?;
    // A backup that is put back must not bring a key of theirs back.
    for (key,) in keys {
        note(conn, ErasedId::Key(read(&key, "key id")?)).await?;
    }
    Ok(())
}

/// Removes the first calls of a tenant with everything that was said of them; says how many.
async fn remove_page_of_calls(conn: &mut Tx, id: TenantId) -> Result<u64, StoreError> {
    let mut gone = 0;
    for statement in [
        "DELETE FROM relays WHERE call_id IN \
         (SELECT call_id FROM calls WHERE tenant_id = $1 ORDER BY started_at, call_id LIMIT $2)",
        "DELETE FROM calls WHERE call_id IN \
         (SELECT call_id FROM calls WHERE tenant_id = $1 ORDER BY started_at, call_id LIMIT $2)",
    ] {
        gone = query(statement)
            .bind(id.to_string())
            .bind(PAGE)
            .execute(&mut *conn)
            .await?;
    }
    Ok(gone)
}

/// Refuses a tenant that is not here; gives its name.
pub(super) async fn require_tenant(conn: &mut Tx, id: TenantId) -> Result<String, StoreError> {
    let row: Option<(String,)> = query_as("SELECT name FROM tenants WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(conn)
        .await?;
    row.map(|(name,)| name)
        .ok_or_else(|| StoreError::UnknownTenant(id.to_string()))
}

/// Refuses a number that is not here for this user: another tenant's is as good as none.
pub(in crate::store) async fn require_same_tenant(
    conn: &mut Tx,
    id: UserId,
    number: &DialedNumber,
) -> Result<(), StoreError> {
    let statement = "SELECT TRUE FROM numbers n JOIN users u ON u.tenant_id = n.tenant_id \
                     WHERE n.number = $1 AND u.id = $2";
    let row: Option<(bool,)> = query_as(statement)
        .bind(number.as_e164())
        .bind(id.to_string())
        .fetch_optional(conn)
        .await?;
    row.map(drop)
        .ok_or_else(|| StoreError::UnknownNumber(number.clone()))
}
