//! Which number a `phoneNumberId` is, where a message does not say: from Vapi's API, remembered.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};

use crate::evidence::dialed;
use crate::units::DialedNumber;

use super::api::{Api, path_part};

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
#[derive(Default)]
struct Known {
    number: Option<DialedNumber>,
    /// Until when that is good.
    until: Option<Instant>,
}

/// Held while Vapi is asked for an id: many calls at once ask once.
type Asked = Arc<Mutex<Known>>;

/// The numbers of Vapi's side, by their ids.
#[derive(Default)]
pub(super) struct Inventory {
    known: std::sync::Mutex<HashMap<String, Asked>>,
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
        let asked = self.asked(id);
        let mut known = asked.lock().await;
        if known.until.is_some_and(|until| Instant::now() < until) {
            return known.number.clone();
        }
        let path = format!("/phone-number/{}", path_part(id));
        // What is known stays in use where there is no answer.
        let good = match timeout(PATIENCE, api.get(&path)).await {
            Ok(Ok(entry)) => {
                known.number = dialed_of(&entry, sip);
                if known.number.is_some() { GOOD } else { AGAIN }
            }
            Ok(Err(fault)) if fault.is_missing() => {
                known.number = None;
                AGAIN
            }
            Ok(Err(fault)) => {
                tracing::warn!(%fault, "a number of Vapi's cannot be read: {fault}");
                AFTER_NO_ANSWER
            }
            Err(_) => {
                tracing::warn!("a number of Vapi's cannot be read: its API takes too long");
                AFTER_NO_ANSWER
            }
        };
        known.until = Some(Instant::now() + good);
        known.number.clone()
    }

    fn asked(&self, id: &str) -> Asked {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST && !known.contains_key(id) {
            known.clear();
        }
        Arc::clone(known.entry(id.to_owned()).or_default())
    }
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
