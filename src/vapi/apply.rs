//! Bringing Vapi's side to what is wanted, or saying how far it is from it.
//!
//! Both walk the same way: a check is an application that writes nothing. What is already as wanted is left
//! alone, so that applying twice changes nothing the second time.

use serde::Serialize;
use serde_json::{Value, json};

use crate::config::{Config, VapiAuth};
use crate::units::DialedNumber;

use super::api::{Api, ApiFault};
use super::wanted::{CREDENTIAL_NAME, NotReady, Plan, SECRET_FIELDS, covers, first_assistant, plan};

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
    /// It is not as wanted, and was left so.
    Differs,
    /// It is not there.
    Missing,
}

/// One thing on Vapi's side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Step {
    /// What it is.
    pub what: String,
    /// Its id on Vapi's side, where it has one.
    pub id: Option<String>,
    /// What was found, or done.
    pub state: State,
    /// What a person should do, where something is left to do.
    pub remedy: Option<String>,
}

/// The way over Vapi's side.
pub struct Walk<'a> {
    config: &'a Config,
    api: &'a Api,
    numbers: &'a [DialedNumber],
    write: bool,
    steps: Vec<Step>,
}

/// Brings Vapi's side to what is wanted (`write`), or says how far it is from it.
///
/// # Errors
/// [`ApiFault`] when the API cannot be asked; what was done until then stays and is found again. The inner error
/// is [`NotReady`] when the configuration leaves too much open.
pub async fn walk(
    config: &Config,
    api: &Api,
    numbers: &[DialedNumber],
    write: bool,
) -> Result<Result<Vec<Step>, NotReady>, ApiFault> {
    if let Err(fault) = plan(config, numbers, None, false) {
        return Ok(Err(fault));
    }
    let mut walk = Walk {
        config,
        api,
        numbers,
        write,
        steps: Vec::new(),
    };
    let credential = walk.credential().await?;
    let plan = match plan(config, numbers, credential.as_deref(), true) {
        Ok(plan) => plan,
        Err(fault) => return Ok(Err(fault)),
    };
    let tools = walk.tools(&plan).await?;
    walk.assistants(&plan, &tools).await?;
    walk.phone_numbers(&plan).await?;
    walk.own_side();
    Ok(Ok(walk.steps))
}

impl Walk<'_> {
    /// The credential by which webhooks are signed: its id.
    async fn credential(&mut self) -> Result<Option<String>, ApiFault> {
        let Ok(Plan {
            credential: Some(wanted),
            ..
        }) = plan(self.config, &[], None, true)
        else {
            return Ok(None);
        };
        let known = list(self.api.get("/credential").await?);
        let ours = known.iter().find(|entry| entry["name"] == CREDENTIAL_NAME);
        let what = format!("credential `{CREDENTIAL_NAME}`");
        let Some(ours) = ours else {
            let made = self.make("/credential", &what, &wanted).await?;
            return Ok(made);
        };
        let plan = wanted.get("authenticationPlan").cloned().unwrap_or_default();
        let change = json!({"provider": "webhook", "authenticationPlan": plan});
        let as_wanted = covers(ours.get("authenticationPlan"), &plan);
        let path = format!("/credential/{}", id(ours));
        self.settle(&what, ours, as_wanted, &path, &change).await?;
        Ok(Some(id(ours)))
    }

    /// The tools: their ids.
    async fn tools(&mut self, plan: &Plan) -> Result<Vec<String>, ApiFault> {
        let known = list(self.api.get("/tool").await?);
        let mut ids = Vec::new();
        for wanted in &plan.tools {
            let name = &wanted["function"]["name"];
            let what = format!("tool `{}`", name.as_str().unwrap_or_default());
            let ours = known.iter().find(|tool| {
                tool["function"]["name"] == *name && tool["server"]["url"] == wanted["server"]["url"]
            });
            match ours {
                Some(ours) => {
                    let mut change = wanted.clone();
                    // The kind of a tool cannot be changed.
                    change.as_object_mut().map(|fields| fields.remove("type"));
                    let path = format!("/tool/{}", id(ours));
                    self.settle(&what, ours, covers(Some(ours), wanted), &path, &change)
                        .await?;
                    ids.push(id(ours));
                }
                None => ids.extend(self.make("/tool", &what, wanted).await?),
            }
        }
        Ok(ids)
    }

    async fn assistants(&mut self, plan: &Plan, tools: &[String]) -> Result<(), ApiFault> {
        for wanted in &plan.assistants {
            let Some(id) = &wanted.id else {
                self.first_assistant(&wanted.settings, tools).await?;
                continue;
            };
            let what = format!("assistant {id}");
            let path = format!("/assistant/{id}");
            let found = match self.api.get(&path).await {
                Ok(found) => found,
                Err(fault) if fault.is_missing() => {
                    self.missing(
                        &what,
                        "correct vapi.assistant_id, vapi.assistants or vapi.fallback_assistant_id",
                    );
                    continue;
                }
                Err(fault) => return Err(fault),
            };
            let change = assistant_change(&found, &wanted.settings, tools);
            let as_wanted = covers(Some(&found), &change);
            self.settle(&what, &found, as_wanted, &path, &change).await?;
            self.prompt_of(&what, &found);
        }
        Ok(())
    }

    /// A deployment without an assistant gets one.
    async fn first_assistant(&mut self, settings: &Value, tools: &[String]) -> Result<(), ApiFault> {
        let mut wanted = first_assistant(settings);
        wanted["model"]["toolIds"] = json!(tools);
        let known = list(self.api.get("/assistant").await?);
        let ours = known.iter().find(|entry| entry["name"] == wanted["name"]);
        let what = "the first assistant";
        let made = match ours {
            Some(ours) => Some(id(ours)),
            None => self.make("/assistant", what, &wanted).await?,
        };
        if let Some(made) = made {
            self.steps.push(Step {
                what: "vapi.assistant_id".to_owned(),
                remedy: Some(format!("set vapi.assistant_id = \"{made}\" and run this again")),
                id: Some(made),
                state: State::Missing,
            });
        }
        Ok(())
    }

    /// A prompt is its owner's: what is missing in it is said, not written.
    fn prompt_of(&mut self, what: &str, assistant: &Value) {
        let prompts = assistant.pointer("/model/messages").and_then(Value::as_array);
        let guided = prompts.into_iter().flatten().any(|message| {
            message["content"]
                .as_str()
                .is_some_and(|text| text.contains("{{identity_marker}}"))
        });
        self.steps.push(Step {
            what: format!("prompt of {what}"),
            id: None,
            state: if guided { State::Ok } else { State::Differs },
            remedy: (!guided).then(|| {
                "its prompt does not say which messages to believe: add the text that `voxline vapi plan` shows"
                    .to_owned()
            }),
        });
    }

    async fn phone_numbers(&mut self, plan: &Plan) -> Result<(), ApiFault> {
        let known = list(self.api.get("/phone-number").await?);
        if self.numbers.is_empty() {
            self.missing(
                "numbers",
                "this store has none: add yours with `voxline number add`",
            );
        }
        for wanted in &plan.numbers {
            let what = format!("number {}", wanted.number.as_e164());
            let ours = known.iter().find(|entry| {
                let text = entry["number"]
                    .as_str()
                    .or_else(|| entry["twilioPhoneNumber"].as_str());
                text.and_then(|text| text.parse::<DialedNumber>().ok()).as_ref() == Some(&wanted.number)
            });
            let Some(ours) = ours else {
                self.missing(&what, "Vapi does not have it: import it there, or remove it here");
                continue;
            };
            let path = format!("/phone-number/{}", id(ours));
            let mut change = wanted.settings.clone();
            if let Some(provider) = ours.get("provider") {
                // Vapi tells its kinds of numbers apart by this.
                change["provider"] = provider.clone();
            }
            self.settle(&what, ours, covers(Some(ours), &wanted.settings), &path, &change)
                .await?;
        }
        Ok(())
    }

    /// What only this side can put right.
    fn own_side(&mut self) {
        let vapi = &self.config.vapi;
        let public = self.config.public_url.as_deref().unwrap_or_default();
        let mut advise = |fine: bool, what: &str, remedy: &str| {
            self.steps.push(Step {
                what: what.to_owned(),
                id: None,
                state: if fine { State::Ok } else { State::Differs },
                remedy: (!fine).then(|| remedy.to_owned()),
            });
        };
        advise(
            public.starts_with("https://"),
            "public_url",
            "Vapi's webhooks carry telephone numbers: put TLS in front and give an https:// address",
        );
        advise(
            vapi.public_key.is_some(),
            "vapi.public_key",
            "set it to Vapi's public key: the listen and control addresses ask for it once they are protected",
        );
        advise(
            !matches!(vapi.auth, VapiAuth::Secret(_)),
            "vapi.auth",
            "the old inline secret travels with every webhook: hmac signs them instead",
        );
    }

    /// Makes something; its id, unless nothing is to be written.
    async fn make(&mut self, path: &str, what: &str, wanted: &Value) -> Result<Option<String>, ApiFault> {
        if !self.write {
            self.missing(what, "`voxline vapi apply` makes it");
            return Ok(None);
        }
        let made = self.api.post(path, wanted).await?;
        self.steps.push(Step {
            what: what.to_owned(),
            id: Some(id(&made)),
            state: State::Created,
            remedy: None,
        });
        Ok(Some(id(&made)))
    }

    /// Changes something that is not as wanted, unless nothing is to be written.
    async fn settle(
        &mut self,
        what: &str,
        found: &Value,
        as_wanted: bool,
        path: &str,
        change: &Value,
    ) -> Result<(), ApiFault> {
        let state = match (as_wanted, self.write) {
            (true, _) => State::Ok,
            (false, true) => State::Updated,
            (false, false) => State::Differs,
        };
        // A secret cannot be read back to be compared: it is written whenever something is applied.
        if state == State::Updated || (self.write && holds_secret(change)) {
            self.api.patch(path, change).await?;
        }
        self.steps.push(Step {
            what: what.to_owned(),
            id: Some(id(found)),
            state,
            remedy: (state == State::Differs).then(|| "`voxline vapi apply` puts it right".to_owned()),
        });
        Ok(())
    }

    fn missing(&mut self, what: &str, remedy: &str) {
        self.steps.push(Step {
            what: what.to_owned(),
            id: None,
            state: State::Missing,
            remedy: Some(remedy.to_owned()),
        });
    }
}

/// What an assistant must be changed to: our settings, its own messages and tools with ours added, and its model
/// otherwise as it is.
fn assistant_change(found: &Value, settings: &Value, tools: &[String]) -> Value {
    let mut change = settings.clone();
    let union = |own: Option<&Value>, ours: &[Value]| {
        let mut all = own.and_then(Value::as_array).cloned().unwrap_or_default();
        for one in ours {
            if !all.contains(one) {
                all.push(one.clone());
            }
        }
        Value::Array(all)
    };
    let messages = settings["serverMessages"].as_array().cloned().unwrap_or_default();
    change["serverMessages"] = union(found.get("serverMessages"), &messages);
    if let Some(model) = found.get("model").filter(|model| model.is_object()) {
        let mut model = model.clone();
        let ours: Vec<Value> = tools.iter().map(|tool| json!(tool)).collect();
        model["toolIds"] = union(model.get("toolIds"), &ours);
        change["model"] = model;
    }
    change
}

fn holds_secret(document: &Value) -> bool {
    let Some(fields) = document.as_object() else {
        return false;
    };
    fields
        .iter()
        .any(|(name, value)| SECRET_FIELDS.contains(&name.as_str()) || holds_secret(value))
}

fn list(answer: Value) -> Vec<Value> {
    match answer {
        Value::Array(entries) => entries,
        // Some lists come in pages.
        Value::Object(mut page) => match page.remove("results") {
            Some(Value::Array(entries)) => entries,
            _ => Vec::new(),
        },
        _ => Vec::new(),
    }
}

/// An id as part of a path: Vapi's are UUIDs, and nothing else is put into an address.
fn id(entry: &Value) -> String {
    let text = entry["id"].as_str().unwrap_or_default();
    text.chars()
        .filter(|sign| sign.is_ascii_alphanumeric() || "-_".contains(*sign))
        .collect()
}
