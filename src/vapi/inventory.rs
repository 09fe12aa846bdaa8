//! Which number a `phoneNumberId` is, where a message does not say: from Vapi's API, remembered.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::evidence::dialed;
use crate::units::DialedNumber;

use super::api::Api;

/// How long the list is good.
const GOOD: Duration = Duration::from_secs(600);
/// How soon it is asked for again for an id that is not in it.
const AGAIN: Duration = Duration::from_secs(30);

/// The numbers of Vapi's side, by their ids.
#[derive(Default)]
pub(super) struct Inventory {
    known: Mutex<Option<(Instant, HashMap<String, DialedNumber>)>>,
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
        // Held while the list is fetched: many calls at once ask once.
        let mut known = self.known.lock().await;
        if let Some((at, numbers)) = known.as_ref() {
            let found = numbers.get(id).cloned();
            if at.elapsed() < if found.is_some() { GOOD } else { AGAIN } {
                return found;
            }
        }
        match api.list("/phone-number").await {
            Ok(list) => {
                let numbers = read(&list, sip);
                let found = numbers.get(id).cloned();
                *known = Some((Instant::now(), numbers));
                found
            }
            Err(fault) => {
                tracing::warn!(%fault, "Vapi's numbers cannot be read: {fault}");
                let numbers = known.take().map(|(_, numbers)| numbers).unwrap_or_default();
                let found = numbers.get(id).cloned();
                // What is known stays in use, and the next question comes later.
                *known = Some((Instant::now(), numbers));
                found
            }
        }
    }
}

/// The dialed number of one of Vapi's numbers: its own, however it is written, or that of its SIP address.
pub(super) fn dialed_of(entry: &Value, sip: &BTreeMap<DialedNumber, String>) -> Option<DialedNumber> {
    let text = |key: &str| entry.get(key).and_then(Value::as_str);
    let address = text("sipUri");
    let named = address.and_then(|address| {
        let mut known = sip.iter();
        known.find(|(_, known)| is_same_address(known, address))
    });
    named.map(|(number, _)| number.clone()).or_else(|| {
        let spelled = [text("number"), text("twilioPhoneNumber"), address];
        spelled.into_iter().flatten().find_map(|text| dialed(text).ok())
    })
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

fn read(list: &[Value], sip: &BTreeMap<DialedNumber, String>) -> HashMap<String, DialedNumber> {
    let numbers = list.iter().filter_map(|entry| {
        let id = entry.get("id")?.as_str()?.to_owned();
        Some((id, dialed_of(entry, sip)?))
    });
    numbers.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_read_by_their_ids_and_by_their_addresses() {
        let list = json!([
            {"id": "pn-1", "number": "+12025550102"},
            {"id": "pn-2", "twilioPhoneNumber": "+12025550103"},
            {"id": "pn-3", "sipUri": "sip:a@sip.vapi.ai"},
            {"id": "pn-4", "provider": "byo-phone-number", "number": "12025550105"},
            {"id": "pn-5", "sipUri": "sip:+12025550106@sip.vapi.ai"},
            {"id": "pn-6", "sipUri": "sip:Office@sip.vapi.ai"},
            {"number": "+12025550104"}, 5
        ]);
        let office = (
            "+12025550107".parse().unwrap(),
            "sip:office@sip.vapi.ai".to_owned(),
        );
        let numbers = read(list.as_array().unwrap(), &BTreeMap::from([office]));
        let mut found: Vec<(&str, &str)> = numbers
            .iter()
            .map(|(id, number)| (id.as_str(), number.as_e164()))
            .collect();
        found.sort_unstable();
        let expected = [
            ("pn-1", "+12025550102"),
            ("pn-2", "+12025550103"),
            ("pn-4", "+12025550105"),
            ("pn-5", "+12025550106"),
            ("pn-6", "+12025550107"),
        ];
        assert_eq!(found, expected);
    }
}
