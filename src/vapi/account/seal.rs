//! Whether a secret that cannot be read back is the one that was written last.

use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::units::hex;

/// Tells whether a secret is the one that was written last, and what Vapi's side was like then.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seal {
    salt: String,
    sha256: String,
    updated_at: Option<String>,
}

impl Seal {
    /// Seals a document; `held` is what Vapi answered when it was written. `None` when the system gives no randomness:
    /// then it is written again the next time.
    pub fn of(document: &Value, held: &Value) -> Option<Self> {
        let mut salt = [0; 16];
        getrandom::fill(&mut salt).ok()?;
        let salt = hex(&salt);
        Some(Self {
            sha256: digest(&salt, document),
            salt,
            updated_at: held["updatedAt"].as_str().map(ToOwned::to_owned),
        })
    }

    /// Whether this document was written last, and nobody has touched what Vapi holds since.
    pub fn holds(&self, document: &Value, held: &Value) -> bool {
        self.sha256 == digest(&self.salt, document)
            && self.updated_at.as_deref() == held["updatedAt"].as_str()
    }
}

fn digest(salt: &str, document: &Value) -> String {
    hex(&Sha256::digest(format!("{salt}{document}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_seal_knows_its_document_and_says_nothing_of_it() {
        let (document, held) = (json!({"token": "hunter2"}), json!({"updatedAt": "t"}));
        let seal = Seal::of(&document, &held).unwrap();
        assert!(seal.holds(&document, &held));
        assert!(!seal.holds(&json!({"token": "hunter3"}), &held));
        assert!(!seal.holds(&document, &json!({"updatedAt": "u"})));
        assert!(!serde_json::to_string(&seal).unwrap().contains("hunter2"));
    }
}
