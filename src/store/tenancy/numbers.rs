//! Dialed numbers, and the counter that says when a number's roster changed.

use serde::{Deserialize, Deserializer, Serialize};
use serde_json::json;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::access::Access;
use super::caller_rule::CallerIsForwarder;
use super::tenants::require_tenant;
use crate::store::audit::{Act, NewAudit, append};
use crate::store::database::{Tx, query, query_as};
use crate::store::values::{kept_name, now, read, read_time, read_u64, time_text};
use crate::store::{Store, StoreError};
use crate::units::{DialedNumber, TenantId, UserId};

/// A dialed number.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Number {
    /// The number in E.164.
    #[schema(value_type = String)]
    pub number: DialedNumber,
    /// The country or region it is for, as in `US` (ISO 3166-1 alpha-2).
    pub region: Option<String>,
    /// What its owner calls it.
    pub name: Option<String>,
    /// The largest share of callers on no roster who may be given a name; null where that is as configured.
    pub max_false_accept: Option<f64>,
    /// The largest share of callers on the roster who may be given another's name; null likewise.
    pub max_wrong_name: Option<f64>,
    /// Whether the caller's number of its calls is the forwarder's.
    pub caller_is_forwarder: CallerIsForwarder,
    /// How many users are on it.
    pub users: u64,
    /// When it was added.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: OffsetDateTime,
}

/// What to do with a share of calls.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub enum ShareChange {
    /// The value stays as it is.
    #[default]
    Keep,
    /// It becomes the configured one.
    Usual,
    /// It becomes this one.
    Set(f64),
}

/// What to change of a number; what is left out stays.
#[derive(Debug, Clone, Copy, PartialEq, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NumberPatch {
    /// The largest share of callers on no roster who may be given a name, or null for the configured one.
    #[serde(default, deserialize_with = "read_share")]
    #[schema(value_type = Option<f64>, example = 0.001)]
    pub max_false_accept: ShareChange,
    /// The largest share of callers on the roster who may be given another's name, or null likewise.
    #[serde(default, deserialize_with = "read_share")]
    #[schema(value_type = Option<f64>, example = 0.001)]
    pub max_wrong_name: ShareChange,
    /// Whether the caller's number of its calls is the forwarder's (`never`, `always`, or `auto`: where the call's
    /// forwarding evidence names the same): such a number says whose line it is, and nothing of who speaks.
    pub caller_is_forwarder: Option<CallerIsForwarder>,
}

fn read_share<'de, D: Deserializer<'de>>(from: D) -> Result<ShareChange, D::Error> {
    let share = Option::<f64>::deserialize(from)?;
    Ok(share.map_or(ShareChange::Usual, ShareChange::Set))
}

impl NumberPatch {
    /// What the audit log is told of it: it holds nothing of anybody.
    fn told(&self) -> serde_json::Value {
        let share = |change: ShareChange| match change {
            ShareChange::Keep => json!("kept"),
            ShareChange::Usual => json!("usual"),
            ShareChange::Set(share) => json!(share),
        };
        json!({
            "max_false_accept": share(self.max_false_accept),
            "max_wrong_name": share(self.max_wrong_name),
            "caller_is_forwarder": self.caller_is_forwarder.map_or("kept", CallerIsForwarder::name),
        })
    }
}

impl ShareChange {
    /// Whether it changes, and to what.
    ///
    /// # Errors
    /// [`StoreError::BadText`] for a share that cannot be promised.
    fn read(self, field: &'static str) -> Result<(bool, Option<f64>), StoreError> {
        match self {
            Self::Keep => Ok((false, None)),
            Self::Usual => Ok((true, None)),
            Self::Set(share) if (0.000_001..=0.5).contains(&share) => Ok((true, Some(share))),
            Self::Set(_) => Err(StoreError::BadText {
                field,
                allowed: "a share of calls from 0.000001 to 0.5, as in 0.001",
            }),
        }
    }
}

/// As [`NUMBERS`] gives it.
type Row = (
    String,
    Option<String>,
    Option<String>,
    Option<f64>,
    Option<f64>,
    String,
    i64,
    String,
);

/// The number that is bound, or all; of the tenant that is bound, or of all.
const NUMBERS: &str = "SELECT n.number, n.region, n.name, n.max_false_accept, n.max_wrong_name, \
                       n.caller_is_forwarder, \
                       (SELECT COUNT(*) FROM memberships m WHERE m.number = n.number) AS users, n.created_at \
                       FROM numbers n \
                       WHERE ($1 IS NULL OR n.number = $1) AND ($2 IS NULL OR n.tenant_id = $2) ORDER BY n.number";

fn read_number(row: Row) -> Result<Number, StoreError> {
    let (number, region, name, max_false_accept, max_wrong_name, rule, users, created_at) = row;
    Ok(Number {
        number: read(&number, "number")?,
        region,
        name,
        max_false_accept,
        max_wrong_name,
        caller_is_forwarder: read(&rule, "caller_is_forwarder")?,
        users: read_u64(users, "user count")?,
        created_at: read_time(&created_at)?,
    })
}

impl Store {
    /// Adds a dialed number without users to the default tenant.
    ///
    /// # Errors
    /// [`StoreError::NumberExists`]; [`StoreError::BadText`] for a region that is not two letters or a
    /// name beyond 200 characters.
    pub async fn add_number(
        &self,
        number: &DialedNumber,
        region: Option<&str>,
        name: Option<&str>,
    ) -> Result<Number, StoreError> {
        self.add_number_of(TenantId::DEFAULT, number, region, name).await
    }

    /// Adds a dialed number without users to a tenant.
    ///
    /// # Errors
    /// As [`Store::add_number`]; [`StoreError::UnknownTenant`].
    pub async fn add_number_of(
        &self,
        tenant: TenantId,
        number: &DialedNumber,
        region: Option<&str>,
        name: Option<&str>,
    ) -> Result<Number, StoreError> {
        let region = region.map(read_region).transpose()?;
        let name = name
            .map(|name| kept_name(name, "number's name", 200, "1 to 200 visible characters"))
            .transpose()?;
        let created_at = now();
        let mut tx = self.write().await?;
        require_tenant(&mut tx, tenant).await?;
        if !insert_number(
            &mut tx,
            tenant,
            number,
            region.as_deref(),
            name.as_deref(),
            created_at,
        )
        .await?
        {
            return Err(StoreError::NumberExists(number.clone()));
        }
        append(&mut tx, &NewAudit::new(Act::NumberAdd).object(number.masked())).await?;
        tx.commit().await?;
        Ok(Number {
            number: number.clone(),
            region,
            name,
            max_false_accept: None,
            max_wrong_name: None,
            caller_is_forwarder: CallerIsForwarder::default(),
            users: 0,
            created_at,
        })
    }

    /// All dialed numbers of all tenants, in order.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn numbers(&self) -> Result<Vec<Number>, StoreError> {
        self.numbers_within(None, None).await
    }

    /// The dialed numbers that `access` sees, in order.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn seen_numbers(&self, access: &Access) -> Result<Vec<Number>, StoreError> {
        let mut seen = self.numbers_within(None, Some(access.tenant_text())).await?;
        seen.retain(|known| access.covers(&known.number));
        Ok(seen)
    }

    /// The dialed numbers of a tenant, in order.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn numbers_of(&self, tenant: TenantId) -> Result<Vec<Number>, StoreError> {
        self.numbers_within(None, Some(tenant.to_string())).await
    }

    async fn numbers_within(
        &self,
        number: Option<&DialedNumber>,
        tenant: Option<String>,
    ) -> Result<Vec<Number>, StoreError> {
        let rows: Vec<Row> = query_as(NUMBERS)
            .bind(number.map(DialedNumber::as_e164))
            .bind(&tenant)
            .fetch_all(self.pool())
            .await?;
        rows.into_iter().map(read_number).collect()
    }

    /// One dialed number; `None` when it is not here.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn number(&self, number: &DialedNumber) -> Result<Option<Number>, StoreError> {
        Ok(self.numbers_within(Some(number), None).await?.pop())
    }

    /// Changes what is promised of a number, and whose number its callers' is. Whatever was kept of its roster is then read anew.
    ///
    /// # Errors
    /// [`StoreError::UnknownNumber`]; [`StoreError::BadText`] for a share that cannot be promised.
    pub async fn update_number(
        &self,
        number: &DialedNumber,
        patch: &NumberPatch,
    ) -> Result<Number, StoreError> {
        let strangers = patch.max_false_accept.read("max_false_accept")?;
        let others = patch.max_wrong_name.read("max_wrong_name")?;
        let mut tx = self.write().await?;
        let done = query(
            "UPDATE numbers SET max_false_accept = CASE WHEN $2 THEN $3 ELSE max_false_accept END, \
             max_wrong_name = CASE WHEN $4 THEN $5 ELSE max_wrong_name END, \
             caller_is_forwarder = COALESCE($6, caller_is_forwarder) WHERE number = $1",
        )
        .bind(number.as_e164())
        .bind(strangers.0)
        .bind(strangers.1)
        .bind(others.0)
        .bind(others.1)
        .bind(patch.caller_is_forwarder.map(CallerIsForwarder::name))
        .execute(&mut tx)
        .await?;
        if done > 0 {
            touch_number(&mut tx, number).await?;
            let changed = NewAudit::new(Act::NumberChange).object(number.masked());
            append(&mut tx, &changed.detail(patch.told())).await?;
        }
        tx.commit().await?;
        let changed = self.number(number).await?;
        changed.ok_or_else(|| StoreError::UnknownNumber(number.clone()))
    }

    /// A counter that rises with everything that changes who can be found on `number`: a user added,
    /// removed, renamed or moved, an enrolment added or removed, and with what is promised there. One look-up by primary key.
    ///
    /// A cache reads this first and the roster after it: it may then load a roster once too often, but
    /// never keep an old one under a new version.
    ///
    /// # Errors
    /// [`StoreError::UnknownNumber`].
    pub async fn roster_version(&self, number: &DialedNumber) -> Result<u64, StoreError> {
        let row: Option<(i64,)> = query_as("SELECT roster_version FROM numbers WHERE number = $1")
            .bind(number.as_e164())
            .fetch_optional(self.pool())
            .await?;
        let (version,) = row.ok_or_else(|| StoreError::UnknownNumber(number.clone()))?;
        read_u64(version, "roster version")
    }

    /// [`Store::roster_version`] of every number, in order.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn roster_versions(&self) -> Result<Vec<(DialedNumber, u64)>, StoreError> {
        let rows: Vec<(String, i64)> = query_as("SELECT number, roster_version FROM numbers ORDER BY number")
            .fetch_all(self.pool())
            .await?;
        let read = |(number, version): (String, i64)| {
            Ok((read(&number, "number")?, read_u64(version, "roster version")?))
        };
        rows.into_iter().map(read).collect()
    }
}

/// Writes a new number; `false` when it is here already, whosever it is.
///
/// Its roster's version begins at the microseconds since 1970 and not at 1: a number that was removed with its tenant and
/// comes back as another's must not meet a copy of the old roster under a version it reaches once more.
pub(in crate::store) async fn insert_number(
    conn: &mut Tx,
    tenant: TenantId,
    number: &DialedNumber,
    region: Option<&str>,
    name: Option<&str>,
    at: OffsetDateTime,
) -> Result<bool, StoreError> {
    let micros = i64::try_from(at.unix_timestamp_nanos() / 1000).unwrap_or(1);
    let done = query(
        "INSERT INTO numbers (number, tenant_id, region, name, roster_version, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (number) DO NOTHING",
    )
    .bind(number.as_e164())
    .bind(tenant.to_string())
    .bind(region)
    .bind(name)
    .bind(micros.max(1))
    .bind(time_text(at))
    .execute(conn)
    .await?;
    Ok(done > 0)
}

/// Refuses a number that is not here.
pub(in crate::store) async fn require_number(conn: &mut Tx, number: &DialedNumber) -> Result<(), StoreError> {
    let row: Option<(bool,)> = query_as("SELECT TRUE FROM numbers WHERE number = $1")
        .bind(number.as_e164())
        .fetch_optional(conn)
        .await?;
    row.map(drop)
        .ok_or_else(|| StoreError::UnknownNumber(number.clone()))
}

/// Raises the roster version of every number `user` is on.
pub(in crate::store) async fn touch_numbers_of(conn: &mut Tx, user: UserId) -> Result<(), StoreError> {
    query(
        "UPDATE numbers SET roster_version = roster_version + 1 \
         WHERE number IN (SELECT number FROM memberships WHERE user_id = $1)",
    )
    .bind(user.to_string())
    .execute(conn)
    .await?;
    Ok(())
}

/// Raises the roster version of `number`.
pub(in crate::store) async fn touch_number(conn: &mut Tx, number: &DialedNumber) -> Result<(), StoreError> {
    query("UPDATE numbers SET roster_version = roster_version + 1 WHERE number = $1")
        .bind(number.as_e164())
        .execute(conn)
        .await?;
    Ok(())
}

fn read_region(text: &str) -> Result<String, StoreError> {
    let text = text.trim();
    if text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        Ok(text.to_ascii_uppercase())
    } else {
        Err(StoreError::BadText {
            field: "region",
            allowed: "two letters, as in US (ISO 3166-1)",
        })
    }
}
