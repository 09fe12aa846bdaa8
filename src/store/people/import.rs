//! Taking over many users at once, from the table an operator already has: all of them or none.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use super::names::open_name;
use super::phones::all_hashes;
use super::users::{NewUser, insert_user};
use crate::store::audit::{Act, NewAudit, append};
use crate::store::database::{Tx, query, query_as};
use crate::store::keys::{UserKeys, Whose};
use crate::store::pins::{
    HeldPin, NewPin, TriedPin, any_pin_on, fresh_salt, held_pins, make_salt, number_salt, taken_on,
};
use crate::store::secrets::NumberSalt;
use crate::store::tenancy::{insert_number, touch_number};
use crate::store::values::{now, one_spelling};
use crate::store::{Access, Pin, PinRule, Store, StoreError};
use crate::units::{DialedNumber, UserId};
use serde::Serialize;

/// A user to take over, and where they stood in the operator's file.
#[derive(Debug, Clone)]
pub struct ImportRow {
    /// The line of the file, or the row of the table.
    pub line: u64,
    /// The user, as the file has them.
    pub user: NewUser,
    /// The region of a number that is not here yet.
    pub region: Option<String>,
}

/// Something that stands against a row. It holds no PIN and no whole number.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RowFault {
    /// The line of the file, or the row of the table.
    pub line: u64,
    /// What stands against it.
    pub fault: String,
}

/// What an import did, or would do.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ImportReport {
    /// Users that were added.
    pub added: u64,
    /// Rows whose phone is on the number already; they were left as they are.
    pub unchanged: u64,
    /// Dialed numbers that were added for them.
    pub numbers_added: u64,
    /// Whether anything was written.
    pub written: bool,
    /// What stands against rows; when there is any, nothing was written.
    pub faults: Vec<RowFault>,
}

/// What PINs came to before the write lock was taken.
struct Hashed {
    /// Of the numbers on which PINs are to be set.
    salts: HashMap<DialedNumber, NumberSalt>,
    /// By the line of their row.
    pins: HashMap<u64, (NewPin, TriedPin)>,
}

impl Hashed {
    fn of(&self, row: &ImportRow) -> (Option<NumberSalt>, Option<&NewPin>) {
        let salt = self.salts.get(&row.user.number).copied();
        (salt, self.pins.get(&row.line).map(|(pin, _)| pin))
    }
}

impl Store {
    /// Adds users, and the numbers they are on where those are not here yet: all rows or, when anything stands
    /// against one of them, none. Rows that were taken over before change nothing, so that a file can be
    /// imported again. With `dry_run` nothing is written either way. Only the operator may add numbers by it, to
    /// `access`'s tenant; to everybody else a number that `access` does not see is one that is not here.
    ///
    /// # Errors
    /// [`StoreError`] when the store itself fails; what is wrong with rows is in the report.
    pub async fn import_users(
        &self,
        access: &Access,
        rows: &[ImportRow],
        dry_run: bool,
    ) -> Result<ImportReport, StoreError> {
        // Slow, and so before the write lock is taken.
        let salts = self.salts_for(access, rows).await?;
        let pins = self.hash_pins(access, rows, &salts, dry_run).await?;
        let hashed = Hashed { salts, pins };
        let report = ImportReport {
            faults: match self.pin_rule {
                PinRule::Unique => repeated_pins(rows),
                PinRule::Shared => Vec::new(),
            },
            ..ImportReport::default()
        };
        let ids: Vec<UserId> = rows.iter().map(|_| UserId::fresh()).collect();
        if !dry_run {
            self.make_user_keys(&ids).await?;
        }
        let done = self
            .import_with_keys(access, (rows, &ids), &hashed, report, dry_run)
            .await;
        if !dry_run {
            self.drop_unused_keys(&ids).await;
        }
        done
    }

    async fn import_with_keys(
        &self,
        access: &Access,
        (rows, ids): (&[ImportRow], &[UserId]),
        hashed: &Hashed,
        mut report: ImportReport,
        dry_run: bool,
    ) -> Result<ImportReport, StoreError> {
        let mut tx = self.write().await?;
        let mut refused = self.refused_pins(&mut tx, access, rows, &hashed.pins).await?;
        query("SAVEPOINT all_rows").execute(&mut tx).await?;
        for (row, id) in rows.iter().zip(ids) {
            query("SAVEPOINT one_row").execute(&mut tx).await?;
            let done = match refused.remove(&row.line) {
                Some(refusal) => Err(refusal),
                None => take_over(&mut tx, access, row, *id, hashed.of(row), &mut report).await,
            };
            match done {
                Ok(()) => {}
                Err(fault) if fault.is_of_the_row() => {
                    query("ROLLBACK TO SAVEPOINT one_row").execute(&mut tx).await?;
                    report.faults.push(RowFault {
                        line: row.line,
                        fault: fault.to_string(),
                    });
                }
                Err(fault) => return Err(fault),
            }
            query("RELEASE SAVEPOINT one_row").execute(&mut tx).await?;
        }
        report.faults.sort_by_key(|fault| fault.line);
        report.written = report.faults.is_empty() && !dry_run;
        if !report.written {
            // What was counted of PINs that are in use stays, or a dry run would tell of any number of them.
            query("ROLLBACK TO SAVEPOINT all_rows").execute(&mut tx).await?;
        }
        tx.commit().await?;
        Ok(report)
    }

    /// The salts of the numbers on which PINs are to be set: those they have, and fresh ones for the others, which
    /// are written with the rows. A number that `access` does not see has none here, so that no PIN is looked at on it.
    async fn salts_for(
        &self,
        access: &Access,
        rows: &[ImportRow],
    ) -> Result<HashMap<DialedNumber, NumberSalt>, StoreError> {
        let (mut salts, mut asked) = (HashMap::new(), HashSet::new());
        let mut tx = self.read().await?;
        for row in rows.iter().filter(|row| row.user.pin.is_some()) {
            let number = &row.user.number;
            if !asked.insert(number) {
                continue;
            }
            match is_number_here(&mut tx, access, number).await {
                Ok(_) => {}
                // The row is refused when its turn comes.
                Err(fault) if fault.is_of_the_row() => continue,
                Err(fault) => return Err(fault),
            }
            let salt = match number_salt(&mut tx, number).await? {
                Some(salt) => salt,
                None => fresh_salt()?,
            };
            salts.insert(number.clone(), salt);
        }
        Ok(salts)
    }

    /// The PINs by line, hashed, and tried against those that came to their numbers unseen. A dry run writes none, and so
    /// hashes only those that somebody may have already.
    async fn hash_pins(
        &self,
        access: &Access,
        rows: &[ImportRow],
        salts: &HashMap<DialedNumber, NumberSalt>,
        dry_run: bool,
    ) -> Result<HashMap<u64, (NewPin, TriedPin)>, StoreError> {
        let mut pins = HashMap::new();
        let mut unseen: HashMap<&DialedNumber, Vec<HeldPin>> = HashMap::new();
        for row in rows {
            let number = &row.user.number;
            let (Some(pin), Some(salt)) = (&row.user.pin, salts.get(number)) else {
                continue;
            };
            if dry_run && !any_pin_on(&mut self.read().await?, std::slice::from_ref(number)).await? {
                continue;
            }
            let new = self.hash_pin(pin, vec![(number.clone(), *salt)]).await?;
            let unseen: &[HeldPin] = match unseen.entry(number) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => {
                    unknown.insert(self.unseen_on(number, access.key().is_some()).await?)
                }
            };
            let tried = if unseen.is_empty() || is_here(&mut self.read().await?, &row.user).await? {
                TriedPin::default()
            } else {
                self.try_against(pin, unseen).await?
            };
            pins.insert(row.line, (new, tried));
        }
        Ok(pins)
    }

    /// What stands against the PINs of new users, by the line of their row.
    async fn refused_pins(
        &self,
        conn: &mut Tx,
        access: &Access,
        rows: &[ImportRow],
        pins: &HashMap<u64, (NewPin, TriedPin)>,
    ) -> Result<HashMap<u64, StoreError>, StoreError> {
        let mut refused = HashMap::new();
        if self.pin_rule == PinRule::Shared {
            return Ok(refused);
        }
        let mut in_use: HashMap<&DialedNumber, Vec<HeldPin>> = HashMap::new();
        for row in rows {
            let Some(pin) = pins.get(&row.line) else { continue };
            if is_here(conn, &row.user).await? {
                continue;
            }
            let number = &row.user.number;
            let held = match in_use.entry(number) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => unknown.insert(held_pins(conn, number).await?),
            };
            match self.refuse_held(conn, access, (number, pin), held).await {
                Ok(()) => {}
                Err(fault) if fault.is_of_the_row() => {
                    refused.insert(row.line, fault);
                }
                Err(fault) => return Err(fault),
            }
        }
        Ok(refused)
    }

    /// Refuses a PIN that is one of those in use on its number, and any while too many of them were met there.
    ///
    /// Whoever works on the machine itself is not limited: with the key file they have every PIN anyway, and a large
    /// table's first import is told of all that stands against it.
    async fn refuse_held(
        &self,
        conn: &mut Tx,
        access: &Access,
        (number, (pin, tried)): (&DialedNumber, &(NewPin, TriedPin)),
        held: &[HeldPin],
    ) -> Result<(), StoreError> {
        let limited = access.key().is_some();
        if limited {
            self.may_set_pin(conn, &[number]).await?;
        }
        let known = pin
            .tags
            .iter()
            .any(|(_, tag)| held.iter().any(|one| one.has(tag)));
        if !known && !tried.is_among(held)? {
            return Ok(());
        }
        if limited {
            self.pin_was_taken(conn, &[number]).await?;
        } else {
            append(conn, &taken_on(number)).await?;
        }
        Err(StoreError::PinTaken)
    }
}

/// PINs that two rows of one number have.
fn repeated_pins(rows: &[ImportRow]) -> Vec<RowFault> {
    let mut seen: HashMap<(&DialedNumber, &str), u64> = HashMap::new();
    let mut faults = Vec::new();
    for row in rows {
        let Some(pin) = &row.user.pin else { continue };
        match seen.get(&(&row.user.number, Pin::digits(pin))) {
            Some(first) => faults.push(RowFault {
                line: row.line,
                fault: format!("has the PIN of line {first}: on one number every PIN is one user's"),
            }),
            None => {
                seen.insert((&row.user.number, Pin::digits(pin)), row.line);
            }
        }
    }
    faults
}

async fn take_over(
    conn: &mut Tx,
    access: &Access,
    row: &ImportRow,
    id: UserId,
    (salt, pin): (Option<NumberSalt>, Option<&NewPin>),
    report: &mut ImportReport,
) -> Result<(), StoreError> {
    let added = add_number(conn, access, &row.user.number, row.region.as_deref()).await?;
    if is_here(conn, &row.user).await? {
        report.unchanged += 1;
        return Ok(());
    }
    let written = match salt {
        Some(salt) => Some(make_salt(conn, &row.user.number, salt).await?),
        None => None,
    };
    if written != salt || salt.is_none() && row.user.pin.is_some() {
        // While the PINs were hashed somebody else gave the number its salt, or to this access the number.
        return Err(StoreError::Busy);
    }
    insert_user(conn, id, &row.user, pin).await?;
    report.numbers_added += u64::from(added);
    report.added += 1;
    Ok(())
}

/// Whether one of the user's phones is on their number already.
async fn is_here(conn: &mut Tx, user: &NewUser) -> Result<bool, StoreError> {
    let named = one_spelling(&user.name);
    for phone in &user.phones {
        for hash in all_hashes(conn, phone).await? {
            let rows: Vec<(String, Vec<u8>)> = query_as(
                "SELECT u.id, u.name FROM phones p JOIN memberships m ON m.user_id = p.user_id \
                 JOIN users u ON u.id = p.user_id WHERE p.lookup = $1 AND m.number = $2",
            )
            .bind(hash)
            .bind(user.number.as_e164())
            .fetch_all(&mut *conn)
            .await?;
            for (id, name) in rows {
                let keys = UserKeys::read(conn, Whose::User(&id)).await?;
                if open_name(&keys, &id, &name)?.is_some_and(|name| one_spelling(&name) == named) {
                    return Ok(true);
                }
            }
        }
    }
    Ok(false)
}

/// Whether a number is here already; refuses one that `access` neither sees nor may add.
async fn is_number_here(conn: &mut Tx, access: &Access, number: &DialedNumber) -> Result<bool, StoreError> {
    let owner: Option<(String,)> = query_as("SELECT tenant_id FROM numbers WHERE number = $1")
        .bind(number.as_e164())
        .fetch_optional(conn)
        .await?;
    match owner {
        Some((tenant,)) if tenant == access.tenant_text() && access.covers(number) => Ok(true),
        // The operator alone is told that a number is somebody else's.
        Some(_) if access.may_add_numbers() => Err(StoreError::NumberExists(number.clone())),
        None if access.may_add_numbers() => Ok(false),
        _ => Err(StoreError::UnknownNumber(number.clone())),
    }
}

/// Adds a number where it is not here and may be added; refuses one that `access` does not see.
async fn add_number(
    conn: &mut Tx,
    access: &Access,
    number: &DialedNumber,
    region: Option<&str>,
) -> Result<bool, StoreError> {
    if is_number_here(conn, access, number).await? {
        return Ok(false);
    }
    insert_number(conn, access.tenant(), number, region, None, now()).await?;
    touch_number(conn, number).await?;
    append(conn, &NewAudit::new(Act::NumberAdd).object(number.masked())).await?;
    Ok(true)
}

impl StoreError {
    /// Whether the fault is a row's, and the others may be looked at all the same.
    const fn is_of_the_row(&self) -> bool {
        matches!(
            self,
            Self::NumberIsExclusive(_)
                | Self::NumberHasUsers(_)
                | Self::NumberExists(_)
                | Self::UnknownNumber(_)
                | Self::PhoneTaken { .. }
                | Self::PinTaken
                | Self::PinsLocked { .. }
                | Self::BadText { .. }
                | Self::TooMany { .. }
        )
    }
}
