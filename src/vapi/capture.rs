//! Capture: what really comes, redacted, in a folder of files, to settle on a live account what is documented
//! nowhere. Off unless a folder is named; bounded in number and size.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::redaction::{masked, redacted};

/// Files of one run of the service.
const MOST_FILES: usize = 500;
/// Bytes of one file.
const LARGEST: usize = 64 * 1024;
/// Rights of the folder that is made, and of a file, which one of an earlier run may have had otherwise: the owner's alone.
const RIGHTS: (u32, u32) = (0o700, 0o600);

/// A folder of captures.
pub struct Capture {
    folder: PathBuf,
    written: AtomicUsize,
}

impl Capture {
    /// Captures into `folder`, which is made.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn into_folder(folder: &Path) -> std::io::Result<Self> {
        DirBuilder::new().recursive(true).mode(RIGHTS.0).create(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            written: AtomicUsize::new(0),
        })
    }

    /// That files can be written into `folder`, or where it would be made; makes none.
    ///
    /// # Errors
    /// When they cannot.
    pub fn check(folder: &Path) -> std::io::Result<()> {
        let there = folder.ancestors().find(|ancestor| ancestor.exists());
        // Without a name: nothing of it is left.
        tempfile::tempfile_in(there.unwrap_or(Path::new("."))).map(drop)
    }

    /// Keeps a webhook: its body redacted, and of its headers those that tell how it is authenticated, by name and
    /// length alone.
    pub fn webhook(&self, body: &[u8], headers: &[(String, usize)], now: OffsetDateTime) {
        let Ok(payload) = serde_json::from_slice::<Value>(body) else {
            return;
        };
        let kind = payload
            .pointer("/message/type")
            .and_then(Value::as_str)
            .unwrap_or("no-type");
        let headers: Vec<Value> = headers
            .iter()
            .map(|(name, length)| json!({"name": name, "length": length}))
            .collect();
        let document = json!({
            "received_at_unix_ms": now.unix_timestamp_nanos() / 1_000_000,
            "bytes": body.len(),
            "headers": headers,
            "payload": redacted(&payload),
        });
        self.write(kind, &document);
    }

    /// Keeps a text frame of a listen stream, or the size of its first binary ones.
    pub fn listen(&self, what: &str, text: Option<&str>, bytes: usize, milliseconds: u128) {
        let text = text.map(|text| match serde_json::from_str::<Value>(text) {
            Ok(frame) => redacted(&frame),
            Err(_) => Value::String(masked(text)),
        });
        let document = json!({"frame": what, "text": text, "bytes": bytes, "after_ms": milliseconds});
        self.write(&format!("listen-{what}"), &document);
    }

    fn write(&self, kind: &str, document: &Value) {
        let nth = self.written.fetch_add(1, Ordering::Relaxed);
        if nth >= MOST_FILES {
            return;
        }
        let kind: String = kind
            .chars()
            .take(40)
            .map(|sign| if sign.is_ascii_alphanumeric() { sign } else { '-' })
            .collect();
        let path = self.folder.join(format!("{nth:04}-{kind}.json"));
        let mut text = serde_json::to_vec_pretty(document).unwrap_or_default();
        text.truncate(LARGEST);
        if let Err(fault) = private(&path).and_then(|mut file| file.write_all(&text)) {
            tracing::warn!(%fault, "a capture was not written: {fault}");
        }
    }
}

/// An empty file that its owner alone may read.
fn private(path: &Path) -> std::io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(RIGHTS.1)
        .open(path)?;
    file.set_permissions(Permissions::from_mode(RIGHTS.1))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn captures_are_redacted_and_bounded_in_number_and_size() {
        let folder = tempfile::tempdir().unwrap();
        let capture = Capture::into_folder(folder.path()).unwrap();
        let message = |many: usize| {
            let fields =
                json!({"type": "../../x", "phoneNumber": {"twilioAuthToken": "hush"}, "n": vec!["y"; many]});
            json!({ "message": fields }).to_string()
        };
        let keep = |body: &str| {
            let headers = [("x-signature".to_owned(), 64)];
            capture.webhook(body.as_bytes(), &headers, OffsetDateTime::UNIX_EPOCH);
        };
        let (usual, large) = (message(1), message(100_000));
        let left = folder.path().join("0000-------x.json");
        std::fs::write(&left, "of an earlier run").unwrap();
        std::fs::set_permissions(&left, Permissions::from_mode(0o644)).unwrap();
        keep(&large);
        (0..MOST_FILES + 50).for_each(|_| keep(&usual));
        keep(&large);
        let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().collect();
        assert_eq!(files.len(), MOST_FILES);
        for file in files {
            assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
            let text = std::fs::read_to_string(file.path()).unwrap();
            assert!(text.len() <= LARGEST && !text.contains("hush"));
        }
    }
}
