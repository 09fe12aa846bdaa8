//! Who users are, sealed by each one's own key: names and phones.

use super::StoreError;
use super::phones::{insert_phone, phones_of, set_phones};
use super::sealing::{Place, generation_of};
use super::sql::{Tx, query, query_as};
use super::user_keys::{Purpose, UserKeys};
use super::values::read;
use crate::units::{PhoneNumber, hex};

/// Rows in memory at a time.
const PAGE: usize = 256;

fn name_place(user: &str) -> Place<'_> {
    Place {
        table: "users",
        column: "name",
        row: user,
    }
}

/// Seals a user's name.
pub(super) fn seal_name(keys: &UserKeys, user: &str, name: &str) -> Result<Vec<u8>, StoreError> {
    keys.seal(user, Purpose::Person, name_place(user), name.as_bytes())
}

/// Reads a user's name; `None` of who is being erased.
pub(super) fn open_name(keys: &UserKeys, user: &str, sealed: &[u8]) -> Result<Option<String>, StoreError> {
    let plain = keys.open(user, Purpose::Person, name_place(user), sealed, "name")?;
    let name = plain.map(|plain| String::from_utf8(plain.to_vec())).transpose();
    name.map_err(|_| StoreError::Unreadable { what: "name" })
}

fn with_phone_place<T>(user: &str, lookup: &[u8], work: impl FnOnce(Place<'_>) -> T) -> T {
    let row = format!("{user} {}", hex(lookup));
    work(Place {
        table: "phones",
        column: "phone",
        row: &row,
    })
}

/// Seals a phone, for the row of its keyed hash.
pub(super) fn seal_phone(
    keys: &UserKeys,
    user: &str,
    lookup: &[u8],
    phone: &str,
) -> Result<Vec<u8>, StoreError> {
    with_phone_place(user, lookup, |place| {
        keys.seal(user, Purpose::Person, place, phone.as_bytes())
    })
}

/// Reads a phone; `None` of who is being erased.
pub(super) fn open_phone(
    keys: &UserKeys,
    user: &str,
    lookup: &[u8],
    sealed: &[u8],
) -> Result<Option<PhoneNumber>, StoreError> {
    let plain = with_phone_place(user, lookup, |place| {
        keys.open(user, Purpose::Person, place, sealed, "phone")
    })?;
    let Some(plain) = plain else { return Ok(None) };
    let text = std::str::from_utf8(&plain).map_err(|_| StoreError::Unreadable { what: "phone" })?;
    read(text, "phone").map(Some)
}

/// Seals the names that an older release stored; gives how many.
pub(super) async fn seal_names(conn: &mut Tx, keys: &UserKeys) -> Result<u64, StoreError> {
    let (mut seen, mut done) = (String::new(), 0);
    loop {
        let page: Vec<(String, Vec<u8>)> =
            query_as("SELECT id, name FROM users WHERE id > $1 ORDER BY id LIMIT $2")
                .bind(&seen)
                .bind(PAGE as i64)
                .fetch_all(&mut *conn)
                .await?;
        for (user, name) in &page {
            // Who has no key was erased, and came back with an old copy: they go when that is noticed, in a moment.
            if !keys.has(user) || generation_of(name).is_some() {
                continue;
            }
            query("UPDATE users SET name = $2 WHERE id = $1")
                .bind(user)
                .bind(keys.seal(user, Purpose::Person, name_place(user), name)?)
                .execute(&mut *conn)
                .await?;
            done += 1;
        }
        match page.into_iter().nth(PAGE - 1) {
            Some((last, _)) => seen = last,
            None => return Ok(done),
        }
    }
}

/// Moves the phones of an older release out of their table into the one where they are sealed; gives how many.
pub(super) async fn seal_phones(conn: &mut Tx, keys: &UserKeys) -> Result<u64, StoreError> {
    let rows: Vec<(String, String, i64)> =
        query_as("SELECT user_id, phone, CAST(position AS BIGINT) FROM plain_phones")
            .fetch_all(&mut *conn)
            .await?;
    for (user, phone, position) in rows.iter().filter(|(user, _, _)| keys.has(user)) {
        insert_phone(conn, keys, user, phone, *position).await?;
    }
    query("DROP TABLE plain_phones").execute(conn).await?;
    Ok(rows.len() as u64)
}

/// Seals a user's name and phones with their newest key.
pub(super) async fn seal_person_anew(conn: &mut Tx, keys: &UserKeys, user: &str) -> Result<(), StoreError> {
    let row: Option<(Vec<u8>,)> = query_as("SELECT name FROM users WHERE id = $1")
        .bind(user)
        .fetch_optional(&mut *conn)
        .await?;
    let name = row.map(|(sealed,)| open_name(keys, user, &sealed)).transpose()?;
    let Some(name) = name.flatten() else { return Ok(()) };
    query("UPDATE users SET name = $2 WHERE id = $1")
        .bind(user)
        .bind(seal_name(keys, user, &name)?)
        .execute(&mut *conn)
        .await?;
    let phones = phones_of(conn, user).await?;
    set_phones(conn, read(user, "user id")?, &phones).await
}
