//! What Vapi's API says of an id, remembered: which number a `phoneNumberId` is, where a message does not say, and whether a
//! stored assistant has our tools.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::evidence::dialed;
use crate::units::DialedNumber;

use super::api::{Api, ApiFault, path_part};
use super::tool_call::is_ours;

/// How long an answer is good.
const GOOD: Duration = Duration::from_secs(600);
/// How soon it is asked again for an id that Vapi did not know, and where there was no answer.
const AGAIN: Duration = Duration::from_secs(30);
const AFTER_NO_ANSWER: Duration = Duration::from_secs(2);
/// Ids that are remembered.
const MOST: usize = 10_000;

/// How long one question may take: a ringing call waits for it.
const PATIENCE: Duration = Duration::from_secs(2);

/// What Vapi said of an id.
struct Known<T> {
    said: Option<T>,
    /// Until when that is good.
    until: Option<Instant>,
}

impl<T> Default for Known<T> {
    fn default() -> Self {
        Self {
            said: None,
            until: None,
        }
    }
}

/// Held while Vapi is asked for an id: many calls at once ask once.
type Asked<T> = Arc<Mutex<Known<T>>>;

/// What is known, by id.
type Shelf<T> = std::sync::Mutex<HashMap<String, Asked<T>>>;

/// The numbers, assistants and tools of Vapi's side, by their ids.
#[derive(Default)]
pub(super) struct Inventory {
    numbers: Shelf<DialedNumber>,
    /// Whether an assistant has one of our tools.
    equipped: Shelf<bool>,
    /// The ids of tools that are called as ours are.
    our_tools: Shelf<Vec<String>>,
}

impl Inventory {
    /// The number called `id`; `None` when Vapi has no such number or does not answer.
    ///
    /// `sip` are the SIP addresses of dialed numbers that do not stand in them.
    pub(super) async fn number(
        &self,
        api: &Api,
        sip: &BTreeMap<DialedNumber, String>,
        id: &str,
    ) -> Option<DialedNumber> {
        let path = format!("/phone-number/{}", path_part(id));
        let asked = async { api.get(&path).await.map(|entry| dialed_of(&entry, sip)) };
        remembered(&self.numbers, id, "a number", asked).await
    }

    /// Whether the stored assistant called `id` has one of our tools; `None` when Vapi has no such assistant or does not
    /// answer.
    pub(super) async fn has_our_tools(&self, api: &Api, id: &str) -> Option<bool> {
        let asked = async { api.list("/tool").await.map(|tools| Some(ids_of_ours(&tools))) };
        let ours = remembered(&self.our_tools, "", "the tools", asked).await?;
        let path = format!("/assistant/{}", path_part(id));
        let asked = async {
            let assistant = api.get(&path).await;
            assistant.map(|assistant| Some(has_one(&assistant["model"], &ours)))
        };
        remembered(&self.equipped, id, "an assistant", asked).await
    }
}

/// What is known of `id`; where that is not good any more, what is `asked` of Vapi now. `what` it is, for the log.
async fn remembered<T: Clone>(
    shelf: &Shelf<T>,
    id: &str,
    what: &str,
    asked: impl Future<Output = Result<Option<T>, ApiFault>>,
) -> Option<T> {
    let slot = slot(shelf, id);
    let mut known = slot.lock().await;
    if known.until.is_some_and(|until| Instant::now() < until) {
        return known.said.clone();
    }
    // What is known stays in use where there is no answer.
    let good = match timeout(PATIENCE, asked).await {
        Ok(Ok(said)) => {
            known.said = said;
            if known.said.is_some() { GOOD } else { AGAIN }
        }
        Ok(Err(fault)) if fault.is_missing() => {
            known.said = None;
            AGAIN
        }
        Ok(Err(fault)) => {
            tracing::warn!(%fault, "{what} of Vapi's cannot be read: {fault}");
            AFTER_NO_ANSWER
        }
        Err(_) => {
            tracing::warn!("{what} of Vapi's cannot be read: its API takes too long");
            AFTER_NO_ANSWER
        }
    };
    known.until = Some(Instant::now() + good);
    known.said.clone()
}

fn slot<T>(shelf: &Shelf<T>, id: &str) -> Asked<T> {
    let mut known = shelf.lock().unwrap_or_else(PoisonError::into_inner);
    if known.len() >= MOST && !known.contains_key(id) {
        known.clear();
    }
    Arc::clone(known.entry(id.to_owned()).or_default())
}

/// The ids of those tools that are called as one of ours is.
fn ids_of_ours(tools: &[Value]) -> Vec<String> {
    let ours = tools.iter().filter(|tool| is_called_as_ours(tool));
    ours.filter_map(|tool| tool["id"].as_str().map(str::to_owned))
        .collect()
}

fn is_called_as_ours(tool: &Value) -> bool {
    tool["function"]["name"].as_str().is_some_and(is_ours)
}

/// Whether a model has one of our tools: in place, by its id, or held at a version.
fn has_one(model: &Value, ours: &[String]) -> bool {
    let entries = |name: &str| model[name].as_array().into_iter().flatten();
    let pinned = entries("toolRefs").map(|pin| &pin["toolId"]);
    let mut ids = entries("toolIds").chain(pinned).filter_map(Value::as_str);
    entries("tools").any(is_called_as_ours) || ids.any(|id| ours.iter().any(|own| own == id))
}

/// The dialed number of one of Vapi's numbers: its own, however it is written, or that of its SIP address.
pub(super) fn dialed_of(entry: &Value, sip: &BTreeMap<DialedNumber, String>) -> Option<DialedNumber> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let address = text("sipUri");
    let named = address.and_then(|address| named_by(address, sip));
    named.or_else(|| {
        let spelled = [text("number"), text("twilioPhoneNumber"), address];
        spelled.into_iter().flatten().find_map(|text| dialed(text).ok())
    })
}

/// The dialed number of one of Vapi's SIP addresses: the one that `sip` says it is, else the one in it.
pub(super) fn of_sip_address(address: &str, sip: &BTreeMap<DialedNumber, String>) -> Option<DialedNumber> {
    named_by(address, sip).or_else(|| dialed(address).ok())
}

fn named_by(address: &str, sip: &BTreeMap<DialedNumber, String>) -> Option<DialedNumber> {
    let mut known = sip.iter();
    let named = known.find(|(_, known)| is_same_address(known, address))?;
    Some(named.0.clone())
}

/// Whether two SIP addresses are one, apart from case, scheme and parameters.
pub(super) fn is_same_address(one: &str, other: &str) -> bool {
    let bare = |address: &str| {
        let address = address.trim().to_ascii_lowercase();
        let address = address.trim_start_matches("sips:").trim_start_matches("sip:");
        address.split([';', '?']).next().unwrap_or_default().to_owned()
    };
    bare(one) == bare(other)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_assistant_has_our_tools_in_place_by_their_ids_or_at_a_version() {
        let named = |name: &str| json!({"id": format!("t-{name}"), "function": {"name": name}});
        let ours = ids_of_ours(&[named("book"), named("verify_pin"), json!({"id": "t-x"})]);
        assert_eq!(ours, ["t-verify_pin"]);
        for (model, has) in [
            (json!({"toolIds": ["t-book", "t-verify_pin"]}), true),
            (
                json!({"toolRefs": [{"toolId": "t-verify_pin", "version": "v3"}]}),
                true,
            ),
            (json!({"tools": [named("identify_caller")]}), true),
            (
                json!({"tools": [named("book")], "toolIds": ["t-book"], "toolRefs": [7]}),
                false,
            ),
            (Value::Null, false),
        ] {
            assert_eq!(has_one(&model, &ours), has, "{model}");
        }
    }

    #[test]
    fn a_number_is_read_however_it_is_written_and_by_its_address() {
        let office = (
            "+12025550107".parse().unwrap(),
            "sip:office@sip.vapi.ai".to_owned(),
        );
        let sip = BTreeMap::from([office]);
        for (entry, number) in [
            (json!({"number": "+12025550102"}), Some("+12025550102")),
            (json!({"twilioPhoneNumber": "+12025550103"}), Some("+12025550103")),
            (
                json!({"provider": "byo-phone-number", "number": "12025550105"}),
                Some("+12025550105"),
            ),
            (
                json!({"sipUri": "sip:+12025550106@sip.vapi.ai"}),
                Some("+12025550106"),
            ),
            (
                json!({"sipUri": "sip:Office@sip.vapi.ai;transport=tls"}),
                Some("+12025550107"),
            ),
            (json!({"sipUri": "sip:a@sip.vapi.ai"}), None),
            (json!({}), None),
            (json!(5), None),
        ] {
            let read = dialed_of(&entry, &sip);
            assert_eq!(read.as_ref().map(DialedNumber::as_e164), number, "{entry}");
        }
    }
}
