//! Whether the chain is whole.

use serde::Serialize;

use super::entry::{Act, Row, cut_at, hash_of, select};
use crate::store::database::{Tx, query_as};
use crate::store::values::read_u64;
use crate::store::{Store, StoreError};
use crate::units::hex;

/// Entries in memory at a time.
const PAGE: usize = 1000;

/// What was found of the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditReport {
    /// How many entries fit.
    pub entries: u64,
    /// How many entries before them were cut off, their time being over.
    pub cut: u64,
    /// The hash of the last entry that fits: note it elsewhere, and a log whose end is cut off is found too.
    pub head: String,
    /// The first thing that does not fit.
    pub fault: Option<AuditFault>,
}

/// Something that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AuditFault {
    /// Which entry it is.
    pub seq: u64,
    /// What is wrong with it.
    pub kind: AuditFaultKind,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditFaultKind {
    /// It was removed.
    Missing,
    /// It, or its place, was changed.
    Changed,
    /// It stands outside the chain: after its end, or before its beginning.
    Added,
    /// It and those before it were cut off, and no entry tells of that.
    CutOff,
    /// The hash that was noted is not that of any entry: what it was of was changed or cut off.
    NotedHashUnknown,
}

impl AuditFault {
    /// What is wrong, in words.
    pub fn words(&self) -> String {
        let seq = self.seq;
        match self.kind {
            AuditFaultKind::Missing => format!("entry {seq} was removed"),
            AuditFaultKind::Changed => format!("entry {seq} is not the one that was written"),
            AuditFaultKind::Added => format!("entry {seq} was added outside the chain"),
            AuditFaultKind::CutOff => {
                format!("the entries up to {seq} were cut off by no run of the service's")
            }
            AuditFaultKind::NotedHashUnknown => format!(
                "no entry up to the last one, {seq}, has the hash that was noted: the log was written anew, or its end \
                 was cut off"
            ),
        }
    }
}

/// The chain as far as it was followed.
struct Followed {
    seq: i64,
    hash: Vec<u8>,
    noted_seen: bool,
    /// What the latest entry on a cut says.
    cut: Option<String>,
}

impl Store {
    /// Follows the chain from its beginning, or from where it was cut, to its end. `noted` is a hash that was noted
    /// elsewhere at an earlier time: it has to be one of the chain's.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read. What is wrong with the chain is in the report.
    pub async fn verify_audit(&self, noted: Option<&[u8; 32]>) -> Result<AuditReport, StoreError> {
        let mut tx = self.read().await?;
        let (end, head, cut, cut_hash): (i64, Vec<u8>, i64, Vec<u8>) =
            query_as("SELECT seq, hash, cut_seq, cut_hash FROM audit_head WHERE one = 1")
                .fetch_one(&mut tx)
                .await?;
        let told = (cut > 0).then(|| cut_at(cut, &cut_hash));
        let is_noted = |hash: &[u8]| noted.is_none_or(|noted| noted[..] == *hash);
        let mut followed = Followed {
            seq: cut,
            noted_seen: is_noted(&cut_hash),
            cut: None,
            hash: cut_hash,
        };
        let broken = follow(&mut tx, &mut followed, end, &is_noted).await?;
        let fault = |seq: i64, kind| AuditFault {
            seq: u64::try_from(seq).unwrap_or_default(),
            kind,
        };
        let last = followed.seq;
        let found = match broken {
            Some((seq, kind)) => Some(fault(seq, kind)),
            None if last < end => Some(fault(last + 1, AuditFaultKind::Missing)),
            None if followed.hash != head => Some(fault(last, AuditFaultKind::Changed)),
            None if followed.cut != told => Some(fault(cut, AuditFaultKind::CutOff)),
            None if !followed.noted_seen => Some(fault(last, AuditFaultKind::NotedHashUnknown)),
            None => None,
        };
        Ok(AuditReport {
            entries: read_u64(last - cut, "count of the audit log")?,
            cut: read_u64(cut, "count of the audit log")?,
            head: hex(&followed.hash),
            fault: found,
        })
    }
}

/// Follows the chain while it fits; gives the first place at which it does not.
async fn follow(
    conn: &mut Tx,
    followed: &mut Followed,
    end: i64,
    is_noted: &(dyn Fn(&[u8]) -> bool + Sync),
) -> Result<Option<(i64, AuditFaultKind)>, StoreError> {
    // One before the cut, which a cut would have taken along, shows as well.
    let mut after = i64::MIN;
    loop {
        let rows: Vec<Row> = query_as(select!("WHERE seq > $1 ORDER BY seq LIMIT $2"))
            .bind(after)
            .bind(PAGE as i64)
            .fetch_all(&mut *conn)
            .await?;
        let count = rows.len();
        for row in rows {
            let (seq, expected) = (row.0, followed.seq + 1);
            after = seq;
            if seq < expected || seq > end {
                return Ok(Some((seq, AuditFaultKind::Added)));
            }
            if seq > expected {
                return Ok(Some((expected, AuditFaultKind::Missing)));
            }
            if hash_of(&followed.hash, &row)?[..] != row.10[..] {
                return Ok(Some((seq, AuditFaultKind::Changed)));
            }
            followed.noted_seen |= is_noted(&row.10);
            if row.5 == Act::AuditCut.name() {
                followed.cut.clone_from(&row.7);
            }
            (followed.seq, followed.hash) = (seq, row.10);
        }
        if count < PAGE {
            return Ok(None);
        }
    }
}
