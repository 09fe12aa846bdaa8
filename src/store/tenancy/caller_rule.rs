//! Whose number the caller's number is, where carriers rewrite it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::units::{read_words, words};

words! {
    /// Whether the caller's number of a number's calls is the forwarder's: some carriers and PBXs put that into From when
    /// they forward a call. Such a number says whose line it is, and nothing of who speaks.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize, ToSchema)]
    #[serde(rename_all = "lowercase")]
    pub enum CallerIsForwarder {
        /// Never: it is always the caller's own.
        Never = "never",
        /// Always, whether or not anything says that the call was forwarded.
        Always = "always",
        /// Where forwarding headers, carriers' fields or PASSporTs of the call name the same number, and where earlier calls
        /// from it were heard with other voices than its user's.
        #[default]
        Auto = "auto",
    }
}

/// A text that is none of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is never, always or auto")]
pub struct UnknownRule;

read_words!(CallerIsForwarder, UnknownRule);
