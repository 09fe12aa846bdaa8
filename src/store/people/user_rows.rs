//! Users out of their three tables.

use std::collections::HashMap;

use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::names::open_name;
use super::phones::open_phone;
use crate::store::StoreError;
use crate::store::audit::{Act, NewAudit, append};
use crate::store::database::{Tx, query, query_as};
use crate::store::keys::{UserKeys, Whose};
use crate::store::tenancy::touch_numbers_of;
use crate::store::values::{now, read, read_time, time_text};
use crate::units::{DialedNumber, PhoneNumber, UserId};

/// A person with an account, as the contract shows one. The PIN is never part of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct User {
    /// The user's id.
    #[schema(value_type = String, format = "uuid")]
    pub id: UserId,
    /// The name to show.
    pub name: String,
    /// The numbers whose roster the user is on, in order.
    #[schema(value_type = Vec<String>)]
    pub numbers: Vec<DialedNumber>,
    /// The user's own phones, in the order they were given.
    #[schema(value_type = Vec<String>)]
    pub phones: Vec<PhoneNumber>,
    /// Whether one of the numbers is the user's alone (`assigned_vapi_number`).
    pub exclusive: bool,
    /// Whether any voice is enrolled.
    pub enrolled: bool,
    /// Whether no call is compared with their voice, for they do not want it.
    pub opted_out: bool,
    /// When the user was added.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub created_at: OffsetDateTime,
}

/// One user; `None` when there is none.
pub(in crate::store) async fn load_one(conn: &mut Tx, id: UserId) -> Result<Option<User>, StoreError> {
    let id = id.to_string();
    let keys = UserKeys::read(conn, Whose::User(&id)).await?;
    Ok(load(conn, ONE, &id, &keys).await?.pop())
}

/// The users of a number, oldest first.
pub(super) async fn load_of(conn: &mut Tx, number: &DialedNumber) -> Result<Vec<User>, StoreError> {
    let number = number.as_e164();
    let keys = UserKeys::read(conn, Whose::Number(number)).await?;
    load(conn, OF_NUMBER, number, &keys).await
}

/// The three questions that make users; each has the same single parameter.
struct Selection {
    users: &'static str,
    memberships: &'static str,
    phones: &'static str,
}

macro_rules! selection {
    ($of:literal) => {
        Selection {
            users: concat!(
                "SELECT u.id, u.name, u.created_at, \
                 EXISTS (SELECT 1 FROM enrollments e WHERE e.user_id = u.id), u.opted_out_at IS NOT NULL \
                 FROM users u WHERE u.id ",
                $of,
                " ORDER BY u.created_at, u.id"
            ),
            memberships: concat!(
                "SELECT user_id, number, exclusive FROM memberships WHERE user_id ",
                $of,
                " ORDER BY number"
            ),
            phones: concat!(
                "SELECT user_id, lookup, phone FROM phones WHERE user_id ",
                $of,
                " ORDER BY position"
            ),
        }
    };
}

const ONE: &Selection = &selection!("= $1");
const OF_NUMBER: &Selection = &selection!("IN (SELECT user_id FROM memberships WHERE number = $1)");

async fn load(
    conn: &mut Tx,
    selection: &Selection,
    parameter: &str,
    keys: &UserKeys,
) -> Result<Vec<User>, StoreError> {
    let rows: Vec<(String, Vec<u8>, String, bool, bool)> = query_as(selection.users)
        .bind(parameter)
        .fetch_all(&mut *conn)
        .await?;
    let memberships: Vec<(String, String, bool)> = query_as(selection.memberships)
        .bind(parameter)
        .fetch_all(&mut *conn)
        .await?;
    let phones: Vec<(String, Vec<u8>, Vec<u8>)> = query_as(selection.phones)
        .bind(parameter)
        .fetch_all(&mut *conn)
        .await?;

    let mut users = Vec::with_capacity(rows.len());
    let mut places: HashMap<String, usize> = HashMap::with_capacity(rows.len());
    for (id, name, created_at, enrolled, opted_out) in rows {
        // Who has no key is being erased.
        let Some(name) = open_name(keys, &id, &name)? else {
            continue;
        };
        users.push(User {
            id: read(&id, "user id")?,
            name,
            numbers: Vec::new(),
            phones: Vec::new(),
            exclusive: false,
            enrolled,
            opted_out,
            created_at: read_time(&created_at)?,
        });
        places.insert(id, users.len() - 1);
    }
    for (id, number, exclusive) in memberships {
        if let Some(user) = places.get(&id).and_then(|&place| users.get_mut(place)) {
            user.numbers.push(read(&number, "number")?);
            user.exclusive |= exclusive;
        }
    }
    for (id, lookup, sealed) in phones {
        if let Some(user) = places.get(&id).and_then(|&place| users.get_mut(place)) {
            user.phones.extend(open_phone(keys, &id, &lookup, &sealed)?);
        }
    }
    Ok(users)
}

/// Takes a user's voice out of what is searched, or puts it back, where that is wanted and not so already. Their numbers' rosters count as changed, so that every
/// node's gallery is without it by its next search.
pub(super) async fn set_opted_out(
    conn: &mut Tx,
    user: &User,
    wanted: Option<bool>,
) -> Result<(), StoreError> {
    let Some(opted_out) = wanted.filter(|wanted| *wanted != user.opted_out) else {
        return Ok(());
    };
    let id = user.id;
    query("UPDATE users SET opted_out_at = $2 WHERE id = $1")
        .bind(id.to_string())
        .bind(opted_out.then(|| time_text(now())))
        .execute(&mut *conn)
        .await?;
    touch_numbers_of(conn, id).await?;
    let outcome = if opted_out { "opted out" } else { "opted in" };
    append(conn, &NewAudit::new(Act::UserOptOut).on(id).outcome(outcome)).await
}

/// Refuses a user who wants no voice of theirs compared.
pub(in crate::store) async fn refuse_opted_out(conn: &mut Tx, id: UserId) -> Result<(), StoreError> {
    let row: Option<(bool,)> = query_as("SELECT TRUE FROM users WHERE id = $1 AND opted_out_at IS NOT NULL")
        .bind(id.to_string())
        .fetch_optional(conn)
        .await?;
    row.map_or(Ok(()), |_| Err(StoreError::OptedOut(id)))
}
