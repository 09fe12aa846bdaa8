//! Keeps the gallery equal to the store: whatever changes there is seen by the next search.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};

use thiserror::Error;

use super::lines::Lines;
use super::promises::promise_of;
use crate::config::GalleryChoice;
use crate::decision::{Alignment, BadLine, Promise, over_the_telephone};
use crate::gallery::{EmbeddedGallery, Gallery, GalleryError, GalleryPrint, Hit, QdrantGallery, Query};
use crate::store::{RosterEntry, Store, StoreError};
use crate::units::{DialedNumber, Seconds, UserId};
use crate::voiceprint::{BadEmbedding, Bandwidth, Embedding, ModelId, Voiceprint};

/// How often a roster that changes while it is brought in is brought in again.
const TRIES: u32 = 5;

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
    /// Nothing is left of a voiceprint that was aligned to its line, or it is of another model than the line.
    #[error("a voiceprint cannot be aligned to its line: {0}")]
    Line(#[from] BadLine),
    /// The roster never stood still while the gallery was made equal to it.
    #[error("the roster of {0:?} changed each of the {TRIES} times it was brought in; ask again in a moment")]
    Restless(DialedNumber),
    /// The gallery does not find everybody it was just given: a search would judge part of the roster.
    #[error(
        "the gallery finds {missing} of the {enrolled} enrolled users of {number:?} no longer, although they \
         were just put there; see whether something else writes to its collections"
    )]
    Incomplete {
        /// Whose roster.
        number: DialedNumber,
        /// How many users were not found, or not by every print they have.
        missing: usize,
        /// How many should have been.
        enrolled: usize,
    },
}

/// The users of a number who can be found by voice.
#[derive(Debug, Default)]
pub struct Roster {
    /// Their names, by id: only those with a voiceprint of the model in use.
    pub names: HashMap<UserId, String>,
    /// What is promised of this number's calls in place of the usual.
    pub promise: Promise,
    /// How what comes over the telephone is moved, on both sides of a comparison.
    alignment: Option<Alignment>,
    /// The prints the gallery was given of them.
    prints: HashSet<(UserId, Bandwidth)>,
}

impl Roster {
    /// How many users were not found as they must be: by each view of a bandwidth they have a print
    /// in, and by one view at least.
    fn missing(&self, views: &[Voiceprint], hits: &[Vec<Hit>]) -> usize {
        let found: Vec<HashSet<UserId>> = hits
            .iter()
            .map(|hits| hits.iter().map(|hit| hit.user).collect())
            .collect();
        let is_missing = |user: &UserId| {
            let lost = |(view, found): (&Voiceprint, &HashSet<UserId>)| {
                !found.contains(user) && self.prints.contains(&(*user, view.bandwidth))
            };
            views.iter().zip(&found).any(lost) || !found.iter().any(|found| found.contains(user))
        };
        self.names.keys().filter(|user| is_missing(user)).count()
    }
}

/// What a search found, with the roster it was made on.
#[derive(Debug)]
pub struct Found {
    /// The users that could have been found.
    pub roster: Arc<Roster>,
    /// The hits of each view, in the order of the views; none at all when the roster is empty. A hit may
    /// be of somebody who is not on `roster`: then it is a change in between and must not count.
    pub hits: Vec<Vec<Hit>>,
}

struct Held {
    version: u64,
    roster: Arc<Roster>,
}

/// What the gallery holds of one number; its lock is held while that changes.
type Slot = Arc<tokio::sync::Mutex<Option<Held>>>;

/// The gallery with its record of which version of each roster it holds.
pub struct Keeper {
    store: Store,
    gallery: Arc<dyn Gallery>,
    model: ModelId,
    /// Where calls are adapted to their line.
    lines: Option<Arc<Lines>>,
    /// A lock for each number: a roster that takes long keeps nobody else's calls waiting.
    slots: Mutex<HashMap<DialedNumber, Slot>>,
}

impl Keeper {
    /// A keeper that holds nothing yet: each number is brought in when it is first searched.
    pub fn new(store: Store, gallery: Arc<dyn Gallery>, model: ModelId) -> Self {
        Self {
            store,
            gallery,
            model,
            lines: None,
            slots: Mutex::default(),
        }
    }

    /// The same, adapting calls and rosters to their lines.
    #[must_use]
    pub fn along(self, lines: Option<Arc<Lines>>) -> Self {
        Self { lines, ..self }
    }

    /// A keeper of the gallery that was configured. Nothing is sent to a server yet.
    ///
    /// # Errors
    /// [`GalleryError::Settings`] when the server's settings cannot be used.
    pub fn open(choice: &GalleryChoice, store: Store, model: ModelId) -> Result<Self, GalleryError> {
        let gallery: Arc<dyn Gallery> = match choice {
            GalleryChoice::Embedded => Arc::new(EmbeddedGallery::new()),
            GalleryChoice::Qdrant(settings) => Arc::new(QdrantGallery::connect(settings.clone())?),
        };
        Ok(Self::new(store, gallery, model))
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
        // Before the slot: a number that is not ours ends here and leaves none behind.
        let mut version = self.store.roster_version(number).await?;
        let slot = self.slot(number);
        // One at a time: an older copy must never be put over a newer one.
        let mut held = slot.lock().await;
        if let Some(known) = held.as_ref().filter(|known| known.version == version) {
            return Ok(Arc::clone(&known.roster));
        }
        // What fails from here on, or is dropped half-way, leaves nothing that passes for current.
        *held = None;
        for _ in 0..TRIES {
            let roster = self.put(number).await?;
            // Another process may have put a newer copy, and we ours over it: then once more.
            let now = self.store.roster_version(number).await?;
            if now == version {
                *held = Some(Held {
                    version,
                    roster: Arc::clone(&roster),
                });
                return Ok(roster);
            }
            version = now;
        }
        Err(KeeperError::Restless(number.clone()))
    }

    /// Brings every number up to date: what was erased is then out of the gallery even if nobody
    /// searches. Cheap when nothing has changed: one indexed row a number.
    ///
    /// # Errors
    /// [`KeeperError`] for the first number that failed; the others are brought up to date all the same.
    pub async fn refresh(&self) -> Result<(), KeeperError> {
        let known = self.store.numbers().await?;
        let numbers: Vec<_> = known.into_iter().map(|known| known.number).collect();
        self.refresh_numbers(&numbers).await
    }

    /// [`Keeper::refresh`] of these numbers.
    ///
    /// # Errors
    /// As [`Keeper::refresh`].
    pub async fn refresh_numbers(&self, numbers: &[DialedNumber]) -> Result<(), KeeperError> {
        let mut outcome = Ok(());
        for number in numbers {
            if let Err(fault) = self.roster(number).await {
                outcome = outcome.and(Err(fault));
            }
        }
        outcome
    }

    /// Searches the up-to-date roster of `number` by each of `views`, the same voice in one bandwidth
    /// or more, aligned as the roster in the gallery is. Everybody enrolled is found: a backend that has
    /// lost some of them (a server's collection was deleted or replaced while we were serving) is filled
    /// again and searched once more.
    ///
    /// # Errors
    /// [`KeeperError::Incomplete`] when somebody is not found even then; otherwise as
    /// [`Keeper::roster`], or what the backend says.
    pub async fn search(&self, number: &DialedNumber, views: &[Voiceprint]) -> Result<Found, KeeperError> {
        let (mut found, mut missing) = self.search_once(number, views).await?;
        for _ in 1..TRIES {
            if self.stands(number, &found.roster).await {
                break;
            }
            // The line moved while it was searched: question and roster would not be aligned alike.
            (found, missing) = self.search_once(number, views).await?;
        }
        if missing == 0 {
            return Ok(found);
        }
        tracing::warn!(number = ?number, missing, "the gallery has lost voiceprints: filling it again");
        self.forget(number, &found.roster).await;
        let (found, missing) = self.search_once(number, views).await?;
        if missing == 0 {
            return Ok(found);
        }
        // The next search is to try again, whoever is at fault.
        self.forget(number, &found.roster).await;
        Err(KeeperError::Incomplete {
            number: number.clone(),
            missing,
            enrolled: found.roster.names.len(),
        })
    }

    /// Whether the gallery still holds this roster, or one that is aligned alike.
    async fn stands(&self, number: &DialedNumber, roster: &Arc<Roster>) -> bool {
        if self.lines.is_none() {
            return true;
        }
        let slot = self.slot(number);
        let held = slot.lock().await;
        held.as_ref()
            .is_none_or(|held| held.roster.alignment == roster.alignment)
    }

    /// A search, and how many users it should have found and did not.
    async fn search_once(
        &self,
        number: &DialedNumber,
        views: &[Voiceprint],
    ) -> Result<(Found, usize), KeeperError> {
        let roster = self.roster(number).await?;
        let mut hits = Vec::with_capacity(views.len());
        if roster.names.is_empty() || views.is_empty() {
            return Ok((Found { roster, hits }, 0));
        }
        let telephone = over_the_telephone(views.iter().map(|view| view.bandwidth));
        let alignment = roster.alignment.as_ref().filter(|_| telephone);
        for view in views {
            let query = Query {
                number: number.clone(),
                model: view.model.clone(),
                bandwidth: view.bandwidth,
                probe: match alignment {
                    Some(alignment) => alignment.align(&view.embedding)?,
                    None => view.embedding.clone(),
                },
            };
            hits.push(self.gallery.search(&query).await?);
        }
        let missing = roster.missing(views, &hits);
        Ok((Found { roster, hits }, missing))
    }

    /// Makes the gallery's copy of a number's roster equal to the store's.
    async fn put(&self, number: &DialedNumber) -> Result<Arc<Roster>, KeeperError> {
        let entries = self.store.roster(number, &self.model).await?;
        let alignment = match &self.lines {
            Some(lines) => lines.alignment(&self.store, number).await?,
            None => None,
        };
        let mut prints = Vec::new();
        for entry in &entries {
            prints.extend(mean_prints(entry, &self.model, alignment.as_ref())?);
        }
        let promise = self.store.number(number).await?.as_ref().map(promise_of);
        let enrolled = entries.into_iter().filter(|entry| !entry.clips.is_empty());
        let roster = Arc::new(Roster {
            names: enrolled.map(|entry| (entry.user, entry.name)).collect(),
            promise: promise.unwrap_or_default(),
            alignment,
            prints: prints
                .iter()
                .map(|print| (print.user, print.print.bandwidth))
                .collect(),
        });
        self.gallery.replace(number, prints).await?;
        Ok(roster)
    }

    /// Counts `roster` as held no longer, unless a newer one has taken its place.
    async fn forget(&self, number: &DialedNumber, roster: &Arc<Roster>) {
        let slot = self.slot(number);
        let mut held = slot.lock().await;
        if held
            .as_ref()
            .is_some_and(|held| Arc::ptr_eq(&held.roster, roster))
        {
            *held = None;
        }
    }

    fn slot(&self, number: &DialedNumber) -> Slot {
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(slots.entry(number.clone()).or_default())
    }
}

/// One print for each bandwidth a user was enrolled in: the mean of the clips, which stay in the store. Clips that
/// were recorded over a telephone have the line in them that calls have, and are aligned as calls are; the simulated
/// telephone of wide-band clips has not.
fn mean_prints(
    entry: &RosterEntry,
    model: &ModelId,
    alignment: Option<&Alignment>,
) -> Result<Vec<GalleryPrint>, KeeperError> {
    let mut kinds: BTreeMap<Bandwidth, Vec<(Cow<'_, Embedding>, Seconds)>> = BTreeMap::new();
    for clip in &entry.clips {
        let print = &clip.print;
        let embedding = match alignment.filter(|_| clip.over_the_telephone) {
            Some(alignment) => Cow::Owned(alignment.align(&print.embedding)?),
            None => Cow::Borrowed(&print.embedding),
        };
        let of_kind = kinds.entry(print.bandwidth).or_default();
        of_kind.push((embedding, print.net_speech));
    }
    kinds
        .into_iter()
        .map(|(bandwidth, clips)| {
            let embedding = Embedding::mean(clips.iter().map(|(clip, _)| (clip.as_ref(), 1.0)))?;
            let net_speech = clips.iter().fold(Seconds::ZERO, |sum, (_, net)| sum.plus(*net));
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
