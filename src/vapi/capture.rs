//! Capture: what really comes, redacted, in a folder of files, to settle on a live account what is documented
//! nowhere. Off unless a folder is named; bounded in number and size.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::redaction::{masked, redacted};

/// Files of one run of the service.
const MOST_FILES: usize = 500;
/// Bytes of one file.
const LARGEST: usize = 64 * 1024;

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
        std::fs::create_dir_all(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
            written: AtomicUsize::new(0),
        })
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
        let file = std::fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path);
        if let Err(fault) = file.and_then(|mut file| file.write_all(&text)) {
            tracing::warn!(%fault, "a capture was not written: {fault}");
        }
    }
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
        keep(&large);
        (0..MOST_FILES + 50).for_each(|_| keep(&usual));
        keep(&large);
        let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().flatten().collect();
        assert_eq!(files.len(), MOST_FILES);
        for file in files {
            let text = std::fs::read_to_string(file.path()).unwrap();
            assert!(text.len() <= LARGEST && !text.contains("hush"));
        }
    }
}
