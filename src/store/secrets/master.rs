//! The master key: where it comes from, and how it is told from another.
//!
//! It wraps every other key of the store and lies nowhere in it. While it is being changed there are two: the one in
//! use and the one to come.

use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

use super::data_key::{DataKey, KEY_BYTES};
use crate::store::{MasterFault, files};
use crate::units::unhex;

/// Where it lies beside the store, unless it is given otherwise.
pub(in crate::store) const FILE: &str = "master.key";
/// How long a command may take to print the key.
const COMMAND_PATIENCE: Duration = Duration::from_secs(30);
/// Most bytes that are read of a file or a command: two keys in hexadecimal with room around them.
const LONGEST: u64 = 4096;
/// Most keys of one source: the one in use and the one to come.
const MOST_KEYS: usize = 2;

/// Where the master key comes from.
#[derive(Debug, Clone)]
pub(in crate::store) enum MasterSource {
    /// A file of 32 bytes or 64 hexadecimal digits; the one to come is beside it, as `.new`.
    File {
        path: PathBuf,
        /// Whether a new store makes it.
        ours: bool,
    },
    /// The value of a setting: one key, or two with white space between.
    Value(SecretString),
    /// A command line for the shell, which prints the same.
    Command(String),
}

/// A master key, and where it was.
#[derive(Debug)]
pub(in crate::store) struct MasterKey {
    pub key: DataKey,
    /// Whether it lay in the file of the one to come.
    pub beside: bool,
}

impl MasterSource {
    /// The keys there are, the one in use before the one to come: none where there is no file.
    pub fn read(&self) -> Result<Vec<MasterKey>, MasterFault> {
        match self {
            Self::File { path, .. } => {
                let of = |path: &Path, beside| {
                    let key = self.read_file(path)?;
                    Ok(key.map(|key| MasterKey { key, beside }))
                };
                // The one to come first: it may take the other's place between the two, and would be missed in both.
                let next = of(&successor(path), true)?;
                let both = [of(path, false)?, next];
                Ok(both.into_iter().flatten().collect())
            }
            Self::Value(text) => self.parsed(text.expose_secret()),
            Self::Command(line) => {
                let printed = run(line).map_err(|source| self.io(source))?;
                self.parsed(&printed)
            }
        }
    }

    fn parsed(&self, text: &str) -> Result<Vec<MasterKey>, MasterFault> {
        let keys = parse(text).map_err(|why| MasterFault::Malformed {
            place: self.place(),
            why,
        })?;
        let beside = false;
        Ok(keys.into_iter().map(|key| MasterKey { key, beside }).collect())
    }

    /// What people call it.
    pub fn place(&self) -> String {
        match self {
            Self::File { path, .. } => path.display().to_string(),
            Self::Value(_) => "store.master_key".to_owned(),
            Self::Command(_) => "the command of store.master_key_command".to_owned(),
        }
    }

    /// The file of it that others may read or write, if there is one. It opens the store all the same: what a secret is
    /// mounted with, not every deployment can choose.
    pub fn for_others(&self) -> Option<PathBuf> {
        let Self::File { path, .. } = self else {
            return None;
        };
        let mut files = [path.clone(), successor(path)].into_iter();
        files.find(|path| {
            let found = std::fs::metadata(path);
            found.is_ok_and(|found| files::is_for_others(&found.permissions()))
        })
    }

    /// Makes the key of a new store, where that is ours to make. The caller holds the database's write lock.
    pub fn make(&self) -> Result<DataKey, MasterFault> {
        match self {
            Self::File { path, ours: true } => self.write(path),
            _ => Err(MasterFault::Missing { place: self.place() }),
        }
    }

    /// Makes the key to come, where that is ours to make. The caller holds the database's write lock.
    pub fn make_successor(&self) -> Result<DataKey, MasterFault> {
        match self {
            Self::File { path, .. } => {
                let next = successor(path);
                let key = self.write(&next)?;
                // Whoever changes the key may be another user than the one who serves.
                if let Err(fault) = files::give_to_owner_of(path, &next) {
                    tracing::warn!(%fault, "the new master key has another owner than the one before: {fault}");
                }
                Ok(key)
            }
            _ => Err(MasterFault::NoSuccessor { place: self.place() }),
        }
    }

    /// Puts the key to come in the place of the one that was in use, where the keys are wrapped by it already: `used` tells
    /// it. Another process may have done so, and may even be at the next change.
    pub fn settle(&self, used: impl Fn(&DataKey) -> bool) -> Result<(), MasterFault> {
        let Self::File { path, .. } = self else {
            return Ok(());
        };
        let next = successor(path);
        // One at a time: what is looked at is what is put in place.
        let _alone = files::lock(path).map_err(|source| self.io(source))?;
        if !self.read_file(&next)?.is_some_and(|key| used(&key)) {
            return Ok(());
        }
        let old = std::fs::OpenOptions::new().write(true).open(path).ok();
        std::fs::rename(&next, path)
            .and_then(|()| std::fs::File::open(files::folder_of(path))?.sync_all())
            .map_err(|source| self.io(source))?;
        // Nothing is wrapped by it any more: its bytes go too, as far as the disk lets them.
        if let Some(mut old) = old {
            let length = old.metadata().map_or(0, |old| old.len().min(LONGEST));
            let wiped = io::Write::write_all(&mut old, &vec![0; length as usize]);
            let _ = wiped.and_then(|()| old.sync_all());
        }
        Ok(())
    }

    fn write(&self, path: &Path) -> Result<DataKey, MasterFault> {
        let key = DataKey::fresh().map_err(|_| self.io(io::Error::other("no randomness")))?;
        files::write_private(path, key.as_bytes()).map_err(|source| self.io(source))?;
        Ok(key)
    }

    fn read_file(&self, path: &Path) -> Result<Option<DataKey>, MasterFault> {
        let mut bytes = Zeroizing::new(Vec::new());
        match std::fs::File::open(path).and_then(|file| file.take(LONGEST).read_to_end(&mut bytes)) {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(self.io(source)),
        }
        if let Some(key) = DataKey::from_bytes(&bytes) {
            return Ok(Some(key));
        }
        let malformed = |why| MasterFault::Malformed {
            place: path.display().to_string(),
            why,
        };
        let text = std::str::from_utf8(&bytes).map_err(|_| malformed("it does not have 32 bytes"))?;
        let mut keys = parse(text).map_err(malformed)?;
        if keys.len() > 1 {
            let why = "it has two keys, and a file has one: put the one to come into a file beside it, whose name ends in .new";
            return Err(malformed(why));
        }
        Ok(keys.pop())
    }

    fn io(&self, source: io::Error) -> MasterFault {
        let place = self.place();
        MasterFault::Io { place, source }
    }
}

/// One or two keys in hexadecimal, with white space between.
pub(in crate::store) fn parse(text: &str) -> Result<Vec<DataKey>, &'static str> {
    let mut keys = Vec::new();
    for word in text.split_whitespace() {
        if keys.len() == MOST_KEYS {
            return Err("it has more than two keys");
        }
        keys.push(from_hex(word).ok_or("it has something else than 64 hexadecimal digits")?);
    }
    if keys.is_empty() {
        return Err("it is empty");
    }
    Ok(keys)
}

fn from_hex(text: &str) -> Option<DataKey> {
    let mut bytes = Zeroizing::new([0_u8; KEY_BYTES]);
    unhex(text, &mut *bytes)?;
    DataKey::from_bytes(&*bytes)
}

fn successor(path: &Path) -> PathBuf {
    files::beside(path, ".new")
}

/// What a command line prints. It is ended when it takes too long.
fn run(line: &str) -> io::Result<Zeroizing<String>> {
    let mut child = Command::new("/bin/sh")
        .args(["-c", line])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let until = Instant::now() + COMMAND_PATIENCE;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() > until {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::other("the command did not end within 30 s"));
        }
        std::thread::sleep(Duration::from_millis(20));
    };
    if !status.success() {
        return Err(io::Error::other(format!("the command ended with {status}")));
    }
    let mut printed = Zeroizing::new(String::new());
    if let Some(output) = child.stdout.take() {
        output.take(LONGEST).read_to_string(&mut printed)?;
    }
    Ok(printed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    #[test]
    fn a_key_is_read_from_a_file_a_value_or_a_command() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let file = MasterSource::File {
            path: path.clone(),
            ours: true,
        };
        assert!(file.read().unwrap().is_empty());
        std::fs::write(&path, format!("{ONE}\n")).unwrap();
        let value = MasterSource::Value(format!("{ONE} {ONE}").into());
        let command = MasterSource::Command(format!("echo {ONE}"));
        for (source, many) in [(&file, 1), (&value, 2), (&command, 1)] {
            let keys = source.read().unwrap();
            assert_eq!(keys.len(), many, "{source:?}");
            assert_eq!(crate::units::hex(keys[0].key.as_bytes()), ONE);
        }
        std::fs::write(&path, [7; 32]).unwrap();
        assert_eq!(file.read().unwrap()[0].key.as_bytes(), &[7; 32]);
    }

    #[test]
    fn what_is_no_key_is_said_without_showing_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        std::fs::write(&path, "c0ffee").unwrap();
        let two = folder.path().join("two.key");
        std::fs::write(&two, format!("{ONE} {ONE}")).unwrap();
        let sources = [
            MasterSource::File { path, ours: true },
            MasterSource::File {
                path: two,
                ours: true,
            },
            MasterSource::Value("c0ffee".to_owned().into()),
            MasterSource::Value(format!("{ONE} {ONE} {ONE}").into()),
            MasterSource::Command("echo c0ffee".to_owned()),
            MasterSource::Command("exit 3".to_owned()),
        ];
        for source in sources {
            let said = source.read().unwrap_err().to_string();
            assert!(
                said.contains(&source.place()) && !said.contains("c0ffee") && !said.contains(ONE),
                "{said}"
            );
        }
    }

    #[test]
    fn a_key_to_come_that_is_none_is_told_by_its_own_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        std::fs::write(&path, [7; 32]).unwrap();
        std::fs::write(successor(&path), "").unwrap();
        let said = MasterSource::File { path, ours: true }.read().unwrap_err();
        assert!(said.to_string().contains("master.key.new"), "{said}");
    }

    /// So a process that is killed while it makes the key, or another that starts beside it, has the whole key or none.
    #[test]
    fn a_key_that_is_being_made_is_read_whole_or_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        for store in 0..100 {
            let source = MasterSource::File {
                path: folder.path().join(format!("{store}.key")),
                ours: true,
            };
            let making = source.clone();
            let made = std::thread::spawn(move || making.make().unwrap());
            while !made.is_finished() {
                assert!(source.read().unwrap().iter().all(|key| !key.beside));
            }
            let read = source.read().unwrap();
            assert_eq!(read[0].key.as_bytes(), made.join().unwrap().as_bytes());
        }
    }

    #[test]
    fn a_key_that_is_not_in_use_yet_never_takes_the_place_of_the_one_that_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("master.key");
        let source = MasterSource::File {
            path: path.clone(),
            ours: true,
        };
        let is = |bytes: u8| move |key: &DataKey| key.as_bytes() == &[bytes; 32];
        std::fs::write(&path, [2; 32]).unwrap();
        std::fs::write(successor(&path), [3; 32]).unwrap();
        // Who saw 2 as the one to come is late: it is in its place, and 3 is another change's.
        source.settle(is(2)).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), [2; 32]);
        source.settle(is(3)).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), [3; 32]);
        assert!(!successor(&path).exists());
    }
}
