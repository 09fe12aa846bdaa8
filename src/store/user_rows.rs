//! Users out of their three tables.

use std::collections::HashMap;

use serde_json::json;

use super::StoreError;
use super::audit::{Act, NewAudit, append};
use super::numbers::touch_numbers_of;
use super::personal::{open_name, open_phone};
use super::sql::{Tx, query, query_as};
use super::user_keys::{UserKeys, Whose};
use super::users::{PinChange, User};
use super::values::{now, read, read_time, time_text};
use crate::units::{DialedNumber, UserId};

/// One user; `None` when there is none.
pub(super) async fn load_one(conn: &mut Tx, id: UserId) -> Result<Option<User>, StoreError> {
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

/// The names of what a patch is to change.
pub(super) fn changed_fields(name: bool, phones: bool, numbers: bool) -> Vec<&'static str> {
    let fields = [("name", name), ("phones", phones), ("numbers", numbers)];
    let changed = fields.into_iter().filter(|(_, changed)| *changed);
    changed.map(|(field, _)| field).collect()
}

/// Tells the audit log of a change.
pub(super) async fn account_for_change(
    conn: &mut Tx,
    id: UserId,
    changed: &[&str],
    pin: &PinChange,
) -> Result<(), StoreError> {
    if !changed.is_empty() {
        let change = NewAudit::new(Act::UserChange).on(id);
        append(conn, &change.detail(json!({ "changed": changed }))).await?;
    }
    match pin {
        PinChange::Keep => Ok(()),
        PinChange::Set(_) => append(conn, &NewAudit::new(Act::PinSet).on(id)).await,
        PinChange::Clear => append(conn, &NewAudit::new(Act::PinSet).on(id).outcome("cleared")).await,
    }
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
pub(super) async fn refuse_opted_out(conn: &mut Tx, id: UserId) -> Result<(), StoreError> {
    let row: Option<(bool,)> = query_as("SELECT TRUE FROM users WHERE id = $1 AND opted_out_at IS NOT NULL")
        .bind(id.to_string())
        .fetch_optional(conn)
        .await?;
    row.map_or(Ok(()), |_| Err(StoreError::OptedOut(id)))
}
