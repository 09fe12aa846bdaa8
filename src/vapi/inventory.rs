//! Which number a `phoneNumberId` is, where a message does not say: from Vapi's API, remembered.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use crate::evidence::dialed;
use crate::units::DialedNumber;

use super::api::{Api, path_part};

/// How long an answer is good.
const GOOD: Duration = Duration::from_secs(600);
/// How soon it is asked again for an id that Vapi did not know.
const AGAIN: Duration = Duration::from_secs(30);
/// Ids that are remembered.
const MOST: usize = 10_000;

/// The numbers of Vapi's side, by their ids.
#[derive(Default)]
pub(super) struct Inventory {
    known: Mutex<HashMap<String, (Instant, Option<DialedNumber>)>>,
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
        // Held while Vapi is asked: many calls at once ask once.
        let mut known = self.known.lock().await;
        let before = known.get(id).cloned();
        if let Some((at, number)) = &before
            && at.elapsed() < if number.is_some() { GOOD } else { AGAIN }
        {
            return number.clone();
        }
        let number = match api.get(&format!("/phone-number/{}", path_part(id))).await {
            Ok(entry) => dialed_of(&entry, sip),
            Err(fault) if fault.is_missing() => None,
            Err(fault) => {
                tracing::warn!(%fault, "a number of Vapi's cannot be read: {fault}");
                // What is known stays in use, and the next question comes later.
                before.and_then(|(_, number)| number)
            }
        };
        if known.len() >= MOST {
            known.clear();
        }
        known.insert(id.to_owned(), (Instant::now(), number.clone()));
        number
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
