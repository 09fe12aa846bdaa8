//! What of a recording was not heard, in words for whoever sent it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::bytes::Unheard;

/// What a warning is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WarningCode {
    /// The recording's end is missing.
    Truncated,
    /// A part of the file was not heard.
    PartUnheard,
}

/// Something about a recording that whoever sent it should know, and that does not stand against it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Warning {
    /// What is to be said of the recording, as a code.
    pub code: WarningCode,
    /// What was not heard.
    pub message: String,
}

impl Warning {
    /// What is to be said of a recording called `name` whose end is missing (`truncated`) or of which a part was left
    /// out.
    pub fn of(name: &str, truncated: bool, unheard: Option<Unheard>) -> Vec<Self> {
        let warning = |code, what: String| Self {
            code,
            message: format!("{name}: {what}; what came before it was used"),
        };
        let end = truncated.then(|| {
            warning(
                WarningCode::Truncated,
                "the end of the recording is missing".to_owned(),
            )
        });
        let part = unheard.map(|unheard| warning(WarningCode::PartUnheard, unheard.to_string()));
        end.into_iter().chain(part).collect()
    }
}
