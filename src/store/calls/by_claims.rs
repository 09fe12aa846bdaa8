//! The speaker as the claims alone have it (`speaker_by_claims`), in verdicts as they are at rest.
//!
//! It may name a user whom nothing else of the verdict says to speak. A node of an earlier release, which may serve the same store
//! for a while, does not look for anybody there when it erases a user. So at rest it names nobody: it says which piece of the
//! evidence does, from which every release takes who is erased.

use std::borrow::Cow;

use serde_json::{Value, json};

use crate::store::{Store, StoreError};
use crate::units::UserId;

/// The part of a verdict.
pub(super) const BY_CLAIMS: &str = "speaker_by_claims";
/// Its field at rest: the place in the evidence of who is named.
const NAMED_BY: &str = "named_by";

/// A verdict as it is stored.
pub(super) fn at_rest(verdict: &Value) -> Cow<'_, Value> {
    let Some(said) = verdict.get(BY_CLAIMS).and_then(Value::as_object) else {
        return Cow::Borrowed(verdict);
    };
    let user = said.get("user_id").and_then(Value::as_str);
    let mut evidence = verdict["evidence"].as_array().into_iter().flatten();
    let place = user.and_then(|user| evidence.position(|item| item["user_id"] == user));
    let mut said = said.clone();
    for field in ["user_id", "user_name", "posterior"] {
        said.insert(field.to_owned(), Value::Null);
    }
    if let Some(place) = place {
        said.insert(NAMED_BY.to_owned(), json!(place));
    }
    let mut stored = verdict.clone();
    stored[BY_CLAIMS] = Value::Object(said);
    Cow::Owned(stored)
}

/// The id of whom the claims alone name in a verdict, at rest or not; null where it is nobody.
pub(super) fn claimant(verdict: &Value) -> &Value {
    let said = &verdict[BY_CLAIMS];
    let place = said[NAMED_BY]
        .as_u64()
        .and_then(|place| usize::try_from(place).ok());
    match place {
        Some(place) => &verdict["evidence"][place]["user_id"],
        None => &said["user_id"],
    }
}

impl Store {
    /// Names in a verdict that was at rest whom the claims alone name, by the name that they have now; nobody who is no user any
    /// more.
    ///
    /// # Errors
    /// [`StoreError`] when the store cannot be read.
    pub(super) async fn name_claimant(&self, verdict: &mut Value) -> Result<(), StoreError> {
        let id: Option<UserId> = claimant(verdict).as_str().and_then(|id| id.parse().ok());
        let Some(said) = verdict.get_mut(BY_CLAIMS).and_then(Value::as_object_mut) else {
            return Ok(());
        };
        let Some((_, id)) = said.remove(NAMED_BY).zip(id) else {
            return Ok(());
        };
        // In a box, as few verdicts need the room that it takes.
        if let Some(user) = Box::pin(self.user(id)).await? {
            said.insert("user_id".to_owned(), json!(id));
            said.insert("user_name".to_owned(), json!(user.name));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A verdict of a call on which the claims name this user, and the voice nobody.
    fn verdict(id: UserId) -> Value {
        json!({
            "user_id": null, "final": false, "candidates": [],
            "line_owner": { "status": "unknown", "user_id": null, "user_name": null, "posterior": null },
            "speaker": { "status": "third_party", "user_id": null, "user_name": null, "posterior": 0.9 },
            "speaker_by_claims": { "status": "claimed", "user_id": id, "user_name": "Ana", "posterior": 0.8 },
            "evidence": [
                { "tier": "T1", "user_id": UserId::fresh(), "llr": 1.0, "value_hash": "00ff" },
                { "tier": "T2", "user_id": id, "llr": 3.0, "value_hash": "11ff" },
            ],
        })
    }

    /// As a release erased a user from a verdict that knew nothing of `speaker_by_claims`.
    fn erase_as_before(verdict: &mut Value, id: UserId) {
        let user = json!(id);
        for part in ["line_owner", "speaker"] {
            if verdict[part]["user_id"] == user {
                for field in ["user_id", "user_name", "posterior"] {
                    verdict[part][field] = Value::Null;
                }
            }
        }
        for item in verdict["evidence"].as_array_mut().into_iter().flatten() {
            if item["user_id"] == user {
                for field in ["user_id", "llr", "value_hash"] {
                    item[field] = Value::Null;
                }
            }
        }
    }

    #[tokio::test]
    async fn what_an_earlier_release_erases_is_gone_from_what_the_claims_say() {
        let (_folder, store) = Store::in_a_folder().await;
        let id = UserId::fresh();
        let mut stored = at_rest(&verdict(id)).into_owned();
        assert_eq!(*claimant(&stored), json!(id));
        erase_as_before(&mut stored, id);
        let left = stored.to_string();
        assert!(!left.contains(&id.to_string()) && !left.contains("Ana"), "{left}");
        assert!(claimant(&stored).is_null());
        store.name_claimant(&mut stored).await.unwrap();
        let nobody = json!({ "status": "claimed", "user_id": null, "user_name": null, "posterior": null });
        assert_eq!(stored[BY_CLAIMS], nobody);
    }

    #[test]
    fn a_verdict_of_which_the_claims_say_nothing_more_is_stored_as_it_is() {
        let mut plain = verdict(UserId::fresh());
        plain.as_object_mut().unwrap().remove(BY_CLAIMS);
        assert_eq!(*at_rest(&plain), plain);
        // Nor does one that they name nobody in name anybody.
        let mut nobody = verdict(UserId::fresh());
        nobody[BY_CLAIMS]["user_id"] = Value::Null;
        assert!(claimant(&at_rest(&nobody)).is_null());
    }
}
