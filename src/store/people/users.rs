//! Users: who they are, which numbers they are on, and the rules both must keep.

use serde::{Deserialize, Deserializer};
use serde_json::json;
use utoipa::ToSchema;

use super::names::seal_name;
use super::phones::{refuse_shared_phones, set_phones};
use super::user_rows::{User, load_of, load_one, set_opted_out};
use crate::store::audit::{Act, NewAudit, append};
use crate::store::database::{Tx, query, query_as};
use crate::store::keys::{UserKeys, Whose, ensure_user_keys};
use crate::store::pins::{NewPin, any_pin_on, set_hash, set_tags};
use crate::store::tenancy::{require_number, require_same_tenant, touch_number, touch_numbers_of};
use crate::store::values::{kept_name, now, time_text};
use crate::store::{Pin, PinRule, Store, StoreError};
use crate::units::{DialedNumber, PhoneNumber, UserId};

/// Most phones of a user.
const MAX_PHONES: usize = 20;
/// Most numbers of a user, so that one request cannot fill the store.
const MAX_NUMBERS: usize = 100;

/// A user to add.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewUser {
    /// The name to show: 1 to 200 visible characters, kept composed (NFC) and with single spaces.
    #[schema(example = "Alice")]
    pub name: String,
    /// The dialed number whose roster the user is put on.
    #[schema(value_type = String, example = "+12025550102")]
    pub number: DialedNumber,
    /// The user's own phones, at most 20.
    #[serde(default)]
    #[schema(value_type = Vec<String>, example = json!(["+12025550143"]))]
    pub phones: Vec<PhoneNumber>,
    /// 4 to 8 digits, unique on the number. Never shown again.
    // Unique unless the store's `PinRule` says otherwise. The store hashes it.
    #[serde(default, deserialize_with = "read_pin")]
    #[schema(value_type = Option<String>, write_only)]
    pub pin: Option<Pin>,
    /// Whether the number is to be this user's alone.
    #[serde(default)]
    pub exclusive: bool,
}

/// What to change of a user; what is left out stays.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UserPatch {
    /// A new name.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = String)]
    pub name: Option<String>,
    /// All phones the user is to have.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<String>)]
    pub phones: Option<Vec<PhoneNumber>>,
    /// All numbers the user is to be on, at least one.
    // Numbers that stay keep their exclusiveness; new ones are shared.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = Vec<String>)]
    pub numbers: Option<Vec<DialedNumber>>,
    /// A new PIN, or null for none.
    #[serde(default, deserialize_with = "read_pin_change")]
    #[schema(value_type = Option<String>, write_only)]
    pub pin: PinChange,
    /// Whether no call is to be compared with their voice: then it leaves the gallery at once, on every node, and stays
    /// kept until they are erased or this is taken back.
    #[serde(default, deserialize_with = "present")]
    #[schema(value_type = bool)]
    pub opted_out: Option<bool>,
}

/// What becomes of a user's PIN.
#[derive(Debug, Clone, Default)]
pub enum PinChange {
    /// The value stays as it is.
    #[default]
    Keep,
    /// This is the PIN from now on.
    Set(Pin),
    /// The user has none from now on.
    Clear,
}

/// A value that may be left out but not be null: null would look like a wish to remove it.
fn present<'de, D: Deserializer<'de>, T: Deserialize<'de>>(from: D) -> Result<Option<T>, D::Error> {
    T::deserialize(from).map(Some)
}

fn read_pin<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Pin>, D::Error> {
    let text = Option::<String>::deserialize(from)?.map(zeroize::Zeroizing::new);
    text.map(|text| text.parse().map_err(serde::de::Error::custom))
        .transpose()
}

fn read_pin_change<'de, D: Deserializer<'de>>(from: D) -> Result<PinChange, D::Error> {
    Ok(read_pin(from)?.map_or(PinChange::Clear, PinChange::Set))
}

impl Store {
    /// Adds a user and puts them on a number.
    ///
    /// # Errors
    /// [`StoreError::UnknownNumber`], [`StoreError::NumberIsExclusive`], [`StoreError::NumberHasUsers`],
    /// [`StoreError::PhoneTaken`], [`StoreError::PinTaken`], [`StoreError::BadText`],
    /// [`StoreError::TooMany`]; nothing is stored then.
    pub async fn add_user(&self, new: NewUser) -> Result<User, StoreError> {
        let id = UserId::fresh();
        read_name(&new.name)?;
        self.make_user_keys(&[id]).await?;
        let added = self.add_with_key(id, new).await;
        if added.is_err() {
            self.drop_unused_keys(&[id]).await;
        }
        added
    }

    async fn add_with_key(&self, id: UserId, new: NewUser) -> Result<User, StoreError> {
        let (mut tx, pin) = match &new.pin {
            None => (self.write().await?, None),
            Some(pin) => {
                let pin = self.new_pin(pin, std::slice::from_ref(&new.number)).await?;
                (self.write_with_free_pin(&pin, None).await?, Some(pin))
            }
        };
        insert_user(&mut tx, id, &new, pin.as_ref()).await?;
        let user = load_one(&mut tx, id).await?.ok_or(StoreError::UnknownUser(id))?;
        tx.commit().await?;
        Ok(user)
    }

    /// The users of a number, oldest first.
    ///
    /// # Errors
    /// [`StoreError::UnknownNumber`].
    pub async fn users_of(&self, number: &DialedNumber) -> Result<Vec<User>, StoreError> {
        let mut tx = self.read().await?;
        require_number(&mut tx, number).await?;
        load_of(&mut tx, number).await
    }

    /// One user; `None` when there is no such user.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub async fn user(&self, id: UserId) -> Result<Option<User>, StoreError> {
        load_one(&mut self.read().await?, id).await
    }

    /// Changes a user, all of the patch or nothing.
    ///
    /// # Errors
    /// [`StoreError::UnknownUser`], [`StoreError::NoNumber`], [`StoreError::PinNeeded`], and those of
    /// [`Store::add_user`].
    pub async fn update_user(&self, id: UserId, patch: UserPatch) -> Result<User, StoreError> {
        let name = patch.name.as_deref().map(read_name).transpose()?;
        let phones = patch
            .phones
            .map(|list| distinct(list, "phones", MAX_PHONES))
            .transpose()?;
        let numbers = patch
            .numbers
            .map(|list| distinct(list, "numbers", MAX_NUMBERS))
            .transpose()?;
        if numbers.as_ref().is_some_and(Vec::is_empty) {
            return Err(StoreError::NoNumber);
        }
        let changed = changed_fields(name.is_some(), phones.is_some(), numbers.is_some());
        let before = self.user(id).await?.ok_or(StoreError::UnknownUser(id))?;
        let (mut tx, pin) = match &patch.pin {
            PinChange::Keep | PinChange::Clear => (self.write().await?, None),
            PinChange::Set(pin) => {
                let on = numbers.as_deref().unwrap_or(&before.numbers);
                let pin = self.new_pin(pin, on).await?;
                (self.write_with_free_pin(&pin, Some(id)).await?, Some(pin))
            }
        };
        // What was read before the write lock may have changed meanwhile.
        let now = load_one(&mut tx, id).await?.ok_or(StoreError::UnknownUser(id))?;
        if matches!(patch.pin, PinChange::Set(_)) && numbers.is_none() && now.numbers != before.numbers {
            return Err(StoreError::Busy);
        }
        match &patch.pin {
            PinChange::Keep => {}
            PinChange::Clear | PinChange::Set(_) => {
                set_hash(&mut tx, id, pin.as_ref().map(|pin| &pin.hash)).await?;
            }
        }
        if let Some(name) = name.filter(|name| *name != now.name) {
            rename(&mut tx, id, &name).await?;
        }
        if let Some(numbers) = numbers {
            let unseen = matches!(patch.pin, PinChange::Keep) && self.pin_rule == PinRule::Unique;
            move_to(&mut tx, &now, &numbers, unseen).await?;
        }
        if let Some(pin) = &pin {
            set_tags(&mut tx, id, &pin.tags).await?;
        }
        if let Some(phones) = phones {
            set_phones(&mut tx, id, &phones).await?;
        }
        set_opted_out(&mut tx, &now, patch.opted_out).await?;
        refuse_shared_phones(&mut tx, id).await?;
        account_for_change(&mut tx, id, &changed, &patch.pin).await?;
        let user = load_one(&mut tx, id).await?.ok_or(StoreError::UnknownUser(id))?;
        tx.commit().await?;
        Ok(user)
    }
}

/// Writes a new user, with their hashed PIN, and refuses whom the number does not take.
pub(super) async fn insert_user(
    conn: &mut Tx,
    id: UserId,
    new: &NewUser,
    pin: Option<&NewPin>,
) -> Result<(), StoreError> {
    let phones = distinct(new.phones.clone(), "phones", MAX_PHONES)?;
    require_number(conn, &new.number).await?;
    let user = id.to_string();
    ensure_user_keys(conn, &user).await?;
    let keys = UserKeys::read(conn, Whose::User(&user)).await?;
    // A user is of their first number's tenant, and stays so.
    query(
        "INSERT INTO users (id, name, pin_hash, created_at, tenant_id) \
         SELECT $1, $2, $3, $4, tenant_id FROM numbers WHERE number = $5",
    )
    .bind(&user)
    .bind(seal_name(&keys, &user, &read_name(&new.name)?)?)
    .bind(pin.map(|pin| pin.hash.as_phc()))
    .bind(time_text(now()))
    .bind(new.number.as_e164())
    .execute(&mut *conn)
    .await?;
    join(conn, id, &new.number, new.exclusive).await?;
    set_tags(conn, id, pin.map_or(&[], |pin| &pin.tags)).await?;
    set_phones(conn, id, &phones).await?;
    refuse_shared_phones(conn, id).await?;
    append(conn, &NewAudit::new(Act::UserAdd).on(id)).await?;
    if pin.is_some() {
        append(conn, &NewAudit::new(Act::PinSet).on(id)).await?;
    }
    Ok(())
}

/// Refuses a user who is not here.
pub(in crate::store) async fn require_user(conn: &mut Tx, id: UserId) -> Result<(), StoreError> {
    let row: Option<(bool,)> = query_as("SELECT TRUE FROM users WHERE id = $1")
        .bind(id.to_string())
        .fetch_optional(conn)
        .await?;
    row.map(drop).ok_or(StoreError::UnknownUser(id))
}

fn read_name(text: &str) -> Result<String, StoreError> {
    kept_name(text, "user's name", 200, "1 to 200 visible characters")
}

/// The list without repetitions, in its order.
fn distinct<T: PartialEq>(list: Vec<T>, what: &'static str, max: usize) -> Result<Vec<T>, StoreError> {
    let count = list.len();
    if count > max {
        return Err(StoreError::TooMany { what, count, max });
    }
    let mut kept: Vec<T> = Vec::with_capacity(count);
    for item in list {
        if !kept.contains(&item) {
            kept.push(item);
        }
    }
    Ok(kept)
}

async fn rename(conn: &mut Tx, id: UserId, name: &str) -> Result<(), StoreError> {
    let user = id.to_string();
    let keys = UserKeys::read(conn, Whose::User(&user)).await?;
    query("UPDATE users SET name = $2 WHERE id = $1")
        .bind(&user)
        .bind(seal_name(&keys, &user, name)?)
        .execute(&mut *conn)
        .await?;
    touch_numbers_of(conn, id).await
}

/// Puts a user on a number, if the number takes them.
async fn join(conn: &mut Tx, id: UserId, number: &DialedNumber, exclusive: bool) -> Result<(), StoreError> {
    require_same_tenant(conn, id, number).await?;
    let (users, taken): (i64, i64) =
        query_as("SELECT COUNT(*), COUNT(CASE WHEN exclusive THEN 1 END) FROM memberships WHERE number = $1")
            .bind(number.as_e164())
            .fetch_one(&mut *conn)
            .await?;
    if taken > 0 {
        return Err(StoreError::NumberIsExclusive(number.clone()));
    }
    if exclusive && users > 0 {
        return Err(StoreError::NumberHasUsers(number.clone()));
    }
    query("INSERT INTO memberships (number, user_id, exclusive) VALUES ($1, $2, $3)")
        .bind(number.as_e164())
        .bind(id.to_string())
        .bind(exclusive)
        .execute(&mut *conn)
        .await?;
    touch_number(conn, number).await
}

/// Makes `numbers` the numbers of `user`. With `pin_unseen`, where PINs are unique, a user with a PIN may only come
/// to numbers where nobody has one: hashes with salts of their own do not tell whether their PINs are equal. They
/// have no tag there until their PIN is given.
async fn move_to(
    conn: &mut Tx,
    user: &User,
    numbers: &[DialedNumber],
    pin_unseen: bool,
) -> Result<(), StoreError> {
    let added: Vec<DialedNumber> = numbers
        .iter()
        .filter(|n| !user.numbers.contains(n))
        .cloned()
        .collect();
    if pin_unseen && !added.is_empty() {
        let has_pin: Option<(bool,)> =
            query_as("SELECT TRUE FROM users WHERE id = $1 AND pin_hash IS NOT NULL")
                .bind(user.id.to_string())
                .fetch_optional(&mut *conn)
                .await?;
        if has_pin.is_some() && any_pin_on(conn, &added).await? {
            return Err(StoreError::PinNeeded);
        }
    }
    for left in user.numbers.iter().filter(|number| !numbers.contains(number)) {
        query("DELETE FROM memberships WHERE number = $1 AND user_id = $2")
            .bind(left.as_e164())
            .bind(user.id.to_string())
            .execute(&mut *conn)
            .await?;
        revoke_links(conn, user.id, left).await?;
        touch_number(conn, left).await?;
    }
    for number in &added {
        join(conn, user.id, number, false).await?;
    }
    Ok(())
}

/// Takes back the open links to a number that a user leaves: they are not good again when the user comes back.
async fn revoke_links(conn: &mut Tx, user: UserId, number: &DialedNumber) -> Result<(), StoreError> {
    let revoked: Vec<(String,)> = query_as(
        "UPDATE invites SET revoked_at = $3 WHERE user_id = $1 AND number = $2 AND used_at IS NULL \
         AND revoked_at IS NULL AND expires_at > $3 RETURNING id",
    )
    .bind(user.to_string())
    .bind(number.as_e164())
    .bind(time_text(now()))
    .fetch_all(&mut *conn)
    .await?;
    for (id,) in revoked {
        append(conn, &NewAudit::new(Act::InviteRevoke).on(user).object(id)).await?;
    }
    Ok(())
}

/// The names of what a patch is to change.
fn changed_fields(name: bool, phones: bool, numbers: bool) -> Vec<&'static str> {
    let fields = [("name", name), ("phones", phones), ("numbers", numbers)];
    let changed = fields.into_iter().filter(|(_, changed)| *changed);
    changed.map(|(field, _)| field).collect()
}

/// Tells the audit log of a change.
async fn account_for_change(
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
