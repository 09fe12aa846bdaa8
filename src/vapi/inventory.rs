//! Which number a `phoneNumberId` is, where a message does not say: from Vapi's API, remembered.

use std::collections::HashMap;
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
    pub(super) async fn number(&self, api: &Api, id: &str) -> Option<DialedNumber> {
        // Held while the list is fetched: many calls at once ask once.
        let mut known = self.known.lock().await;
        if let Some((at, numbers)) = known.as_ref() {
            let found = numbers.get(id).cloned();
            if at.elapsed() < if found.is_some() { GOOD } else { AGAIN } {
                return found;
            }
        }
        match api.get("/phone-number").await {
            Ok(list) => {
                let numbers = read(&list);
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

fn read(list: &Value) -> HashMap<String, DialedNumber> {
    let entries = list.as_array().into_iter().flatten();
    let numbers = entries.filter_map(|entry| {
        let id = entry.get("id")?.as_str()?.to_owned();
        let number = ["number", "twilioPhoneNumber"]
            .iter()
            .find_map(|key| dialed(entry.get(key)?.as_str()?).ok())?;
        Some((id, number))
    });
    numbers.collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_are_read_by_their_ids_and_addresses_are_none() {
        let numbers = read(&json!([
            {"id": "pn-1", "number": "+12025550102"},
            {"id": "pn-2", "twilioPhoneNumber": "+12025550103"},
            {"id": "pn-3", "sipUri": "sip:a@sip.vapi.ai"},
            {"number": "+12025550104"}, 5
        ]));
        assert_eq!(numbers.len(), 2);
        assert_eq!(numbers["pn-2"].as_e164(), "+12025550103");
    }
}
