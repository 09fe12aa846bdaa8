//! The account on the peer's side: credentials, tools, assistants, squads and numbers, as Vapi's API keeps them.
//!
//! As its documentation and its own tools say: a change replaces each of its top-level fields whole and leaves the others;
//! null takes a field off; a property that is not known is refused with 400; lists have 100 entries unless another limit
//! is asked for, the newest first, and go on by `createdAt`; secrets are taken and not given back; what is changed may
//! wait in a draft until it is published; a tool that `toolRefs` pins is dropped from `toolIds`.

use std::collections::{BTreeMap, HashMap};

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::known::unknown_property;
use super::{PRIVATE_KEY, Shared, let_in};

/// Entries of a page, and the most that can be asked for.
const PAGE: usize = 100;
const LARGEST_PAGE: usize = 1000;

/// Whether a moment lies within a bound.
type Holds = fn(&str, &str) -> bool;

/// What becomes of a change where an account has versions.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Versions {
    /// There are none.
    #[default]
    None,
    /// It waits in a draft.
    Draft,
    /// It is published at once.
    Published,
}

/// The account.
#[derive(Default)]
pub(super) struct Account {
    shelves: BTreeMap<String, Vec<Value>>,
    /// Every request that was to change something: method, path, body, status.
    writes: Vec<Value>,
    versions: Versions,
    /// Requests that are still turned away with 429.
    busy: usize,
    /// What cannot be written at the moment.
    broken: Option<String>,
    clock: u64,
}

impl Account {
    /// Puts something on a shelf, as a number that was bought.
    pub(super) fn shelve(&mut self, shelf: &str, mut entry: Value) {
        let usual = format!("{shelf}-{}", self.clock + 1);
        let id = entry["id"].as_str().unwrap_or(&usual).to_owned();
        self.stamp(&mut entry, &id);
        self.shelves.entry(shelf.to_owned()).or_default().push(entry);
    }

    fn stamp(&mut self, entry: &mut Value, id: &str) {
        // Two are made at each moment.
        let moment = self.now();
        entry["id"] = json!(id);
        entry["orgId"] = json!("org-1");
        entry["createdAt"] = json!(moment);
        entry["updatedAt"] = json!(moment);
        if let Some(fields) = entry.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
    }

    fn now(&mut self) -> String {
        self.clock += 1;
        let tick = self.clock / 2;
        format!(
            "2026-11-01T{:02}:{:02}:{:02}.{:03}Z",
            tick / 3_600_000,
            tick / 60_000 % 60,
            tick / 1000 % 60,
            tick % 1000
        )
    }

    /// Does what a line asks of the account.
    pub(super) fn act(&mut self, line: &Value) -> Option<Value> {
        let text = |key: &str| line[key].as_str().unwrap_or_default();
        Some(match text("do") {
            "shelve" => {
                let many = line["entries"].as_array().cloned().unwrap_or_default();
                let one = line.get("entry").cloned();
                for entry in many.into_iter().chain(one) {
                    self.shelve(text("shelf"), entry);
                }
                json!({"ok": true})
            }
            "shelf" => json!(self.shelves),
            "writes" => json!({ "writes": self.writes }),
            "edit" => {
                // As somebody does in the dashboard: no rules, and no record.
                let entry = self.find(text("shelf"), text("id"))?;
                let place = entry.pointer_mut(text("at"))?;
                *place = line["to"].clone();
                json!({"ok": true})
            }
            "versions" => {
                self.versions = match text("mode") {
                    "draft" => Versions::Draft,
                    "published" => Versions::Published,
                    _ => Versions::None,
                };
                json!({"ok": true})
            }
            "publish" => {
                let entry = self.find(text("shelf"), text("id"))?;
                next_version(entry);
                json!({"ok": true})
            }
            "busy" => {
                self.busy = line["times"].as_u64()? as usize;
                json!({"ok": true})
            }
            "break" => {
                self.broken = line["path"].as_str().map(ToOwned::to_owned);
                json!({"ok": true})
            }
            "first" => json!({ "url": self.first_url(line) }),
            _ => return None,
        })
    }

    /// The one address that a message goes to: the first that is set of tool, assistant and number.
    fn first_url(&self, of: &Value) -> Option<String> {
        ["tool", "assistant", "phone-number"].iter().find_map(|shelf| {
            let id = of[*shelf].as_str()?;
            let entry = self.shelves.get(*shelf)?.iter().find(|entry| entry["id"] == id)?;
            Some(entry["server"]["url"].as_str()?.to_owned())
        })
    }

    fn find(&mut self, shelf: &str, id: &str) -> Option<&mut Value> {
        let entries = self.shelves.get_mut(shelf)?;
        entries.iter_mut().find(|entry| entry["id"] == id)
    }

    /// A page of a list: the newest first.
    fn page(&self, shelf: &str, query: &HashMap<String, String>) -> Vec<Value> {
        let limit = query.get("limit").and_then(|limit| limit.parse().ok());
        let limit: usize = limit.unwrap_or(PAGE).min(LARGEST_PAGE);
        let made = |entry: &Value| entry["createdAt"].as_str().unwrap_or_default().to_owned();
        let bounds: [(&str, Holds); 4] = [
            ("createdAtLt", |made, bound| made < bound),
            ("createdAtLe", |made, bound| made <= bound),
            ("createdAtGt", |made, bound| made > bound),
            ("createdAtGe", |made, bound| made >= bound),
        ];
        let within = |entry: &&Value| {
            bounds
                .iter()
                .all(|(name, holds)| query.get(*name).is_none_or(|bound| holds(&made(entry), bound)))
        };
        let entries = self.shelves.get(shelf).map(Vec::as_slice).unwrap_or_default();
        let mut found: Vec<&Value> = entries.iter().filter(within).collect();
        found.sort_by_key(|entry| std::cmp::Reverse(made(entry)));
        found.into_iter().take(limit).map(without_secrets).collect()
    }

    fn make(&mut self, shelf: &str, mut entry: Value) -> Value {
        self.clock += 1;
        let id = format!("{shelf}-{}", self.clock);
        settle_pins(&mut entry);
        self.stamp(&mut entry, &id);
        if self.versions != Versions::None {
            next_version(&mut entry);
        }
        self.shelves
            .entry(shelf.to_owned())
            .or_default()
            .push(entry.clone());
        without_secrets(&entry)
    }

    fn change(&mut self, shelf: &str, id: &str, change: Value) -> Option<Value> {
        let moment = self.now();
        let versions = self.versions;
        let entry = self.find(shelf, id)?;
        for (name, value) in change.as_object().into_iter().flatten() {
            entry[name.as_str()] = value.clone();
        }
        entry["updatedAt"] = json!(moment);
        if let Some(fields) = entry.as_object_mut() {
            fields.retain(|_, value| !value.is_null());
        }
        settle_pins(entry);
        if versions == Versions::Published && ["assistant", "tool"].contains(&shelf) {
            next_version(entry);
        }
        Some(without_secrets(entry))
    }
}

fn next_version(entry: &mut Value) {
    let known = entry["latestVersion"].as_str().unwrap_or("v0");
    let version: u32 = known.trim_start_matches('v').parse().unwrap_or(0);
    entry["latestVersion"] = json!(format!("v{}", version + 1));
}

fn settle_pins(entry: &mut Value) {
    let pins = entry
        .pointer("/model/toolRefs")
        .and_then(Value::as_array)
        .cloned();
    let Some(ids) = entry.pointer_mut("/model/toolIds").and_then(Value::as_array_mut) else {
        return;
    };
    let pinned: Vec<Value> = pins
        .into_iter()
        .flatten()
        .map(|pin| pin["toolId"].clone())
        .collect();
    ids.retain(|id| !pinned.contains(id));
}

pub(super) async fn shelf(
    Path(shelf): Path<String>,
    Query(query): Query<HashMap<String, String>>,
    State(world): State<Shared>,
    headers: HeaderMap,
    method: Method,
    body: Bytes,
) -> Response {
    let answer = |account: &mut Account| {
        if method == Method::POST {
            return wrote(account, &method, &shelf, None, &body);
        }
        Json(account.page(&shelf, &query)).into_response()
    };
    let_into(&world, &headers, answer)
}

pub(super) async fn entry(
    Path((shelf, id)): Path<(String, String)>,
    State(world): State<Shared>,
    headers: HeaderMap,
    method: Method,
    body: Bytes,
) -> Response {
    let answer = |account: &mut Account| {
        if method != Method::GET {
            return wrote(account, &method, &shelf, Some(&id), &body);
        }
        match account.find(&shelf, &id) {
            Some(found) => Json(without_secrets(found)).into_response(),
            None => missing(),
        }
    };
    let_into(&world, &headers, answer)
}

/// Does what a request asks to be written, and keeps a record of it.
fn wrote(account: &mut Account, method: &Method, shelf: &str, id: Option<&str>, body: &Bytes) -> Response {
    let path = id.map_or_else(|| format!("/{shelf}"), |id| format!("/{shelf}/{id}"));
    if account.broken.as_ref() == Some(&path) {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let asked: Value = serde_json::from_slice(body).unwrap_or_default();
    let kept = id.and_then(|id| account.find(shelf, id)).cloned();
    let (status, answer) = match (method.as_str(), id) {
        (_, Some(_)) if kept.is_none() => (404, json!({"message": "Not Found", "statusCode": 404})),
        ("DELETE", Some(id)) => {
            let entries = account.shelves.entry(shelf.to_owned()).or_default();
            entries.retain(|entry| entry["id"] != id);
            (200, without_secrets(&kept.clone().unwrap_or_default()))
        }
        _ => match unknown_property(shelf, kept.as_ref(), &asked) {
            Some(name) => {
                let said = format!("{name} should not exist");
                (
                    400,
                    json!({"message": [said], "error": "Bad Request", "statusCode": 400}),
                )
            }
            None => match id {
                Some(id) => (200, account.change(shelf, id, asked.clone()).unwrap_or_default()),
                None => (201, account.make(shelf, asked.clone())),
            },
        },
    };
    account
        .writes
        .push(json!({"method": method.as_str(), "path": path, "body": asked, "status": status}));
    (StatusCode::from_u16(status).expect("a status"), Json(answer)).into_response()
}

/// The answer, for whoever has the key and finds the account not busy.
fn let_into(world: &Shared, headers: &HeaderMap, answer: impl FnOnce(&mut Account) -> Response) -> Response {
    if !let_in(headers, PRIVATE_KEY) {
        return StatusCode::UNAUTHORIZED.into_response();
    }
    let mut world = world.lock().unwrap();
    let account = &mut world.account;
    if account.busy > 0 {
        account.busy -= 1;
        return (StatusCode::TOO_MANY_REQUESTS, [("retry-after", "0")]).into_response();
    }
    answer(account)
}

fn missing() -> Response {
    (StatusCode::NOT_FOUND, Json(json!({"message": "Not Found"}))).into_response()
}

/// Secrets can be written and not read.
fn without_secrets(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(name, _)| {
                !["secret", "secretKey", "token", "clientSecret"].contains(&name.as_str())
            });
            Value::Object(
                kept.map(|(name, value)| (name.clone(), without_secrets(value)))
                    .collect(),
            )
        }
        Value::Array(entries) => Value::Array(entries.iter().map(without_secrets).collect()),
        other => other.clone(),
    }
}
