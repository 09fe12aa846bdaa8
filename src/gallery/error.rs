//! What can go wrong with a gallery.

use thiserror::Error;

use super::MAX_PRINTS;
use crate::units::UserId;
use crate::voiceprint::ModelId;

/// A gallery could not keep a roster or answer a search. No variant carries a voiceprint, a whole
/// telephone number or a key, so each may be logged as it is.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum GalleryError {
    /// A vector's length is not its model's: it was made by another model, or by other weights.
    #[error(
        "an embedding of model `{model}` has {expected} numbers here, this one has {got}: \
         it cannot have been made by that model; where the model was changed under its name, give it another name, or delete its \
         collection from the external index: it is filled again from the store"
    )]
    Dimension {
        /// The model the vector claims to be of.
        model: ModelId,
        /// How many numbers that model's vectors have in this gallery.
        expected: usize,
        /// How many this one has.
        got: usize,
    },
    /// A comparison came out as NaN or infinite, so there is no ranking.
    #[error("the score of user {user} is not a finite number: put the number's roster again")]
    NotFinite {
        /// Whose print gave the score.
        user: UserId,
    },
    /// A roster names one user and model twice.
    #[error("the roster has two prints of user {user}, model `{model}`: it may have one")]
    Duplicate {
        /// Id of the user.
        user: UserId,
        /// Id of the speaker model.
        model: ModelId,
    },
    /// A roster is larger than [`MAX_PRINTS`].
    #[error("a number's roster may have {MAX_PRINTS} prints, this one has {count}")]
    TooMany {
        /// How many prints there were, or were found before the search stopped.
        count: usize,
    },
    /// The settings of a server cannot be used; nothing was sent.
    #[error("the gallery's Qdrant settings cannot be used: {fault}")]
    Settings {
        /// What is wrong and what to do. It repeats nothing of the settings: they may hold a secret.
        fault: &'static str,
    },
    /// The server did not answer, or turned the request away, after every retry. The same call
    /// may succeed later.
    #[error("could not {purpose}: Qdrant at {url} is unavailable: {reason}")]
    Unavailable {
        /// The server's address.
        url: String,
        /// What was asked of it.
        purpose: &'static str,
        /// What the server or the connection said.
        reason: String,
    },
    /// The server answered and said no: a wrong API key, a missing right, a request it does not
    /// accept. Trying again does not help.
    #[error("could not {purpose}: Qdrant at {url} refused: {reason}")]
    Refused {
        /// The server's address.
        url: String,
        /// What was asked of it.
        purpose: &'static str,
        /// What it said.
        reason: String,
    },
    /// The server holds something under this gallery's names that this gallery did not write.
    #[error(
        "Qdrant at {url} holds what Voxline did not write: {what}; \
         choose another collection prefix, or delete these collections and put every roster again"
    )]
    Foreign {
        /// The server's address.
        url: String,
        /// What was found.
        what: String,
    },
}
