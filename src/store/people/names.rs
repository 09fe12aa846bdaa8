//! The names of users, each sealed by its user's own key.

use crate::store::StoreError;
use crate::store::database::{Tx, query, query_as};
use crate::store::keys::{Purpose, UserKeys};
use crate::store::secrets::{Place, generation_of};

/// Rows in memory at a time.
const PAGE: usize = 256;

fn name_place(user: &str) -> Place<'_> {
    Place::of("users", "name", user)
}

/// Seals a user's name.
pub(in crate::store) fn seal_name(keys: &UserKeys, user: &str, name: &str) -> Result<Vec<u8>, StoreError> {
    keys.seal(user, Purpose::Person, name_place(user), name.as_bytes())
}

/// Reads a user's name; `None` of who is being erased.
pub(in crate::store) fn open_name(
    keys: &UserKeys,
    user: &str,
    sealed: &[u8],
) -> Result<Option<String>, StoreError> {
    let plain = keys.open(user, Purpose::Person, name_place(user), sealed, "name")?;
    let name = plain.map(|plain| String::from_utf8(plain.to_vec())).transpose();
    name.map_err(|_| StoreError::Unreadable { what: "name" })
}

/// Seals the names that an older release stored; gives how many.
pub(in crate::store) async fn seal_names(conn: &mut Tx, keys: &UserKeys) -> Result<u64, StoreError> {
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
