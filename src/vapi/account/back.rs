//! The way back of a change, beside what somebody else changed meanwhile.

use serde_json::{Map, Value};

use super::merge::covers;

/// Lists that are empty where they are not there; other lists stand for a default then.
const EMPTY_WHEN_MISSING: &[&str] = &["model.toolIds"];

/// What a field is to become for a change to be undone, and where somebody changed the same since.
#[derive(Debug, Default)]
pub struct Back {
    /// The fields that differ from what they are now; null for one that was not there.
    pub fields: Map<String, Value>,
    /// Places that are neither as the change left them nor as they were before it, and what stands there.
    pub conflicts: Vec<(String, Value)>,
}

/// The way back from `after` to `before`, for an object that is `now`. Both hold only what the change touched. What
/// somebody changed beside it stays; where somebody changed the same, `force` says whether it is put back all the same.
pub fn back(before: &Map<String, Value>, after: &Map<String, Value>, now: &Value, force: bool) -> Back {
    let mut found = Back::default();
    for name in names(before, after) {
        let current = now.get(name);
        let mut conflicts = Vec::new();
        let becomes = place(
            before.get(name),
            after.get(name),
            current,
            name,
            &mut conflicts,
            force,
        );
        let becomes = becomes.unwrap_or_default();
        if (force || conflicts.is_empty()) && becomes != current.cloned().unwrap_or_default() {
            found.fields.insert(name.clone(), becomes);
        }
        found.conflicts.append(&mut conflicts);
    }
    found
}

/// The parts in which two states of an object differ: what was, and what is.
pub fn parts(before: &Value, after: &Map<String, Value>) -> (Map<String, Value>, Map<String, Value>) {
    let (mut was, mut is) = (Map::new(), Map::new());
    for (name, now) in after {
        match (before.get(name), now) {
            (old, now) if old == Some(now) => {}
            (Some(Value::Object(old)), Value::Object(now)) => {
                let whole = Value::Object(old.clone());
                let (mut old_part, new_part) = parts(&whole, now);
                let gone = old.iter().filter(|(name, _)| !now.contains_key(*name));
                old_part.extend(gone.map(|(name, value)| (name.clone(), value.clone())));
                if !(old_part.is_empty() && new_part.is_empty()) {
                    was.insert(name.clone(), Value::Object(old_part));
                    is.insert(name.clone(), Value::Object(new_part));
                }
            }
            (old, now) => {
                if let Some(old) = old {
                    was.insert(name.clone(), old.clone());
                }
                is.insert(name.clone(), now.clone());
            }
        }
    }
    (was, is)
}

/// The names that either has.
pub fn names<'a>(
    before: &'a Map<String, Value>,
    after: &'a Map<String, Value>,
) -> impl Iterator<Item = &'a String> {
    before
        .keys()
        .chain(after.keys().filter(|name| !before.contains_key(*name)))
}

/// What one place is to become.
fn place(
    before: Option<&Value>,
    after: Option<&Value>,
    now: Option<&Value>,
    path: &str,
    conflicts: &mut Vec<(String, Value)>,
    force: bool,
) -> Option<Value> {
    if alike(now, after) {
        return before.cloned();
    }
    if alike(now, before) {
        return now.cloned();
    }
    match (before, after, now) {
        (Some(Value::Object(before)), Some(Value::Object(after)), Some(Value::Object(now))) => {
            let mut becomes = now.clone();
            for name in names(before, after) {
                let deeper = format!("{path}.{name}");
                let (old, ours) = (before.get(name), after.get(name));
                match place(old, ours, now.get(name), &deeper, conflicts, force) {
                    Some(value) => becomes.insert(name.clone(), value),
                    None => becomes.remove(name),
                };
            }
            Some(Value::Object(becomes))
        }
        (Some(Value::Array(before)), Some(Value::Array(after)), Some(Value::Array(now))) => {
            Some(Value::Array(list(before, after, now)))
        }
        (None, Some(Value::Array(after)), Some(Value::Array(now))) if EMPTY_WHEN_MISSING.contains(&path) => {
            Some(Value::Array(list(&[], after, now)))
        }
        _ => {
            conflicts.push((path.to_owned(), now.cloned().unwrap_or_default()));
            if force { before.cloned() } else { now.cloned() }
        }
    }
}

/// A list without what was added to it and with what was taken off, in the order it has now.
fn list(before: &[Value], after: &[Value], now: &[Value]) -> Vec<Value> {
    let added = |one: &Value| after.contains(one) && !before.contains(one);
    let mut becomes: Vec<Value> = now.iter().filter(|one| !added(one)).cloned().collect();
    let taken = before
        .iter()
        .filter(|one| !after.contains(one) && !now.contains(one));
    becomes.extend(taken.cloned());
    becomes
}

/// Whether two places say the same; one that is not there says null.
fn alike(one: Option<&Value>, other: Option<&Value>) -> bool {
    let set = |value: Option<&Value>| value.is_some_and(|value| !value.is_null());
    match (one, other) {
        (Some(first), Some(second)) if set(one) && set(other) => covers(one, second) && covers(other, first),
        _ => set(one) == set(other),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn map(value: Value) -> Map<String, Value> {
        value.as_object().unwrap().clone()
    }

    fn changed(before: &Value, change: Value) -> (Map<String, Value>, Map<String, Value>, Value) {
        let change = map(change);
        let (was, is) = parts(before, &change);
        let mut now = before.clone();
        now.as_object_mut().unwrap().extend(change);
        (was, is, now)
    }

    #[test]
    fn a_change_is_undone_to_what_was_and_what_was_not_there_is_taken_off() {
        let before =
            json!({"server": {"url": "theirs", "headers": {"a": 1}}, "assistantId": "a-1", "name": "n"});
        let change = json!({"server": {"url": "ours", "headers": {"a": 1}, "credentialId": "c"}, "assistantId": null,
            "monitorPlan": {"listenEnabled": true}});
        let (was, is, now) = changed(&before, change);
        assert_eq!(
            json!(was),
            json!({"server": {"url": "theirs"}, "assistantId": "a-1"})
        );
        let found = back(&was, &is, &now, false);
        assert!(found.conflicts.is_empty());
        let expected = json!({"server": before["server"], "assistantId": "a-1", "monitorPlan": null});
        assert_eq!(json!(found.fields), expected);
        assert!(back(&was, &is, &before, false).fields.is_empty(), "undone twice");
    }

    #[test]
    fn what_somebody_changed_beside_it_stays() {
        let before = json!({"model": {"toolIds": ["own"], "messages": ["old"]}});
        let (was, is, mut now) = changed(
            &before,
            json!({"model": {"toolIds": ["own", "t"], "messages": ["old"]}}),
        );
        now["model"]["messages"] = json!(["new"]);
        now["model"]["toolIds"] = json!(["own", "t", "later"]);
        let found = back(&was, &is, &now, false);
        assert!(found.conflicts.is_empty(), "{found:?}");
        assert_eq!(
            json!(found.fields),
            json!({"model": {"toolIds": ["own", "later"], "messages": ["new"]}})
        );
    }

    #[test]
    fn what_somebody_changed_since_is_left_and_shown_unless_forced() {
        let before = json!({"server": {"url": "theirs", "timeoutSeconds": 5}});
        let (was, is, mut now) = changed(&before, json!({"server": {"url": "ours", "timeoutSeconds": 20}}));
        now["server"]["url"] = json!("third");
        let found = back(&was, &is, &now, false);
        assert_eq!(found.conflicts, [("server.url".to_owned(), json!("third"))]);
        assert!(found.fields.is_empty());
        let forced = back(&was, &is, &now, true);
        assert_eq!(json!(forced.fields), before);
    }

    #[test]
    fn a_field_that_was_absent_and_was_changed_since_is_a_conflict() {
        let (was, is, mut now) = changed(&json!({}), json!({"server": {"url": "ours"}}));
        now["server"]["headers"] = json!({"X-Shop": "7"});
        assert_eq!(back(&was, &is, &now, false).conflicts[0].0, "server");
    }
}
