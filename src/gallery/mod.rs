//! Voiceprints of a dialed number, and the search over them.
//!
//! A gallery answers one question: how alike is this probe to every voiceprint registered for *this*
//! dialed number? The number is the unit of isolation, so it is part of every write and of every
//! [`Query`], and no call exists that searches without one. A print is compared only with prints of
//! its own model; the others are not worse matches, they are not comparable.
//!
//! The gallery holds a copy. What it holds is decided by the system of record, which hands over a
//! number's whole roster by [`Gallery::replace`] whenever it has changed, so a backend can be thrown
//! away and filled again at any time.
//!
//! Rosters have tens to thousands of people, so both backends search exactly (every print is
//! scored, none is skipped by an approximate index) and return every matching user: the decision
//! needs the whole field, not only its head.
//!
//! - [`EmbeddedGallery`] keeps the prints in this process: one matrix for each number and model.
//! - [`QdrantGallery`] keeps them in a Qdrant server, reached over gRPC, turned by a secret [`Rotation`].

mod error;
mod embedded;
mod rotation;
mod qdrant;
mod settings;

pub use embedded::EmbeddedGallery;
pub use error::GalleryError;
pub use qdrant::{QdrantGallery, QdrantSettings};
pub use rotation::Rotation;
pub use settings::GalleryChoice;

pub(crate) use settings::GallerySection;

use std::collections::{BTreeMap, HashSet};

use async_trait::async_trait;

use crate::units::{Cosine, DialedNumber, Seconds, UserId};
use crate::voiceprint::{Bandwidth, Embedding, ModelId, Voiceprint};

/// The most prints a number's roster may have. It bounds what one search can allocate; a number with
/// this many callers would need another design (verification of a claimed identity, not a search).
pub const MAX_PRINTS: usize = 65_536;

/// One point of a gallery: a user's voice in one model.
#[derive(Debug, Clone, PartialEq)]
pub struct GalleryPrint {
    /// Whose voice it is.
    pub user: UserId,
    /// How many clips the print is the mean of.
    pub clips: u32,
    /// The mean of the user's clips.
    pub print: Voiceprint,
}

/// One search: a voice, and the only prints it may be compared with.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// The dialed number whose roster is searched.
    pub number: DialedNumber,
    /// The model that made the probe.
    pub model: ModelId,
    /// The voice on the line.
    pub probe: Embedding,
}

/// One user of the number, with how alike the voices are.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Hit {
    /// Id of the user.
    pub user: UserId,
    /// The cosine of the probe and the user's print, within 1e-5 of exact arithmetic.
    pub cosine: Cosine,
    /// How much speech the user's print was made of.
    pub net_speech: Seconds,
    /// What that speech was heard over.
    pub bandwidth: Bandwidth,
    /// How many clips the user's print is the mean of.
    pub clips: u32,
}

/// Somewhere voiceprints are kept and searched by dialed number.
///
/// Every implementation keeps these laws (`tests/voxline/gallery.rs` holds each backend to them):
/// hits come best first, equal cosines in the order of the user ids; nothing put under one number is
/// ever found under another; a model has one dimension throughout a gallery, fixed by the first
/// print of it.
#[async_trait]
pub trait Gallery: Send + Sync {
    /// Makes `prints` the whole roster of `number`: what is not among them is gone when this
    /// returns. Doing it twice is the same as doing it once, so after an error it can be repeated.
    ///
    /// # Errors
    /// [`GalleryError::Duplicate`], [`GalleryError::TooMany`] and [`GalleryError::Dimension`] when
    /// the roster cannot be kept (nothing is changed then); otherwise what the backend says.
    async fn replace(&self, number: &DialedNumber, prints: Vec<GalleryPrint>) -> Result<(), GalleryError>;

    /// Every user of the query's number with a print of its model, best first, ties by
    /// user id. A number that was never put has none: the result is empty, not an error.
    ///
    /// # Errors
    /// [`GalleryError::Dimension`] when the probe cannot be of that model, [`GalleryError::NotFinite`]
    /// when a score is no number; otherwise what the backend says.
    async fn search(&self, query: &Query) -> Result<Vec<Hit>, GalleryError>;

    /// Deletes what earlier galleries of this deployment left that are turned otherwise than this one; nothing where a
    /// gallery goes with its process.
    ///
    /// # Errors
    /// What the backend says; it is as before then, or part of it is gone.
    async fn drop_others(&self) -> Result<(), GalleryError> {
        Ok(())
    }

    /// Whether a search would be answered now.
    ///
    /// # Errors
    /// What stands in the way, as a search would report it.
    async fn ready(&self) -> Result<(), GalleryError>;
}

/// Checks that `prints` can be a roster at all, and gives the dimension of each model in it.
fn check_roster(prints: &[GalleryPrint]) -> Result<BTreeMap<&ModelId, usize>, GalleryError> {
    if prints.len() > MAX_PRINTS {
        return Err(GalleryError::TooMany { count: prints.len() });
    }
    let mut dims = BTreeMap::new();
    let mut seen = HashSet::with_capacity(prints.len());
    for GalleryPrint { user, print, .. } in prints {
        if !seen.insert((user, &print.model)) {
            return Err(GalleryError::Duplicate {
                user: *user,
                model: print.model.clone(),
            });
        }
        let dim = *dims.entry(&print.model).or_insert(print.embedding.dim());
        check_dim(&print.model, dim, print.embedding.dim())?;
    }
    Ok(dims)
}

/// An error unless a vector of `got` numbers is of a model whose vectors have `expected`.
fn check_dim(model: &ModelId, expected: usize, got: usize) -> Result<(), GalleryError> {
    if expected == got {
        return Ok(());
    }
    Err(GalleryError::Dimension {
        model: model.clone(),
        expected,
        got,
    })
}

/// Puts hits into the order every backend promises.
fn rank(hits: &mut [Hit]) {
    hits.sort_unstable_by(|a, b| b.cosine.cmp(&a.cosine).then(a.user.cmp(&b.user)));
}
