//! Users out of their three tables.

use std::collections::HashMap;

use super::StoreError;
use super::personal::{open_name, open_phone};
use super::sql::{Tx, query_as};
use super::user_keys::{UserKeys, Whose};
use super::users::User;
use super::values::{read, read_time};
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
                 EXISTS (SELECT 1 FROM enrollments e WHERE e.user_id = u.id) \
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
    let rows: Vec<(String, Vec<u8>, String, bool)> = query_as(selection.users)
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
    for (id, name, created_at, enrolled) in rows {
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
