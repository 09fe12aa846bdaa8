//! What was erased or revoked for good, by ids alone, so that no backup brings it back.
//!
//! It stands in a table, written in the transaction that erases, and in the file `erased.txt` beside the database, which
//! outlives the database: a restored backup is brought up to that file before anybody is served from it.
//!
//! ```text
//! 2026-11-29T05:00:00.000000Z user 0199aaaa-0000-7000-8000-000000000000
//! ```

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use uuid::Uuid;

use super::database::{Tx, query, query_as};
use super::files::folder_of;
use super::values::{now, time_text};
use super::{Store, StoreError};
use crate::units::{EnrolmentId, KeyId, UserId};

/// The file's name beside the database.
pub(super) const FILE: &str = "erased.txt";

/// The most bytes of a list that are read: some millions of lines.
const LARGEST: u64 = 256 * 1024 * 1024;

/// What was erased, or revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum ErasedId {
    User(UserId),
    Enrolment(EnrolmentId),
    Key(KeyId),
}

impl ErasedId {
    fn parts(self) -> (&'static str, Uuid) {
        match self {
            Self::User(id) => ("user", *id.as_uuid()),
            Self::Enrolment(id) => ("enrollment", *id.as_uuid()),
            Self::Key(id) => ("key", *id.as_uuid()),
        }
    }

    pub(super) fn of_parts(kind: &str, id: &str) -> Option<Self> {
        let id = Uuid::parse_str(id).ok()?;
        Some(match kind {
            "user" => Self::User(UserId::from_uuid(id)),
            "enrollment" => Self::Enrolment(EnrolmentId::from_uuid(id)),
            "key" => Self::Key(KeyId::from_uuid(id)),
            _ => return None,
        })
    }
}

/// One line of the list, without its end.
impl fmt::Display for ErasedId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, id) = self.parts();
        write!(f, "{} {kind} {id}", time_text(now()))
    }
}

/// A line without its time: an id is erased whenever it was.
impl FromStr for ErasedId {
    type Err = ();

    fn from_str(line: &str) -> Result<Self, ()> {
        let mut words = line.split_ascii_whitespace();
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some(_), Some(kind), Some(id), None) => Self::of_parts(kind, id).ok_or(()),
            _ => Err(()),
        }
    }
}

/// Notes an erasure in the transaction that makes it.
pub(super) async fn note(tx: &mut Tx, id: ErasedId) -> Result<(), StoreError> {
    let (kind, uuid) = id.parts();
    query("INSERT INTO erased (kind, id, at) VALUES ($1, $2, $3) ON CONFLICT (kind, id) DO NOTHING")
        .bind(kind)
        .bind(uuid.to_string())
        .bind(time_text(now()))
        .execute(tx)
        .await?;
    Ok(())
}

impl Store {
    /// Brings the file beside the database up to the table: what this process erased, what others did, and what was
    /// erased just before a crash. A disk that is full leaves it for the next time.
    pub(crate) async fn write_erased_list(&self) {
        let listed = async {
            let all = self.erased().await?;
            let path = list_beside(self.path());
            let shown = path.clone();
            let added = tokio::task::spawn_blocking(move || add_to(&path, &all)).await;
            added
                .map_err(|_| StoreError::Interrupted)?
                .map_err(|source| StoreError::Unwritable { path: shown, source })
        };
        if let Err(fault) = listed.await {
            tracing::warn!(%fault, "the list of what was erased is behind the store: {fault}");
        }
    }

    /// Everything that was ever erased here.
    pub(super) async fn erased(&self) -> Result<Vec<ErasedId>, StoreError> {
        let rows: Vec<(String, String)> = query_as("SELECT kind, id FROM erased ORDER BY at, kind, id")
            .fetch_all(self.pool())
            .await?;
        let known = rows.iter().filter_map(|(kind, id)| ErasedId::of_parts(kind, id));
        Ok(known.collect())
    }
}

/// Where the list lies.
pub(super) fn list_beside(store: &Path) -> PathBuf {
    folder_of(store).join(FILE)
}

/// Reads a list. A last line that a crash cut off is left out: what it was to say stands in the table.
///
/// # Errors
/// What the system says, or which line is none of ours.
pub(super) fn read_list(path: &Path) -> io::Result<BTreeSet<ErasedId>> {
    let mut text = String::new();
    File::open(path)?.take(LARGEST).read_to_string(&mut text)?;
    parsed(&text)
}

fn parsed(text: &str) -> io::Result<BTreeSet<ErasedId>> {
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    let lines = whole
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    let read = |(at, line): (usize, &str)| {
        let why = || io::Error::other(format!("line {} is not of a list of erased ids", at + 1));
        line.parse().map_err(|()| why())
    };
    lines.map(read).collect()
}

/// Adds to the list at `path` what is not in it yet, and makes it when there is none.
pub(super) fn add_to(path: &Path, all: &[ErasedId]) -> io::Result<()> {
    if all.is_empty() && !path.exists() {
        return Ok(());
    }
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    // Two processes that add at once must not cut each other's lines.
    file.lock()?;
    let mut text = String::new();
    Read::by_ref(&mut file).take(LARGEST).read_to_string(&mut text)?;
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    if whole < text.len() {
        file.set_len(whole as u64)?;
    }
    let known = parsed(&text)?;
    let new: String = all
        .iter()
        .filter(|id| !known.contains(id))
        .map(|id| format!("{id}\n"))
        .collect();
    if new.is_empty() {
        return Ok(());
    }
    file.seek(SeekFrom::End(0))?;
    file.write_all(new.as_bytes())?;
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_takes_each_id_once_and_forgets_a_line_that_was_cut_off() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        let (ana, key) = (ErasedId::User(UserId::fresh()), ErasedId::Key(KeyId::fresh()));
        add_to(&path, &[ana]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        std::fs::write(&path, [&whole[..], b"2026-11-29T05:00:00.0000"].concat()).unwrap();
        assert_eq!(read_list(&path).unwrap(), [ana].into());
        add_to(&path, &[ana, key]).unwrap();
        assert_eq!(read_list(&path).unwrap(), [ana, key].into());
        assert_eq!(std::fs::read_to_string(&path).unwrap().lines().count(), 2);
    }

    #[test]
    fn a_file_that_is_no_list_is_refused_by_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(FILE);
        std::fs::write(&path, "2026-11-29T05:00:00Z user not-an-id\n").unwrap();
        assert!(read_list(&path).unwrap_err().to_string().contains("line 1"));
    }
}
