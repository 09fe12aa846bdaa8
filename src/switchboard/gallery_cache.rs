//! Keeps the gallery equal to the store: whatever changes there is seen by the next search.

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;

use super::roster::Roster;
use crate::decision::RosterReach;
use crate::gallery::{
    EmbeddedGallery, Gallery, GalleryChoice, GalleryError, GalleryPrint, Hit, QdrantGallery, Query, Rotation,
};
use crate::store::{RosterEntry, Store, StoreError};
use crate::units::{DialedNumber, NotFinite, Seconds, UserId};
use crate::voiceprint::{BadEmbedding, Bandwidth, Embedding, ModelId, Voiceprint};

/// How often a roster that changes while it is brought in is brought in again.
const TRIES: u32 = 5;

/// How often a gallery that does not find everybody it was given is searched: two nodes that share an index and learn one after
/// the other that it is turned may drop each other's copy twice.
const TRIES_TO_FIND: u32 = 3;

/// Why a roster could not be brought up to date or searched.
#[derive(Debug, Error)]
pub enum GalleryCacheError {
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The gallery failed.
    #[error(transparent)]
    Gallery(#[from] GalleryError),
    /// A stored voiceprint is broken.
    #[error("a stored voiceprint cannot be used: {0}")]
    Embedding(#[from] BadEmbedding),
    /// Two stored voiceprints cannot be compared.
    #[error("stored voiceprints of one model cannot be compared with each other: {0}")]
    Unlike(#[from] NotFinite),
    /// The roster never stood still while the gallery was made equal to it.
    #[error("the roster of {0:?} changed each of the {TRIES} times it was brought in; ask again in a moment")]
    Restless(DialedNumber),
    /// The gallery does not find everybody it was just given: a search would judge part of the roster.
    #[error(
        "the gallery finds {missing} of the {enrolled} enrolled users of {number:?} no longer, although they \
         were just put there; see whether something else writes to its collections"
    )]
    Incomplete {
        /// The dialed number whose roster it is.
        number: DialedNumber,
        /// How many users were not found, or not by every voice that was searched for.
        missing: usize,
        /// How many should have been.
        enrolled: usize,
    },
}

/// The users of a number who can be found by voice: those with a voiceprint of the model in use.
pub type Enrolled = Arc<HashSet<UserId>>;

/// How many of `enrolled` were not found by each of the probes.
fn missing(enrolled: &HashSet<UserId>, hits: &[Vec<Hit>]) -> usize {
    let found: Vec<HashSet<UserId>> = hits
        .iter()
        .map(|hits| hits.iter().map(|hit| hit.user).collect())
        .collect();
    let is_missing = |user: &&UserId| found.iter().any(|found| !found.contains(user));
    enrolled.iter().filter(is_missing).count()
}

/// What a search found.
#[derive(Debug)]
pub struct Found {
    /// The users that could have been found.
    pub enrolled: Enrolled,
    /// How far up their likenesses to each other reach.
    pub reach: RosterReach,
    /// The hits of each probe, in the order of the probes; none at all when nobody is enrolled. A hit may be of somebody
    /// who is not among those: then it is a change in between and must not count.
    pub hits: Vec<Vec<Hit>>,
}

/// A roster's voices as they were put into the gallery.
#[derive(Debug, Clone)]
struct InGallery {
    enrolled: Enrolled,
    reach: RosterReach,
}

struct Held {
    version: u64,
    voices: InGallery,
}

/// What the gallery holds of one number; its lock is held while that changes.
type Slot = Arc<tokio::sync::Mutex<Option<Held>>>;

/// The gallery with its record of which version of each roster it holds.
pub struct GalleryCache {
    store: Store,
    gallery: Arc<dyn Gallery>,
    model: ModelId,
    /// A lock for each number: a roster that takes long keeps nobody else's calls waiting.
    slots: Mutex<HashMap<DialedNumber, Slot>>,
}

impl GalleryCache {
    /// A cache that holds nothing yet: each number is brought in when it is first searched.
    pub fn new(store: Store, gallery: Arc<dyn Gallery>, model: ModelId) -> Self {
        Self {
            store,
            gallery,
            model,
            slots: Mutex::default(),
        }
    }

    /// A cache of the gallery that was configured; by `secret` voiceprints are turned that leave this process
    /// ([`Store::index_secret`]). Nothing is sent to a server yet.
    ///
    /// # Errors
    /// [`GalleryError::Settings`] when the server's settings cannot be used.
    pub fn open(
        choice: &GalleryChoice,
        secret: [u8; 32],
        store: Store,
        model: ModelId,
    ) -> Result<Self, GalleryError> {
        let gallery: Arc<dyn Gallery> = match choice {
            GalleryChoice::Embedded => Arc::new(EmbeddedGallery::new()),
            GalleryChoice::Qdrant(settings) => {
                let qdrant = QdrantGallery::connect(settings.clone())?;
                Arc::new(qdrant.turned_by(Rotation::new(secret)))
            }
        };
        Ok(Self::new(store, gallery, model))
    }

    /// The backend that searches.
    pub fn gallery(&self) -> &dyn Gallery {
        self.gallery.as_ref()
    }

    /// Who on a number can be found by voice, with the gallery brought up to the store's version of its roster first.
    ///
    /// # Errors
    /// [`GalleryCacheError`] when the store or the gallery fails.
    pub async fn enrolled(&self, number: &DialedNumber) -> Result<Enrolled, GalleryCacheError> {
        // Before the slot: a number that is not ours ends here and leaves none behind.
        let version = self.store.roster_version(number).await?;
        Ok(self.filled(number, version).await?.enrolled)
    }

    /// Makes the gallery's copy of a number at least as new as `version`. An erased voiceprint is therefore out of reach
    /// from the moment the erasure is acknowledged, by whichever process it was made.
    async fn filled(&self, number: &DialedNumber, mut version: u64) -> Result<InGallery, GalleryCacheError> {
        let slot = self.slot(number);
        // One at a time: an older copy must never be put over a newer one.
        let mut held = slot.lock().await;
        if let Some(known) = held.as_ref().filter(|known| known.version >= version) {
            return Ok(known.voices.clone());
        }
        // What fails from here on, or is dropped half-way, leaves nothing that passes for current.
        *held = None;
        for _ in 0..TRIES {
            let voices = self.put(number).await?;
            // Another process may have put a newer copy, and we ours over it: then once more.
            let now = self.store.roster_version(number).await?;
            if now == version {
                *held = Some(Held {
                    version,
                    voices: voices.clone(),
                });
                return Ok(voices);
            }
            version = now;
        }
        Err(GalleryCacheError::Restless(number.clone()))
    }

    /// Brings every number up to date: what was erased is then out of the gallery even if nobody
    /// searches. Cheap when nothing has changed: one question for all numbers.
    ///
    /// # Errors
    /// [`GalleryCacheError`] for the first number that failed; the others are brought up to date all the same.
    pub async fn refresh(&self) -> Result<(), GalleryCacheError> {
        let mut outcome = Ok(());
        for (number, version) in self.store.roster_versions().await? {
            if let Err(fault) = self.filled(&number, version).await {
                outcome = outcome.and(Err(fault));
            }
        }
        outcome
    }

    /// [`GalleryCache::refresh`] of these numbers.
    ///
    /// # Errors
    /// As [`GalleryCache::refresh`].
    pub async fn refresh_numbers(&self, numbers: &[DialedNumber]) -> Result<(), GalleryCacheError> {
        let mut outcome = Ok(());
        for number in numbers {
            if let Err(fault) = self.enrolled(number).await {
                outcome = outcome.and(Err(fault));
            }
        }
        outcome
    }

    /// Searches a roster by each of `probes`, voices of this cache's model, in a gallery that is at least as new.
    /// Everybody enrolled is found: a backend that has lost some of them (a server's collection was deleted or replaced
    /// while we were serving, or another node has just turned the index and dropped ours) is filled again and searched once
    /// more, and a last time where somebody is still not found.
    ///
    /// # Errors
    /// [`GalleryCacheError::Incomplete`] when somebody is not found even then; what the store or the backend says.
    /// Nothing stale is searched then.
    pub async fn search(&self, roster: &Roster, probes: &[&Embedding]) -> Result<Found, GalleryCacheError> {
        let number = &roster.number;
        let mut tries = 0;
        loop {
            let (found, missing) = self.search_once(roster, probes).await?;
            if missing == 0 {
                return Ok(found);
            }
            // The next search, now or later, is to put them there again.
            self.forget(number, &found.enrolled).await;
            tries += 1;
            if tries == TRIES_TO_FIND {
                return Err(GalleryCacheError::Incomplete {
                    number: number.clone(),
                    missing,
                    enrolled: found.enrolled.len(),
                });
            }
            tracing::warn!(number = ?number, missing, "the gallery has lost voiceprints: filling it again");
        }
    }

    /// A search, and how many users it should have found and did not.
    async fn search_once(
        &self,
        roster: &Roster,
        probes: &[&Embedding],
    ) -> Result<(Found, usize), GalleryCacheError> {
        let InGallery { enrolled, reach } = self.filled(&roster.number, roster.version).await?;
        let mut found = Found {
            enrolled,
            reach,
            hits: Vec::with_capacity(probes.len()),
        };
        if found.enrolled.is_empty() || probes.is_empty() {
            return Ok((found, 0));
        }
        for probe in probes {
            let query = Query {
                number: roster.number.clone(),
                model: self.model.clone(),
                probe: (*probe).clone(),
            };
            found.hits.push(self.gallery.search(&query).await?);
        }
        let missing = missing(&found.enrolled, &found.hits);
        Ok((found, missing))
    }

    /// Makes the gallery's copy of a number's voices equal to the store's.
    async fn put(&self, number: &DialedNumber) -> Result<InGallery, GalleryCacheError> {
        let entries = self.store.roster(number, &self.model).await?;
        let mut prints = Vec::new();
        for entry in &entries {
            prints.extend(mean_print(entry, &self.model)?);
        }
        // What the gallery says of voices that are none of this model is the clearer word.
        let reach = reach_of(&prints);
        let enrolled = Arc::new(prints.iter().map(|print| print.user).collect());
        self.gallery.replace(number, prints).await?;
        Ok(InGallery {
            enrolled,
            reach: reach?,
        })
    }

    /// Counts `enrolled` as held no longer, unless newer ones have taken their place.
    async fn forget(&self, number: &DialedNumber, enrolled: &Enrolled) {
        let slot = self.slot(number);
        let mut held = slot.lock().await;
        if held
            .as_ref()
            .is_some_and(|held| Arc::ptr_eq(&held.voices.enrolled, enrolled))
        {
            *held = None;
        }
    }

    fn slot(&self, number: &DialedNumber) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(number.clone()).or_default())
    }
}

/// How far up the likenesses of these users to each other reach.
fn reach_of(prints: &[GalleryPrint]) -> Result<RosterReach, NotFinite> {
    let voices: Vec<&Embedding> = prints.iter().map(|one| &one.print.embedding).collect();
    RosterReach::of(&voices)
}

/// A user's print: the mean of the clips, which stay in the store; none for a user without any. It counts as
/// wide-band when every clip was.
pub(super) fn mean_print(
    entry: &RosterEntry,
    model: &ModelId,
) -> Result<Option<GalleryPrint>, GalleryCacheError> {
    let clips = &entry.clips;
    if clips.is_empty() {
        return Ok(None);
    }
    Ok(Some(GalleryPrint {
        user: entry.user,
        clips: u32::try_from(clips.len()).unwrap_or(u32::MAX),
        print: Voiceprint {
            embedding: Embedding::mean(clips.iter().map(|clip| (&clip.embedding, 1.0)))?,
            model: model.clone(),
            bandwidth: Bandwidth::of_all(clips.iter().map(|clip| clip.bandwidth)),
            net_speech: clips
                .iter()
                .fold(Seconds::ZERO, |sum, clip| sum.plus(clip.net_speech)),
        },
    }))
}
