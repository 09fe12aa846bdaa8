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
use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use time::Duration;
use uuid::Uuid;

use super::database::{Listed, Tx, query, query_as};
use super::error::on_disk;
use super::files::folder_of;
use super::values::{now, read_time, time_text};
use super::{Store, StoreError};
use crate::units::{EnrolmentId, KeyId, UserId};

/// The file's name beside the database.
pub(super) const FILE: &str = "erased.txt";

/// More bytes than any line has.
const LONGEST_LINE: u64 = 256;
/// How much older than the newest row one may be that is committed after it: clocks differ, and transactions take time.
const LATE: Duration = Duration::days(1);

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
    /// erased just before a crash. A disk that is full leaves it for the next time. All of both is read once a process, and
    /// then what is new.
    pub(crate) async fn write_erased_list(&self) {
        // What fails, or is dropped half-way, leaves nothing that passes for known.
        let mut listed = self.listed.lock().await;
        match self.listed_after(listed.take()).await {
            Ok(now) => *listed = Some(now),
            Err(fault) => {
                tracing::warn!(%fault, "the list of what was erased is behind the store: {fault}");
            }
        }
    }

    /// Adds to the file what the table has beyond `before`.
    async fn listed_after(&self, before: Option<Listed>) -> Result<Listed, StoreError> {
        let path = list_beside(self.path());
        let mut tx = self.read().await?;
        let (count, newest): (i64, Option<String>) = query_as("SELECT COUNT(*), MAX(at) FROM erased")
            .fetch_one(&mut tx)
            .await?;
        let length = std::fs::metadata(&path).map_or(0, |file| file.len());
        // One that was cut or taken away is written anew.
        let mut listed = before.filter(|known| known.length <= length).unwrap_or_default();
        if listed.count == count {
            return Ok(listed);
        }
        let mut new = rows_beyond(&mut tx, &listed).await?;
        if listed.count + i64::try_from(new.len()).unwrap_or(i64::MAX) != count {
            // Some have a time that is far off.
            listed = Listed::default();
            new = rows_beyond(&mut tx, &listed).await?;
        }
        drop(tx);
        let ids = new
            .iter()
            .filter_map(|((kind, id), _)| ErasedId::of_parts(kind, id));
        let ids: Vec<ErasedId> = ids.collect();
        let from = listed.length;
        listed.length = on_disk(&path, move |path| add_after(path, &ids, from)).await?;
        listed.count = count;
        if let Some(newest) = newest {
            listed.since = time_text(read_time(&newest)? - LATE);
        }
        listed.recent.extend(new);
        listed.recent.retain(|_, at| *at >= listed.since);
        Ok(listed)
    }
}

/// Where the list lies.
pub(super) fn list_beside(store: &Path) -> PathBuf {
    folder_of(store).join(FILE)
}

/// The rows that are not among those of `listed`: their kinds and ids, and when they were written.
async fn rows_beyond(conn: &mut Tx, listed: &Listed) -> Result<Vec<((String, String), String)>, StoreError> {
    let rows: Vec<(String, String, String)> =
        query_as("SELECT kind, id, at FROM erased WHERE at >= $1 ORDER BY at, kind, id")
            .bind(&listed.since)
            .fetch_all(conn)
            .await?;
    let rows = rows.into_iter().map(|(kind, id, at)| ((kind, id), at));
    Ok(rows.filter(|(row, _)| !listed.recent.contains_key(row)).collect())
}

/// Reads a list. A last line that a crash cut off is left out: what it was to say stands in the table.
///
/// # Errors
/// What the system says, or which line is none of ours.
pub(super) fn read_list(path: &Path) -> io::Result<BTreeSet<ErasedId>> {
    Ok(read_lines(File::open(path)?)?.0)
}

/// The ids of a list, and how many bytes its whole lines have.
fn read_lines(file: impl Read) -> io::Result<(BTreeSet<ErasedId>, u64)> {
    let mut reader = BufReader::new(file);
    let (mut ids, mut whole, mut line) = (BTreeSet::<ErasedId>::new(), 0, Vec::new());
    for number in 1.. {
        let why = || io::Error::other(format!("line {number} is not of a list of erased ids"));
        line.clear();
        let bytes = (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line)?;
        if line.last() != Some(&b'\n') {
            if bytes as u64 == LONGEST_LINE {
                return Err(why());
            }
            break;
        }
        whole += bytes as u64;
        let text = std::str::from_utf8(&line).map_err(|_| why())?.trim();
        if !text.is_empty() {
            ids.insert(text.parse().map_err(|()| why())?);
        }
    }
    Ok((ids, whole))
}

/// Adds to the list at `path` what is not in it yet, and makes it when there is none.
pub(super) fn add_to(path: &Path, all: &[ErasedId]) -> io::Result<()> {
    add_after(path, all, 0).map(drop)
}

/// Adds to the list at `path` what is not in it behind its first `from` bytes; gives how many it has then.
fn add_after(path: &Path, all: &[ErasedId], from: u64) -> io::Result<u64> {
    if all.is_empty() && !path.exists() {
        return Ok(0);
    }
    let mut file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .mode(0o600)
        .open(path)?;
    // Two processes that add at once must not cut each other's lines.
    file.lock()?;
    let length = file.metadata()?.len();
    if length < from {
        return Err(io::Error::other("it was cut while it was added to"));
    }
    file.seek(SeekFrom::Start(from))?;
    let (known, whole) = read_lines(&file)?;
    if from + whole < length {
        file.set_len(from + whole)?;
    }
    let new: String = all
        .iter()
        .filter(|id| !known.contains(id))
        .map(|id| format!("{id}\n"))
        .collect();
    if !new.is_empty() {
        file.seek(SeekFrom::End(0))?;
        file.write_all(new.as_bytes())?;
        file.sync_all()?;
    }
    Ok(from + whole + new.len() as u64)
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
        for line in ["2026-11-29T05:00:00Z user not-an-id\n", &"x".repeat(300)] {
            std::fs::write(&path, line).unwrap();
            assert!(read_list(&path).unwrap_err().to_string().contains("line 1"));
            assert!(add_to(&path, &[]).is_err());
            assert_eq!(std::fs::read_to_string(&path).unwrap(), line);
        }
    }

    #[tokio::test]
    async fn what_is_listed_already_is_not_read_again() {
        let (_folder, store) = Store::in_a_folder().await;
        let path = list_beside(store.path());
        let erase = async |id: ErasedId| {
            let mut tx = store.write().await.unwrap();
            note(&mut tx, id).await.unwrap();
            tx.commit().await.unwrap();
            store.write_erased_list().await;
            std::fs::read_to_string(&path).unwrap()
        };
        let [ana, bob, eve] = [(); 3].map(|()| ErasedId::User(UserId::fresh()));
        let first = erase(ana).await;
        // Nobody could read it.
        std::fs::write(&path, "x".repeat(first.len() - 1) + "\n").unwrap();
        let second = erase(bob).await;
        assert!(
            second.starts_with("xx") && second.len() == 2 * first.len(),
            "{second}"
        );
        // One that is gone comes back whole.
        std::fs::remove_file(&path).unwrap();
        erase(eve).await;
        assert_eq!(read_list(&path).unwrap(), [ana, bob, eve].into());
    }
}
