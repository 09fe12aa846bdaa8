//! What is told of each thing on Vapi's side.

use serde::Serialize;
use serde_json::Value;

/// What was found, or done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is as wanted.
    Ok,
    /// It was made.
    Created,
    /// It was changed.
    Updated,
    /// It was put back as it had been.
    Restored,
    /// It had been made, and was taken away.
    Removed,
    /// It is somebody else's, and stays as it is on purpose.
    Kept,
    /// It is not as wanted, and was left so.
    Differs,
    /// It is not there.
    Missing,
    /// It is somebody else's, and would have to be taken from them.
    Foreign,
    /// Somebody changed it since, and it was left so.
    Changed,
}

impl State {
    /// Whether nothing is left to do.
    pub fn is_settled(self) -> bool {
        !matches!(
            self,
            Self::Differs | Self::Missing | Self::Foreign | Self::Changed
        )
    }
}

/// One thing on Vapi's side.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Step {
    /// What it is.
    pub what: String,
    /// Its id on Vapi's side, where it has one.
    pub id: Option<String>,
    /// What was found, or done.
    pub state: State,
    /// What a person should do or know.
    pub remedy: Option<String>,
    /// What was there before and is somebody else's. Values of headers and of queries are left out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub was: Option<Value>,
}

impl Step {
    /// A thing in a state.
    pub fn new(what: impl Into<String>, state: State) -> Self {
        Self {
            what: what.into(),
            id: None,
            state,
            remedy: None,
            was: None,
        }
    }

    /// The same with its id.
    pub fn with_id(mut self, id: impl Into<String>) -> Self {
        self.id = Some(id.into());
        self
    }

    /// The same with what to do about it.
    pub fn with_remedy(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    /// The same with what was there.
    pub fn with_was(mut self, was: Value) -> Self {
        self.was = Some(was);
        self
    }
}
