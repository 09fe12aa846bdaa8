//! Keeps the gallery equal to the store: whatever changes there is seen by the next search.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use thiserror::Error;
use tokio::sync::Mutex;

use crate::gallery::{Gallery, GalleryError, GalleryPrint, Hit, Query};
use crate::store::{RosterEntry, Store, StoreError};
use crate::units::{DialedNumber, Seconds, UserId};
use crate::voiceprint::{BadEmbedding, Bandwidth, Embedding, ModelId, Voiceprint};

/// Why a roster could not be brought up to date or searched.
#[derive(Debug, Error)]
pub enum KeeperError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The gallery failed.
    #[error(transparent)]
    Gallery(#[from] GalleryError),
    /// A stored voiceprint is broken.
    #[error("a stored voiceprint cannot be used: {0}")]
    Embedding(#[from] BadEmbedding),
}

/// The users of a number who can be found by voice.
#[derive(Debug, Default)]
pub struct Roster {
    /// Their names, by id: only those with a voiceprint of the model in use.
    pub names: HashMap<UserId, String>,
}

struct Held {
    version: u64,
    roster: Arc<Roster>,
}

/// The gallery with its record of which version of each roster it holds.
pub struct Keeper {
    store: Store,
    gallery: Arc<dyn Gallery>,
    model: ModelId,
    held: Mutex<HashMap<DialedNumber, Held>>,
}

impl Keeper {
    /// A keeper that holds nothing yet: each number is brought in when it is first searched.
    pub fn new(store: Store, gallery: Arc<dyn Gallery>, model: ModelId) -> Self {
        Self {
            store,
            gallery,
            model,
            held: Mutex::new(HashMap::new()),
        }
    }

    /// The backend.
    pub fn gallery(&self) -> &dyn Gallery {
        self.gallery.as_ref()
    }

    /// The roster of a number, with the gallery brought up to the store's version of it first. An
    /// erased voiceprint is therefore out of reach from the moment the erasure is acknowledged, by
    /// whichever process it was made.
    ///
    /// # Errors
    /// [`KeeperError`] when the store or the gallery fails; nothing stale is searched then.
    pub async fn roster(&self, number: &DialedNumber) -> Result<Arc<Roster>, KeeperError> {
        // One at a time: an older copy must never be put over a newer one.
        let mut held = self.held.lock().await;
        let version = self.store.roster_version(number).await?;
        if let Some(known) = held.get(number)
            && known.version == version
        {
            return Ok(Arc::clone(&known.roster));
        }
        held.remove(number);
        let entries = self.store.roster(number, &self.model).await?;
        let mut prints = Vec::new();
        for entry in &entries {
            prints.extend(mean_prints(entry, &self.model)?);
        }
        let names = entries.into_iter().filter(|entry| !entry.clips.is_empty());
        let roster = Arc::new(Roster {
            names: names.map(|entry| (entry.user, entry.name)).collect(),
        });
        self.gallery.replace(number, prints).await?;
        held.insert(
            number.clone(),
            Held {
                version,
                roster: Arc::clone(&roster),
            },
        );
        Ok(roster)
    }

    /// Brings every number up to date: what was erased is then out of the gallery even if nobody
    /// searches. Cheap when nothing has changed: one indexed row a number.
    ///
    /// # Errors
    /// [`KeeperError`] for the first number that failed; the others are brought up to date all the same.
    pub async fn refresh(&self) -> Result<(), KeeperError> {
        let mut outcome = Ok(());
        for known in self.store.numbers().await? {
            if let Err(fault) = self.roster(&known.number).await {
                outcome = outcome.and(Err(fault));
            }
        }
        outcome
    }

    /// Searches the roster as it was brought up to date by [`Keeper::roster`].
    ///
    /// # Errors
    /// [`GalleryError`] as the backend gives it.
    pub async fn search(&self, query: &Query) -> Result<Vec<Hit>, GalleryError> {
        self.gallery.search(query).await
    }
}

/// One print for each bandwidth a user was enrolled in: the mean of the clips, which stay in the store.
fn mean_prints(entry: &RosterEntry, model: &ModelId) -> Result<Vec<GalleryPrint>, BadEmbedding> {
    let mut kinds: BTreeMap<Bandwidth, Vec<&Voiceprint>> = BTreeMap::new();
    for clip in &entry.clips {
        kinds.entry(clip.bandwidth).or_default().push(clip);
    }
    kinds
        .into_iter()
        .map(|(bandwidth, clips)| {
            let embedding = Embedding::mean(clips.iter().map(|clip| (&clip.embedding, 1.0)))?;
            let net_speech = clips
                .iter()
                .fold(Seconds::ZERO, |sum, clip| sum.plus(clip.net_speech));
            Ok(GalleryPrint {
                user: entry.user,
                clips: u32::try_from(clips.len()).unwrap_or(u32::MAX),
                print: Voiceprint {
                    embedding,
                    model: model.clone(),
                    bandwidth,
                    net_speech,
                },
            })
        })
        .collect()
}
