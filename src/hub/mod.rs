//! Models from elsewhere: the one room that fetches.
//!
//! The [catalogue](Catalogue) names public speaker models, each pinned to exactly one file by SHA-256; [`pull`]
//! fetches one, [`add`] takes a file that is already here, and both install a model only when its bytes
//! are the expected ones, a card could be written for it and it has run once. [`recommend()`] puts what is
//! installed and what could be into one order for telephone calls.
//!
//! Architecture invariants: nothing here is part of serving (the service fetches nothing); bytes whose
//! hash is not the pinned one are never kept; a model's folder appears by one rename, so a kill at any
//! moment leaves a whole model or none.

// In order: a file uses only those above it, and none of its own group.
mod error;

mod catalogue;
mod client;
mod partial;

mod fetch;
mod shelf;

mod install;

mod recommend;

pub use catalogue::{Catalogue, Entry, FileEntry, Licence, Published, Telephone};
pub use client::DownloadTimeouts;
pub use error::{BadEntry, HubError};
pub use fetch::{DownloadProgress, Mirror};
pub use install::{Arrived, Pull, add, pull, try_out};
pub use recommend::{Choice, Recommendation, recommend};
