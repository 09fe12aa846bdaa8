//! Streams end when the key that opened them is revoked: by the command line too, which is another process.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::store::Store;
use crate::units::KeyId;

/// How often the store is asked, while any stream of a key's is open.
const EVERY: Duration = Duration::from_secs(2);

/// Keys with open streams: no more than there are streams.
#[derive(Default)]
pub(super) struct KeysInUse {
    keys: Mutex<HashMap<KeyId, InUse>>,
}

struct InUse {
    revoked: CancellationToken,
    streams: usize,
}

/// A stream of a key's; no longer watched when dropped.
pub(super) struct Watched {
    keys: Arc<KeysInUse>,
    key: KeyId,
    /// Cancelled when the key is revoked.
    pub revoked: CancellationToken,
}

impl Drop for Watched {
    fn drop(&mut self) {
        let mut keys = self.keys.held();
        if let Some(in_use) = keys.get_mut(&self.key) {
            in_use.streams -= 1;
            if in_use.streams == 0 {
                keys.remove(&self.key);
            }
        }
    }
}

impl KeysInUse {
    /// Watches the key of a stream.
    pub(super) fn watch(self: &Arc<Self>, key: KeyId) -> Watched {
        let mut keys = self.held();
        let in_use = keys.entry(key).or_insert_with(|| InUse {
            revoked: CancellationToken::new(),
            streams: 0,
        });
        in_use.streams += 1;
        Watched {
            keys: Arc::clone(self),
            key,
            revoked: in_use.revoked.clone(),
        }
    }

    /// Ends the streams of revoked keys, for as long as the service runs.
    pub(super) async fn end_revoked(&self, store: &Store) {
        loop {
            sleep(EVERY).await;
            if self.held().is_empty() {
                continue;
            }
            // A store that does not answer revokes nobody, and is asked again.
            let Ok(revoked) = store.revoked_keys().await else {
                continue;
            };
            let keys = self.held();
            for key in revoked {
                if let Some(in_use) = keys.get(&key) {
                    in_use.revoked.cancel();
                }
            }
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<KeyId, InUse>> {
        self.keys.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
