//! Putting Vapi's side back as it was before anything was applied.

use std::path::Path;

use serde_json::{Map, Value};

use crate::vapi::api::Api;

use super::back::back;
use super::journal::{Entry, FILE, Journal};
use super::owner::shown_url;
use super::read::{Account, text};
use super::settle::{bare, body, path, waiting};
use super::step::{State, Step};
use super::{AccountFault, id};

/// What is to be done with one thing.
enum Way {
    /// Its fields are set to what they were.
    Restore(Map<String, Value>),
    /// It is taken away.
    Remove,
    /// There is nothing to do.
    Nothing(Step),
}

/// Puts everything back that is noted in the data folder: what was changed as it was, what was made away. Where
/// somebody changed the same since, nothing is touched at all, unless it is `force`d.
///
/// # Errors
/// [`AccountFault`]; what was put back until then is noted.
pub async fn undo(folder: &Path, api_url: &str, api: &Api, force: bool) -> Result<Vec<Step>, AccountFault> {
    let mut journal = Journal::open(folder, api_url)?;
    if journal.entries().is_empty() {
        let remedy = format!(
            "{} tells of nothing that was applied",
            folder.join(FILE).display()
        );
        return Ok(vec![Step::new("nothing to undo", State::Ok).with_remedy(remedy)]);
    }
    let account = Account::read(api).await?;
    // The other way round: numbers first, so that no call comes here any more.
    let entries: Vec<Entry> = journal.entries().iter().rev().cloned().collect();
    let mut conflicts = Vec::new();
    let mut ways = Vec::new();
    for entry in entries {
        let found = find(&account, &entry);
        let others: Vec<&str> = journal
            .entries()
            .iter()
            .filter(|other| other.shelf == "assistant")
            .map(|other| other.id.as_str())
            .collect();
        match way(&account, &entry, found, &others, force) {
            Ok(way) => ways.push((entry, found, way)),
            Err(step) => conflicts.push(step),
        }
    }
    if !conflicts.is_empty() {
        return Ok(conflicts);
    }
    let mut steps = Vec::new();
    for (entry, found, way) in ways {
        steps.extend(go(api, &entry, found, way).await?);
        journal.undone(&entry.shelf, &entry.id)?;
    }
    Ok(steps)
}

fn find<'a>(account: &'a Account, entry: &Entry) -> Option<&'a Value> {
    let shelf = match entry.shelf.as_str() {
        "credential" => &account.credentials,
        "tool" => &account.tools,
        "assistant" => &account.assistants,
        _ => &account.numbers,
    };
    shelf.iter().find(|found| id(found) == entry.id)
}

/// What is to be done with a thing, or why nothing may be. `ours` are the assistants that are put back too.
fn way(
    account: &Account,
    entry: &Entry,
    found: Option<&Value>,
    ours: &[&str],
    force: bool,
) -> Result<Way, Step> {
    let step = |state| Step::new(&entry.what, state).with_id(entry.id.clone());
    let Some(found) = found else {
        let state = if entry.made { State::Ok } else { State::Kept };
        return Ok(Way::Nothing(step(state).with_remedy("it is there no more")));
    };
    if entry.made {
        let used: Vec<String> = account
            .users_of(&entry.id)
            .map(id)
            .filter(|user| entry.shelf == "tool" && !ours.contains(&user.as_str()))
            .collect();
        if !used.is_empty() && !force {
            let remedy = format!(
                "assistants use it that Voxline never changed ({}): take it off there, or --force",
                used.join(", ")
            );
            return Err(step(State::Changed).with_remedy(remedy));
        }
        if bare(found) != entry.after && !force {
            let remedy = format!(
                "it was changed since it was made ({}): --force takes it away all the same",
                names_of_difference(&entry.after, &bare(found))
            );
            return Err(step(State::Changed).with_remedy(remedy));
        }
        return Ok(Way::Remove);
    }
    if entry.shelf == "credential" {
        // What it signed with before cannot be read, and a credential cannot be changed without it.
        let remedy = "it was there before and its secret was written anew: the old one is known to its owner alone, who \
                      has to set it again";
        return Ok(Way::Nothing(step(State::Kept).with_remedy(remedy)));
    }
    let found = back(&entry.before, &entry.after, found, force);
    if !found.conflicts.is_empty() && !force {
        let told: Vec<String> = found
            .conflicts
            .iter()
            .map(|(place, now)| format!("{place} is {}", value_shown(place, now)))
            .collect();
        let remedy = format!(
            "somebody changed it since: {}. --force puts back what was there before",
            told.join("; ")
        );
        return Err(step(State::Changed).with_remedy(remedy));
    }
    if found.fields.is_empty() {
        return Ok(Way::Nothing(
            step(State::Ok).with_remedy("it is as it was before already"),
        ));
    }
    Ok(Way::Restore(found.fields))
}

async fn go(api: &Api, entry: &Entry, found: Option<&Value>, way: Way) -> Result<Vec<Step>, AccountFault> {
    let step = |state| Step::new(&entry.what, state).with_id(entry.id.clone());
    match (way, found) {
        (Way::Restore(fields), Some(found)) => {
            let shelf = entry.shelf.as_str();
            let answer = api
                .patch(&path(shelf, found), &body(shelf, found, &fields))
                .await?;
            let mut steps = vec![step(State::Restored)];
            if let Some(version) = waiting(found, &answer) {
                let remedy = format!(
                    "publish it in Vapi's dashboard: until then calls take the published version {version}"
                );
                let what = format!("published version of {}", entry.what);
                let left = Step::new(what, State::Differs).with_id(entry.id.clone());
                steps.push(left.with_remedy(remedy));
            }
            Ok(steps)
        }
        (Way::Remove, Some(found)) => {
            match api.delete(&path(&entry.shelf, found)).await {
                Err(fault) if !fault.is_missing() => return Err(fault.into()),
                _ => {}
            }
            Ok(vec![step(State::Removed)])
        }
        (Way::Nothing(step), _) => Ok(vec![step]),
        _ => Ok(Vec::new()),
    }
}

fn names_of_difference(one: &Map<String, Value>, other: &Map<String, Value>) -> String {
    let mut names: Vec<&str> = one
        .keys()
        .chain(other.keys())
        .filter(|name| one.get(*name) != other.get(*name))
        .map(String::as_str)
        .collect();
    names.sort_unstable();
    names.dedup();
    names.join(", ")
}

/// What stands in a place, for people: addresses and short plain values; of everything else that it is another.
fn value_shown(place: &str, now: &Value) -> String {
    match now {
        Value::Null => "not set".to_owned(),
        Value::String(url) if place.ends_with("url") => shown_url(url),
        Value::String(name) if place.ends_with("Id") => name.clone(),
        Value::Bool(_) | Value::Number(_) => now.to_string(),
        Value::Object(_) => {
            let whole = Map::from_iter([("server".to_owned(), now.clone())]);
            match text(now, "url") {
                Some(_) => super::owner::shown(&Value::Object(whole))["server"].to_string(),
                None => "another".to_owned(),
            }
        }
        _ => "another".to_owned(),
    }
}
