//! Bringing Vapi's side to what is wanted, or saying how far it is from it.
//!
//! Both walk the same way: a check is an application that writes nothing. What is already as wanted is left
//! alone, so that applying twice changes nothing the second time.

use serde_json::{Map, Value, json};

use crate::carriers::CarrierSettings;
use crate::units::DialedNumber;
use crate::vapi::api::Api;
use crate::vapi::settings::{VapiAuth, VapiMode, VapiSettings};
use crate::vapi::wanted::{Plan, first_assistant, plan};

use super::journal::Journal;
use super::owner::{shown_url, url_of};
use super::read::{kept_route, text};
use super::step::{State, Step};
use super::walk::{Walk, tool_name};
use super::{AccountFault, id, merge};

/// Parts of an assistant's keypad plan that are its owner's where they are set.
const KEYPAD_OF_OWNER: &[&str] = &["timeoutSeconds", "delimiters"];

/// Brings Vapi's side to what is wanted. What somebody else's backend has is taken from it with `take_over` alone:
/// without, one such thing is enough for nothing to be changed at all.
///
/// # Errors
/// [`AccountFault`]; what was done until then stays, is noted, and is found again.
pub async fn apply(
    settings: &VapiSettings,
    api: &Api,
    numbers: &[DialedNumber],
    take_over: bool,
) -> Result<Vec<Step>, AccountFault> {
    let wanted = plan(settings, numbers, None, false)?;
    let journal = Journal::open(&settings.data_dir, &settings.api_url)?;
    let mut walk = Walk::begin(settings, api, numbers, &wanted, journal, true).await?;
    let obstacles = walk.obstacles(&wanted);
    let standing: Vec<Step> = obstacles
        .into_iter()
        .filter(|obstacle| !take_over || obstacle.stays)
        .map(|obstacle| obstacle.step)
        .collect();
    if !standing.is_empty() {
        return Ok(standing);
    }
    walk.all().await?;
    Ok(walk.steps)
}

/// Says how far Vapi's side is from what is wanted and from what `carriers` are told of it, and who gets which messages;
/// nothing is written.
///
/// # Errors
/// [`AccountFault`].
pub async fn check(
    settings: &VapiSettings,
    carriers: &CarrierSettings,
    api: &Api,
    numbers: &[DialedNumber],
) -> Result<Vec<Step>, AccountFault> {
    let wanted = plan(settings, numbers, None, false)?;
    let journal = Journal::read(&settings.data_dir, &settings.api_url)?;
    let mut walk = Walk::begin(settings, api, numbers, &wanted, journal, false).await?;
    let obstacles = walk.obstacles(&wanted);
    walk.all().await?;
    walk.first_hand();
    walk.ways_in(carriers);
    walk.region(carriers);
    // What stands in the way is said once, by its own words.
    let obstacles: Vec<Step> = obstacles.into_iter().map(|obstacle| obstacle.step).collect();
    let said = |step: &Step| {
        let mut told = obstacles.iter();
        told.any(|told| told.id == step.id && told.what == step.what)
    };
    walk.steps.retain(|step| !said(step));
    walk.steps.extend(obstacles);
    Ok(walk.steps)
}

impl Walk<'_> {
    /// Everything in its order: numbers last, so that no call comes here before the rest is ready for it.
    async fn all(&mut self) -> Result<(), AccountFault> {
        let wanted = plan(self.settings, &[], None, true)?;
        let credential = self.credential(wanted.credential.as_ref()).await?;
        let plan = plan(self.settings, self.numbers, credential.as_deref(), true)?;
        let tools = self.tools(&plan).await?;
        self.assistants(&plan, &tools).await?;
        self.phone_numbers(&plan).await?;
        self.own_side();
        Ok(())
    }

    /// The tools: their ids.
    async fn tools(&mut self, plan: &Plan) -> Result<Vec<String>, AccountFault> {
        let mut ids = Vec::new();
        for wanted in &plan.tools {
            let what = tool_name(wanted);
            match self.our_tool(wanted).cloned() {
                Some(ours) => {
                    self.settle("tool", &what, &ours, merge::tool(&ours, wanted))
                        .await?;
                    ids.push(id(&ours));
                }
                None => ids.extend(self.make("tool", &what, wanted).await?),
            }
        }
        Ok(ids)
    }

    async fn assistants(&mut self, plan: &Plan, tools: &[String]) -> Result<(), AccountFault> {
        for wanted in &plan.assistants {
            let Some(id) = &wanted.id else {
                self.first_assistant(&wanted.settings, tools).await?;
                continue;
            };
            let what = format!("assistant {id}");
            let Some(found) = self.account.assistant(id).cloned() else {
                let remedy = "correct vapi.assistant_id, vapi.assistants or vapi.fallback_assistant_id";
                self.steps
                    .push(Step::new(what, State::Missing).with_remedy(remedy));
                continue;
            };
            let fields = assistant_fields(&found, &wanted.settings, tools);
            self.settle("assistant", &what, &found, fields).await?;
            self.pins(&what, &found, tools);
            self.left_to_its_owner(&what, &found);
            self.prompt_of(&what, &found);
        }
        Ok(())
    }

    /// In the mode of numbers an assistant's server is not ours to set.
    fn left_to_its_owner(&mut self, what: &str, found: &Value) {
        let (VapiMode::Number, Some(url)) = (self.settings.mode, url_of(found)) else {
            return;
        };
        let what = format!("server of {what}");
        let step = if self.owners.is_ours(url) {
            Step::new(what, State::Differs).with_remedy(
                "vapi.mode is number, and it was set to Voxline before: `voxline vapi undo`, then `apply` again",
            )
        } else {
            Step::new(what, State::Kept)
                .with_remedy(format!("vapi.mode is number: it stays {}", shown_url(url)))
        };
        self.steps.push(step.with_id(id(found)));
    }

    /// A tool of ours that an assistant holds at an older version is not the one that is wanted.
    fn pins(&mut self, what: &str, found: &Value, tools: &[String]) {
        for tool in tools {
            let known = self.account.tools.iter().find(|entry| entry["id"] == *tool);
            let latest = known.and_then(|entry| text(entry, "latestVersion"));
            let Some(version) = merge::pinned(&found["model"], tool).filter(|pin| Some(*pin) != latest)
            else {
                continue;
            };
            let name = known.map_or_else(|| format!("tool {tool}"), tool_name);
            let remedy = format!(
                "it is held at version {version} (toolRefs): choose its current version in the assistant's tools and publish"
            );
            let step = Step::new(format!("{name} of {what}"), State::Differs);
            self.steps.push(step.with_remedy(remedy));
        }
    }

    /// A deployment without an assistant gets one.
    async fn first_assistant(&mut self, settings: &Value, tools: &[String]) -> Result<(), AccountFault> {
        let mut wanted = first_assistant(settings);
        wanted["model"]["toolIds"] = json!(tools);
        let known = self.account.assistants.iter();
        let ours = known
            .clone()
            .find(|entry| entry["name"] == wanted["name"])
            .map(id);
        let made = match ours {
            Some(ours) => Some(ours),
            None => self.make("assistant", "the first assistant", &wanted).await?,
        };
        if let Some(made) = made {
            let remedy = format!("set vapi.assistant_id = \"{made}\" and run this again");
            let step = Step::new("vapi.assistant_id", State::Missing);
            self.steps.push(step.with_id(made).with_remedy(remedy));
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
        let what = format!("prompt of {what}");
        self.steps.push(if guided {
            Step::new(what, State::Ok)
        } else {
            Step::new(what, State::Differs).with_remedy(
            "its prompt does not say which messages to believe: add the text that `voxline vapi plan` shows",
        )
        });
    }

    async fn phone_numbers(&mut self, plan: &Plan) -> Result<(), AccountFault> {
        if self.numbers.is_empty() {
            let remedy = "this store has none: add yours with `voxline number add`";
            self.steps
                .push(Step::new("numbers", State::Missing).with_remedy(remedy));
        }
        for wanted in &plan.numbers {
            let what = format!("number {}", wanted.number.as_e164());
            let sip = &self.settings.sip_numbers;
            let known: Vec<Value> = self.account.of_number(&wanted.number, sip).cloned().collect();
            if known.is_empty() {
                let remedy = "Vapi does not have it: import it there, or remove it here; where it is a SIP address \
                              without the number in it, say so in vapi.sip_numbers";
                self.steps
                    .push(Step::new(&what, State::Missing).with_remedy(remedy));
            }
            for found in known {
                let fields = number_fields(&found, &wanted.settings);
                self.settle("phone-number", &what, &found, fields).await?;
                self.route_of(&what, &found);
            }
        }
        Ok(())
    }

    /// A squad that a number points to stays: Vapi then asks nobody who takes the call.
    fn route_of(&mut self, what: &str, found: &Value) {
        let Some((kind, name)) = kept_route(found) else {
            return;
        };
        let remedy = format!(
            "{kind} {name} takes its calls, and stays so. Vapi then does not ask while it rings: who calls is known to \
             the tools and by messages, not by variables. Take it off the number in the dashboard to be asked"
        );
        let step = Step::new(format!("{kind} of {what}"), State::Kept);
        self.steps.push(step.with_id(id(found)).with_remedy(remedy));
    }

    /// What only this side can put right.
    fn own_side(&mut self) {
        let settings = self.settings;
        let public = settings.public_url.as_deref().unwrap_or_default();
        let mut advise = |fine: bool, what: &str, remedy: &str| {
            self.steps.push(if fine {
                Step::new(what, State::Ok)
            } else {
                Step::new(what, State::Differs).with_remedy(remedy)
            });
        };
        advise(
            public.starts_with("https://"),
            "public_url",
            "Vapi's webhooks carry telephone numbers: put TLS in front and give an https:// address",
        );
        advise(
            settings.public_key.is_some(),
            "vapi.public_key",
            "set it to Vapi's public key: the listen and control addresses ask for it once they are protected",
        );
        advise(
            !matches!(settings.auth, VapiAuth::Secret(_)),
            "vapi.auth",
            "the shared secret travels with every webhook: hmac signs them instead",
        );
    }
}

/// What an assistant must have: our settings over its own, its messages and tools with ours added, its model otherwise
/// as it is. Without settings, as in the mode of numbers, its tools alone.
fn assistant_fields(found: &Value, settings: &Value, tools: &[String]) -> Map<String, Value> {
    let mut fields = Map::new();
    for (name, ours) in settings.as_object().into_iter().flatten() {
        let own = found.get(name);
        let merged = match name.as_str() {
            "server" => merge::server(own, ours),
            "serverMessages" => merge::messages(own, ours),
            "keypadInputPlan" => merge::plan(own, ours, KEYPAD_OF_OWNER),
            _ => merge::plan(own, ours, &[]),
        };
        fields.insert(name.clone(), merged);
    }
    if let Some(model) = found.get("model").filter(|model| model.is_object()) {
        fields.insert("model".to_owned(), merge::model(model, tools));
    }
    fields
}

/// What a number must have: our server over its own, and nobody who takes its calls unasked, but for a squad.
fn number_fields(found: &Value, settings: &Value) -> Map<String, Value> {
    let mut fields = Map::new();
    let server = merge::server(found.get("server"), &settings["server"]);
    fields.insert("server".to_owned(), server);
    if kept_route(found).is_none() {
        fields.insert("assistantId".to_owned(), Value::Null);
    }
    fields
}
