//! What the tables hold of PINs: the salt of a number, the hash of a user, and the tag of a user on a number.

use crate::store::database::{Tx, query, query_as};
use crate::store::secrets::{NumberSalt, PinTag};
use crate::store::tenancy::require_number;
use crate::store::values::read;
use crate::store::{PinHash, StoreError};
use crate::units::{DialedNumber, UserId};

/// A PIN in use on a number.
#[derive(Clone)]
pub(in crate::store) struct HeldPin {
    pub(in crate::store) user: UserId,
    pub(in crate::store) hash: PinHash,
    /// `None` when the PIN came to the number unseen.
    pub(in crate::store) tag: Option<PinTag>,
}

impl HeldPin {
    /// Whether its tag is known to be this one.
    pub(in crate::store) fn has(&self, tag: &PinTag) -> bool {
        self.tag.as_ref().is_some_and(|own| own.is(tag))
    }
}

/// The PINs in use on `number`, in the order of their users' ids.
pub(in crate::store) async fn held_pins(
    conn: &mut Tx,
    number: &DialedNumber,
) -> Result<Vec<HeldPin>, StoreError> {
    let rows: Vec<(String, String, Option<Vec<u8>>)> = query_as(
        "SELECT u.id, u.pin_hash, m.pin_tag FROM memberships m JOIN users u ON u.id = m.user_id \
         WHERE m.number = $1 AND u.pin_hash IS NOT NULL ORDER BY u.id",
    )
    .bind(number.as_e164())
    .fetch_all(conn)
    .await?;
    let held = rows.into_iter().map(|(user, phc, tag)| {
        let tag = tag.map(|bytes| PinTag::from_stored(&bytes).ok_or(StoreError::Unreadable { what: "PIN" }));
        Ok(HeldPin {
            user: read(&user, "user id")?,
            hash: PinHash::from_stored(phc),
            tag: tag.transpose()?,
        })
    });
    held.collect()
}

/// Whether anybody on any of `numbers` has a PIN.
pub(in crate::store) async fn any_pin_on(
    conn: &mut Tx,
    numbers: &[DialedNumber],
) -> Result<bool, StoreError> {
    for number in numbers {
        let row: Option<(bool,)> = query_as(
            "SELECT TRUE FROM memberships m JOIN users u ON u.id = m.user_id \
             WHERE m.number = $1 AND u.pin_hash IS NOT NULL LIMIT 1",
        )
        .bind(number.as_e164())
        .fetch_optional(&mut *conn)
        .await?;
        if row.is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The salt of a number's PINs; `None` when it has none yet, or is not here.
pub(in crate::store) async fn number_salt(
    conn: &mut Tx,
    number: &DialedNumber,
) -> Result<Option<NumberSalt>, StoreError> {
    let row: Option<(Option<Vec<u8>>,)> = query_as("SELECT pin_salt FROM numbers WHERE number = $1")
        .bind(number.as_e164())
        .fetch_optional(conn)
        .await?;
    let bytes = row.and_then(|(bytes,)| bytes);
    let salt = bytes.map(|bytes| NumberSalt::from_stored(&bytes));
    salt.map(|salt| salt.ok_or(StoreError::Unreadable { what: "salt" }))
        .transpose()
}

/// Gives a number the salt `fresh` unless it has one, and says which it has.
///
/// # Errors
/// [`StoreError::UnknownNumber`].
pub(in crate::store) async fn make_salt(
    conn: &mut Tx,
    number: &DialedNumber,
    fresh: NumberSalt,
) -> Result<NumberSalt, StoreError> {
    query("UPDATE numbers SET pin_salt = $2 WHERE number = $1 AND pin_salt IS NULL")
        .bind(number.as_e164())
        .bind(fresh.as_bytes())
        .execute(&mut *conn)
        .await?;
    require_number(conn, number).await?;
    let salt = number_salt(conn, number).await?;
    salt.ok_or(StoreError::Unreadable { what: "salt" })
}

/// Writes a user's PIN hash, or that there is none; no number has a tag of it yet.
pub(in crate::store) async fn set_hash(
    conn: &mut Tx,
    user: UserId,
    hash: Option<&PinHash>,
) -> Result<(), StoreError> {
    query("UPDATE users SET pin_hash = $2 WHERE id = $1")
        .bind(user.to_string())
        .bind(hash.map(PinHash::as_phc))
        .execute(&mut *conn)
        .await?;
    query("UPDATE memberships SET pin_tag = NULL WHERE user_id = $1")
        .bind(user.to_string())
        .execute(conn)
        .await?;
    Ok(())
}

/// Writes the tags of a user's PIN on the numbers they are on.
pub(in crate::store) async fn set_tags(
    conn: &mut Tx,
    user: UserId,
    tags: &[(DialedNumber, PinTag)],
) -> Result<(), StoreError> {
    for (number, tag) in tags {
        query("UPDATE memberships SET pin_tag = $3 WHERE number = $1 AND user_id = $2")
            .bind(number.as_e164())
            .bind(user.to_string())
            .bind(tag.as_bytes())
            .execute(&mut *conn)
            .await?;
    }
    Ok(())
}

/// Writes the tag of a PIN that was seen right, unless the user left or got another PIN meanwhile.
pub(super) async fn learn_tag(
    conn: &mut Tx,
    number: &DialedNumber,
    seen: &HeldPin,
    tag: &PinTag,
) -> Result<(), StoreError> {
    query(
        "UPDATE memberships SET pin_tag = $3 WHERE number = $1 AND user_id = $2 AND pin_tag IS NULL \
         AND EXISTS (SELECT 1 FROM users WHERE id = $2 AND pin_hash = $4)",
    )
    .bind(number.as_e164())
    .bind(seen.user.to_string())
    .bind(tag.as_bytes())
    .bind(seen.hash.as_phc())
    .execute(conn)
    .await?;
    Ok(())
}
