//! Writing: what is not as wanted is made or changed, after what was there was noted.

use serde_json::{Map, Value, json};

use crate::vapi::wanted::CREDENTIAL_NAME;

use super::journal::Entry;
use super::read::text;
use super::seal::Seal;
use super::step::{State, Step};
use super::walk::Walk;
use super::{AccountFault, id, merge, owner};

/// Fields that Vapi writes itself.
pub const STAMPED: &[&str] = &[
    "id",
    "orgId",
    "createdAt",
    "updatedAt",
    "latestVersion",
    "status",
    "isServerUrlSecretSet",
    "authenticationSession",
];

impl Walk<'_> {
    /// Makes something; its id, unless nothing is to be written.
    pub(super) async fn make(
        &mut self,
        shelf: &str,
        what: &str,
        wanted: &Value,
    ) -> Result<Option<String>, AccountFault> {
        if !self.write {
            let step = Step::new(what, State::Missing).with_remedy("`voxline vapi apply` makes it");
            self.steps.push(step);
            return Ok(None);
        }
        let made = self.api.post(&format!("/{shelf}"), wanted).await?;
        let seal = wanted
            .get("authenticationPlan")
            .and_then(|plan| Seal::of(plan, &made));
        self.journal.made(Entry {
            shelf: shelf.to_owned(),
            id: id(&made),
            what: what.to_owned(),
            made: true,
            before: Map::new(),
            after: bare(&made),
            draft: None,
            seal,
        })?;
        self.steps
            .push(Step::new(what, State::Created).with_id(id(&made)));
        Ok(Some(id(&made)))
    }

    /// Changes what is not as wanted, unless nothing is to be written.
    pub(super) async fn settle(
        &mut self,
        shelf: &str,
        what: &str,
        found: &Value,
        wanted: Map<String, Value>,
    ) -> Result<(), AccountFault> {
        let fields = merge::differing(found, wanted);
        if fields.is_empty() {
            self.steps.push(Step::new(what, State::Ok).with_id(id(found)));
            self.unpublished(shelf, what, found);
            return Ok(());
        }
        if !self.write {
            let step = Step::new(what, State::Differs).with_id(id(found));
            self.steps
                .push(step.with_remedy("`voxline vapi apply` puts it right"));
            return Ok(());
        }
        let original = self.journal.original(shelf, found);
        self.journal.changed((shelf, what), &original, found, &fields)?;
        let answer = self
            .api
            .patch(&path(shelf, found), &body(shelf, found, &fields))
            .await?;
        // Vapi may hold what it was sent in a form of its own.
        let held = fields
            .keys()
            .map(|name| (name.clone(), answer.get(name).cloned().unwrap_or_default()));
        self.journal
            .changed((shelf, what), &original, found, &held.collect())?;
        let draft = waiting(found, &answer);
        self.journal
            .note(shelf, &id(found), |entry| entry.draft.clone_from(&draft))?;
        let mut step = Step::new(what, State::Updated).with_id(id(found));
        if fields.contains_key("server") && self.owners.foreign(found).is_some() {
            step = step.with_was(owner::shown(found)).with_remedy(
                "its backend gets nothing from now on but what Voxline passes on to it: start `voxline serve` anew, and \
                 it passes on everything; `voxline vapi undo` puts it back",
            );
        }
        self.steps.push(step);
        self.unpublished(shelf, what, &answer);
        Ok(())
    }

    /// The credential by which webhooks are signed: its id.
    pub(super) async fn credential(
        &mut self,
        wanted: Option<&Value>,
    ) -> Result<Option<String>, AccountFault> {
        let shelf = "credential";
        let Some(wanted) = wanted else {
            self.named_credential();
            return Ok(None);
        };
        let what = format!("credential `{CREDENTIAL_NAME}`");
        let provider =
            |entry: &Value| matches!(entry["provider"].as_str(), Some("custom-credential" | "webhook"));
        let known = self.account.credentials.iter();
        let ours = known
            .filter(|entry| entry["name"] == CREDENTIAL_NAME && provider(entry))
            .max_by_key(|entry| self.journal.entry(shelf, &id(entry)).is_some());
        let Some(ours) = ours.cloned() else {
            return self.make(shelf, &what, wanted).await;
        };
        let plan = wanted.get("authenticationPlan").cloned().unwrap_or_default();
        let as_wanted = merge::covers(ours.get("authenticationPlan"), &plan);
        let sealed = self
            .journal
            .entry(shelf, &id(&ours))
            .and_then(|entry| entry.seal.as_ref());
        // A secret cannot be read back to be compared: it is written unless it is the one that was written last.
        let sealed = sealed.is_some_and(|seal| seal.holds(&plan, &ours));
        if self.write && !(as_wanted && sealed) {
            let mut fields = Map::new();
            fields.insert("authenticationPlan".to_owned(), merge::without_secrets(&plan));
            let original = self.journal.original(shelf, &ours);
            self.journal.changed((shelf, &what), &original, &ours, &fields)?;
            let change = json!({"provider": ours["provider"], "authenticationPlan": plan});
            let answer = self.api.patch(&path(shelf, &ours), &change).await?;
            let held = answer.get("authenticationPlan").map(merge::without_secrets);
            self.journal.note(shelf, &id(&ours), |entry| {
                entry.seal = Seal::of(&plan, &answer);
                if let Some(held) = held.filter(|_| entry.made) {
                    entry.after.insert("authenticationPlan".to_owned(), held);
                }
            })?;
        }
        let state = match (as_wanted, self.write) {
            (true, _) => State::Ok,
            (false, true) => State::Updated,
            (false, false) => State::Differs,
        };
        let step = Step::new(what, state).with_id(id(&ours));
        self.steps.push(match state {
            State::Differs => step.with_remedy("`voxline vapi apply` puts it right"),
            _ => step,
        });
        Ok(Some(id(&ours)))
    }

    /// A credential that was made by hand is there, or not.
    fn named_credential(&mut self) {
        let Some(named) = &self.settings.credential else {
            return;
        };
        let step = match self.account.credential(named) {
            Some(_) => Step::new("vapi.credential_id", State::Ok),
            None => Step::new("vapi.credential_id", State::Missing).with_remedy(
                "this account has no such credential: correct it, or leave it out and `apply` makes one",
            ),
        };
        self.steps.push(step.with_id(named.clone()));
    }

    /// Says where a change waits in a draft: calls take the published version.
    fn unpublished(&mut self, shelf: &str, what: &str, held: &Value) {
        let entry = self.journal.entry(shelf, &id(held));
        let draft = entry.and_then(|entry| entry.draft.as_deref());
        let Some(draft) = draft.filter(|draft| text(held, "latestVersion") == Some(draft)) else {
            return;
        };
        let remedy = format!(
            "publish it in Vapi's dashboard: the change is a draft, and calls take the published version {draft}"
        );
        let step = Step::new(format!("published version of {what}"), State::Differs);
        self.steps.push(step.with_id(id(held)).with_remedy(remedy));
    }
}

/// The version that calls go on taking after a change; `None` where there are no versions or the change made one.
pub fn waiting(found: &Value, answer: &Value) -> Option<String> {
    let now = text(answer, "latestVersion")?;
    (text(found, "latestVersion") == Some(now)).then(|| now.to_owned())
}

/// The path of a thing.
pub fn path(shelf: &str, found: &Value) -> String {
    format!("/{shelf}/{}", id(found))
}

/// A change as it is sent: Vapi tells its kinds of numbers apart by their provider.
pub fn body(shelf: &str, found: &Value, fields: &Map<String, Value>) -> Value {
    let mut body = fields.clone();
    if let (true, Some(provider)) = (shelf == "phone-number", found.get("provider")) {
        body.insert("provider".to_owned(), provider.clone());
    }
    Value::Object(body)
}

/// A thing without what Vapi writes itself, and without secrets.
pub fn bare(found: &Value) -> Map<String, Value> {
    let plain = merge::without_secrets(found);
    let mut fields = plain.as_object().cloned().unwrap_or_else(Map::new);
    fields.retain(|name, _| !STAMPED.contains(&name.as_str()));
    fields
}
