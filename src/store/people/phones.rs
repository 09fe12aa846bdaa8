//! The phones of users: sealed by their user's key, and found by a keyed hash.
//!
//! The hash is HMAC-SHA-256 under a key that HKDF makes of the deployment's: who has the database alone cannot try
//! numbers. While the deployment's key is being changed, rows may have the hash under either.

use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use crate::store::database::{Tx, query, query_as};
use crate::store::keys::{Purpose, UserKeys, Whose};
use crate::store::secrets::{DEPLOYMENT, DataKey, Keys, Place};
use crate::store::values::read;
use crate::store::{Store, StoreError};
use crate::units::{DialedNumber, PhoneNumber, UserId, hex};

/// Half of HMAC-SHA-256: 128 bits do not collide among any number of phones.
const HASH_BYTES: usize = 16;

impl Store {
    /// The user of `number` to whom `phone` belongs, in whatever spelling of the line it is stored: the one who has it
    /// as it is given, before another spelling's.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn user_by_phone(
        &self,
        number: &DialedNumber,
        phone: &PhoneNumber,
    ) -> Result<Option<UserId>, StoreError> {
        let mut tx = self.read().await?;
        for hash in all_hashes(&mut tx, phone).await? {
            let row: Option<(String,)> = query_as(
                "SELECT p.user_id FROM phones p JOIN memberships m ON m.user_id = p.user_id \
                 WHERE p.lookup = $1 AND m.number = $2",
            )
            .bind(hash)
            .bind(number.as_e164())
            .fetch_optional(&mut tx)
            .await?;
            if let Some((id,)) = row {
                return read(&id, "user id").map(Some);
            }
        }
        Ok(None)
    }
}

/// What a phone may be found by, in every spelling of its line: those of the spelling as it is first.
pub(super) async fn all_hashes(conn: &mut Tx, phone: &PhoneNumber) -> Result<Vec<Vec<u8>>, StoreError> {
    let keys = conn.keys().await?;
    let mut hashes = Vec::new();
    for spelling in phone.spellings() {
        for key in keys.all_of(DEPLOYMENT) {
            hashes.push(hash_under(key, &spelling)?);
        }
    }
    Ok(hashes)
}

/// What a phone is found by from now on.
pub(in crate::store) fn hash(keys: &Keys, phone: &str) -> Result<Vec<u8>, StoreError> {
    let (_, key) = keys.newest(DEPLOYMENT)?;
    hash_under(key, phone)
}

fn hash_under(key: &DataKey, phone: &str) -> Result<Vec<u8>, StoreError> {
    let key = key.derived("voxline phone lookup 1");
    let mac = Hmac::<Sha256>::new_from_slice(key.as_bytes());
    let mut mac = mac.map_err(|_| StoreError::Unreadable { what: "key" })?;
    mac.update(phone.as_bytes());
    Ok(mac.finalize().into_bytes()[..HASH_BYTES].to_vec())
}

/// Writes all phones a user is to have.
pub(in crate::store) async fn set_phones(
    conn: &mut Tx,
    id: UserId,
    phones: &[PhoneNumber],
) -> Result<(), StoreError> {
    let user = id.to_string();
    query("DELETE FROM phones WHERE user_id = $1")
        .bind(&user)
        .execute(&mut *conn)
        .await?;
    let of_user = UserKeys::read(conn, Whose::User(&user)).await?;
    for (position, phone) in (0_i64..).zip(phones) {
        insert_phone(conn, &of_user, &user, phone.as_e164(), position).await?;
    }
    Ok(())
}

/// Writes one phone of a user's.
async fn insert_phone(
    conn: &mut Tx,
    of_user: &UserKeys,
    user: &str,
    phone: &str,
    position: i64,
) -> Result<(), StoreError> {
    let keys = conn.keys().await?;
    let lookup = hash(&keys, phone)?;
    query("INSERT INTO phones (user_id, lookup, phone, position) VALUES ($1, $2, $3, $4)")
        .bind(user)
        .bind(&lookup)
        .bind(seal_phone(of_user, user, &lookup, phone)?)
        .bind(position)
        .execute(&mut *conn)
        .await?;
    Ok(())
}

/// The phones of one user, in their order; none of who is being erased.
pub(in crate::store) async fn phones_of(conn: &mut Tx, user: &str) -> Result<Vec<PhoneNumber>, StoreError> {
    let of_user = UserKeys::read(conn, Whose::User(user)).await?;
    let rows: Vec<(Vec<u8>, Vec<u8>)> =
        query_as("SELECT lookup, phone FROM phones WHERE user_id = $1 ORDER BY position")
            .bind(user)
            .fetch_all(conn)
            .await?;
    let phones = rows
        .iter()
        .map(|(lookup, sealed)| open_phone(&of_user, user, lookup, sealed));
    phones.filter_map(Result::transpose).collect()
}

/// Refuses the change under way when a phone of `id`, in any spelling of its line, would point to two users of one
/// number.
pub(super) async fn refuse_shared_phones(conn: &mut Tx, id: UserId) -> Result<(), StoreError> {
    for phone in phones_of(conn, &id.to_string()).await? {
        for hash in all_hashes(conn, &phone).await? {
            let clash: Option<(String,)> = query_as(
                "SELECT m.number FROM memberships m \
                 JOIN memberships other ON other.number = m.number AND other.user_id <> m.user_id \
                 JOIN phones theirs ON theirs.user_id = other.user_id AND theirs.lookup = $2 \
                 WHERE m.user_id = $1 LIMIT 1",
            )
            .bind(id.to_string())
            .bind(hash)
            .fetch_optional(&mut *conn)
            .await?;
            if let Some((number,)) = clash {
                let number = read(&number, "number")?;
                return Err(StoreError::PhoneTaken { phone, number });
            }
        }
    }
    Ok(())
}

fn with_phone_place<T>(user: &str, lookup: &[u8], work: impl FnOnce(Place<'_>) -> T) -> T {
    let row = format!("{user} {}", hex(lookup));
    work(Place::of("phones", "phone", &row))
}

/// Seals a phone, for the row of its keyed hash.
fn seal_phone(keys: &UserKeys, user: &str, lookup: &[u8], phone: &str) -> Result<Vec<u8>, StoreError> {
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

/// Moves the phones of an older release out of their table into the one where they are sealed; gives how many.
pub(in crate::store) async fn seal_phones(conn: &mut Tx, keys: &UserKeys) -> Result<u64, StoreError> {
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
