//! An entry of the audit log, and its canonical form.

use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::provenance::Provenance;
use crate::store::StoreError;
use crate::store::values::{now, read, read_time, read_u64, time_text};
use crate::units::{UserId, hex, words};

/// A hash of the chain.
pub(super) type Hash = [u8; 32];

words! {
    /// What was done; its word is its name in the log.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Act {
        /// An API key was made.
        KeyCreate = "key.create",
        /// An API key was revoked.
        KeyRevoke = "key.revoke",
        /// A tenant was added.
        TenantAdd = "tenant.add",
        /// A tenant was removed, with its numbers and keys.
        TenantRemove = "tenant.remove",
        /// A dialed number was added.
        NumberAdd = "number.add",
        /// What is promised of a number, or whose number its callers' is, was changed.
        NumberChange = "number.change",
        /// A user was added.
        UserAdd = "user.add",
        /// A user's name, phones or numbers were changed.
        UserChange = "user.change",
        /// A user was erased.
        UserErase = "user.erase",
        /// What is kept of a user was given out.
        UserExport = "user.export",
        /// A user wants not to be matched, or wants to be again.
        UserOptOut = "user.opt_out",
        /// A PIN was set or taken away.
        PinSet = "pin.set",
        /// A PIN was tried on a call.
        PinTry = "pin.try",
        /// A voice was enrolled, or refused.
        EnrolmentAdd = "enrolment.add",
        /// Enrolments of a user who stays were erased.
        EnrolmentErase = "enrolment.erase",
        /// A signup link was made.
        InviteCreate = "invite.create",
        /// A signup link was used.
        InviteUse = "invite.use",
        /// A signup link was taken back.
        InviteRevoke = "invite.revoke",
        /// A recording was to be identified.
        Identify = "identify",
        /// A call was served: one entry, however many streams and nodes it has.
        CallServe = "call.serve",
        /// Another speaker model was put in use.
        ModelSwitch = "model.switch",
        /// A backup was made.
        StoreBackup = "store.backup",
        /// A backup was put in place, and who was erased since was erased again.
        StoreRestore = "store.restore",
        /// The master key was changed, or the keys of the data.
        StoreRotateKey = "store.rotate_key",
        /// Something was changed in Vapi's account.
        VapiChange = "vapi.change",
        /// The audit log was given out.
        AuditExport = "audit.export",
        /// The beginning of the audit log was cut off: `object` has the last entry that went, and its hash.
        AuditCut = "audit.cut",
        /// Something went because its time was over.
        RetentionRun = "retention.run",
    }
}

/// An entry to write: what was done, by whom this task works for, now.
#[derive(Debug, Clone)]
pub struct NewAudit {
    pub(super) act: Act,
    pub(super) at: OffsetDateTime,
    pub(super) by: Provenance,
    pub(super) user: Option<UserId>,
    pub(super) object: Option<String>,
    pub(super) outcome: String,
    pub(super) detail: Option<Value>,
}

impl NewAudit {
    /// Something was done.
    pub fn new(act: Act) -> Self {
        Self {
            act,
            at: now(),
            by: Provenance::current(),
            user: None,
            object: None,
            outcome: "done".to_owned(),
            detail: None,
        }
    }

    /// On this user.
    #[must_use]
    pub fn on(mut self, user: impl Into<Option<UserId>>) -> Self {
        self.user = user.into();
        self
    }

    /// On this object: the id of a key, a link, an enrolment, a call or a model, or a masked number.
    #[must_use]
    pub fn object(mut self, object: impl ToString) -> Self {
        self.object = Some(object.to_string());
        self
    }

    /// Something else came of it than that it was done.
    #[must_use]
    pub fn outcome(mut self, outcome: impl Into<String>) -> Self {
        self.outcome = outcome.into();
        self
    }

    /// What else is to be known: counts and names of fields, never what is in them.
    #[must_use]
    pub fn detail(mut self, detail: Value) -> Self {
        self.detail = Some(detail);
        self
    }
}

/// An entry of the audit log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct AuditEntry {
    /// Its place in the chain, from 1.
    pub seq: u64,
    /// When it was done.
    #[serde(with = "time::serde::rfc3339")]
    #[schema(value_type = String, format = DateTime)]
    pub at: OffsetDateTime,
    /// By whom: `key`, `cli`, `carrier`, `vapi`, `link`, `service`, `development` or `nobody`.
    pub actor: String,
    /// Which key or link by its id, or which carrier.
    pub actor_id: Option<String>,
    /// The address of the peer that asked, where one did; behind a proxy the proxy's.
    pub address: Option<String>,
    /// What was done, as in `enrolment.add`.
    pub act: String,
    /// On which user.
    #[schema(value_type = Option<String>, format = "uuid")]
    pub user_id: Option<UserId>,
    /// On which key, link, enrolment, call or model, by its id; a number is masked.
    pub object: Option<String>,
    /// What came of it, as in `done` or `refused`.
    pub outcome: String,
    /// Counts and names of fields, as JSON.
    pub detail: Option<String>,
    /// SHA-256 of the hash before it and of the entry, in hexadecimal digits.
    pub hash: String,
}

/// A row of the table.
pub(super) type Row = (
    i64,
    String,
    String,
    Option<String>,
    Option<String>,
    String,
    Option<String>,
    Option<String>,
    String,
    Option<String>,
    Vec<u8>,
);

/// A row's columns.
macro_rules! select {
    ($($rest:literal),+) => {
        concat!(
            "SELECT seq, at, actor, actor_id, address, act, user_id, object, outcome, detail, hash FROM audit ",
            $($rest),+
        )
    };
}
pub(super) use select;

/// The hash of an entry: SHA-256 (FIPS 180-4) of the 32 bytes before it and the entry as a JSON array without white space
/// (RFC 8259), its fields in the order of the columns, the time as it is stored.
pub(super) fn hash_of(before: &[u8], row: &Row) -> Result<Hash, StoreError> {
    let (seq, at, actor, actor_id, address, act, user_id, object, outcome, detail, _) = row;
    let fields = (
        seq, at, actor, actor_id, address, act, user_id, object, outcome, detail,
    );
    let canonical = serde_json::to_vec(&fields).map_err(|_| StoreError::Unreadable {
        what: "entry of the audit log",
    })?;
    Ok(Sha256::new()
        .chain_update(before)
        .chain_update(canonical)
        .finalize()
        .into())
}

/// What an entry on a cut says of where it was.
pub(super) fn cut_at(seq: i64, hash: &[u8]) -> String {
    format!("{seq} {}", hex(hash))
}

/// The row of an entry at a place in the chain, its hash not made yet.
pub(super) fn row_of(seq: i64, new: &NewAudit) -> Row {
    let (actor, actor_id) = new.by.actor().columns();
    (
        seq,
        time_text(new.at),
        actor.to_owned(),
        actor_id,
        new.by.address().map(|address| address.to_string()),
        new.act.name().to_owned(),
        new.user.map(|user| user.to_string()),
        new.object.clone(),
        new.outcome.clone(),
        new.detail.as_ref().map(Value::to_string),
        Vec::new(),
    )
}

pub(super) fn read_row(row: Row) -> Result<AuditEntry, StoreError> {
    let (seq, at, actor, actor_id, address, act, user_id, object, outcome, detail, hash) = row;
    Ok(AuditEntry {
        seq: read_u64(seq, "entry of the audit log")?,
        at: read_time(&at)?,
        actor,
        actor_id,
        address,
        act,
        user_id: user_id.map(|id| read(&id, "user id")).transpose()?,
        object,
        outcome,
        detail,
        hash: hex(&hash),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_is_the_one_that_another_program_comes_to() {
        let row = (
            7,
            "2026-11-29T05:00:00.000001Z".to_owned(),
            "key".to_owned(),
            Some("0199".to_owned()),
            None,
            "user.change".to_owned(),
            None,
            Some("\"é\\".to_owned()),
            "done".to_owned(),
            Some(r#"{"changed":["name"]}"#.to_owned()),
            Vec::new(),
        );
        // Python's hashlib and json, separators=(",", ":"), ensure_ascii=False.
        let golden = "97f96b079d05b58bc6379b90316fe3e9c52f276a7dd2b6430023f7890c93d4a6";
        assert_eq!(hex(&hash_of(&[1; 32], &row).unwrap()), golden);
    }
}
