//! What a check says beside what would be changed: who gets messages first, how calls get in, and in which region.

use serde_json::Value;

use crate::carriers::{Carrier, CarrierSettings, VapiRegion};
use crate::vapi::inventory::{dialed_of, is_same_address};
use crate::vapi::settings::VapiMode;

use super::id;
use super::owner::{shown_url, url_of};
use super::read::{kept_route, text};
use super::step::{State, Step};
use super::walk::Walk;

impl Walk<'_> {
    /// Who gets the messages of each number's calls: the first address that is set of assistant, number and
    /// organisation. (A tool's own address comes before them for its calls.)
    pub(super) fn first_hand(&mut self) {
        for (what, number) in self.known_numbers() {
            if text(&number, "workflowId").is_some() {
                continue;
            }
            let own = url_of(&number);
            let takes = dialed_of(&number, &self.settings.sip_numbers);
            let mut reached = self.account.reached_by(&number);
            if reached.is_empty() {
                reached.extend(self.settings.assistant_for(takes.as_ref()));
            }
            let known = reached.into_iter().filter_map(|id| self.account.assistant(id));
            let elsewhere: Vec<String> = known
                .filter_map(|assistant| self.not_here(assistant, own))
                .collect();
            let what = format!("messages of calls to {what}");
            self.steps.push(if elsewhere.is_empty() {
                Step::new(what, State::Ok)
            } else {
                // Squads are left as they are, and so are their assistants.
                let theirs = self.settings.mode == VapiMode::Number || kept_route(&number).is_some();
                let state = if theirs { State::Kept } else { State::Differs };
                let remedy = elsewhere.join("; ");
                Step::new(what, state).with_id(id(&number)).with_remedy(remedy)
            });
        }
    }

    /// Where an assistant's messages go, when not here.
    fn not_here(&self, assistant: &Value, of_number: Option<&str>) -> Option<String> {
        let name = id(assistant);
        let (url, whose) = match (url_of(assistant), of_number) {
            (Some(url), _) => (url, "its own server"),
            (None, Some(url)) => (url, "the number's server"),
            (None, None) => {
                return Some(format!(
                    "those of assistant {name} go to the organisation's server, where there is one"
                ));
            }
        };
        let foreign = !self.owners.is_ours(url);
        foreign.then(|| format!("those of assistant {name} go to {} ({whose})", shown_url(url)))
    }

    /// How calls reach each number over SIP, and whether the carriers are told so.
    pub(super) fn ways_in(&mut self, carriers: &CarrierSettings) {
        let are_used = Carrier::ALL
            .into_iter()
            .any(|carrier| carriers.proofs.knows(carrier));
        for (what, number) in self.known_numbers() {
            let address = sip_address(&number, self.settings.region);
            let dialed = dialed_of(&number, &self.settings.sip_numbers);
            let given = dialed.filter(|_| are_used);
            let given = given.map(|dialed| carriers.forward.address(&dialed));
            // A switch of one's own that calls are handed on to may know the way from there.
            let given = given.filter(|address| VapiRegion::of_address(address).is_some());
            let step = match (address, given) {
                (None, None) => continue,
                (Some(address), Some(given)) if !is_same_address(&address, &given) => {
                    let remedy = format!(
                        "carriers hand its calls on to {given}, and Vapi knows it as {address}: set carriers.forward_to \
                         ({{number}} stands for the dialed number), or vapi.sip_numbers for this one"
                    );
                    Step::new(format!("SIP address of {what}"), State::Differs).with_remedy(remedy)
                }
                (Some(address), _) => Step::new(format!("SIP address of {what}: {address}"), State::Ok),
                (None, Some(given)) => {
                    let remedy = format!(
                        "carriers hand its calls on to {given}, and Vapi has no SIP address for it: add it there as a \
                         SIP address or as a number of your own trunk"
                    );
                    Step::new(format!("SIP address of {what}"), State::Differs).with_remedy(remedy)
                }
            };
            self.steps.push(step.with_id(id(&number)));
            self.trunk_of(&what, &number);
        }
    }

    /// Whether the trunk behind a number of one's own lets calls in.
    fn trunk_of(&mut self, what: &str, number: &Value) {
        if number["provider"] != "byo-phone-number" {
            return;
        }
        let trunk = text(number, "credentialId").and_then(|id| self.account.credential(id));
        let Some(gateways) = trunk.and_then(|trunk| trunk["gateways"].as_array()) else {
            return;
        };
        let lets_in = |gateway: &Value| gateway["inboundEnabled"] != false;
        if !gateways.iter().any(lets_in) {
            let remedy = "none of its gateways lets calls in: give it the addresses your calls come from, as numbers, \
                          with inboundEnabled; others are refused with 401";
            let step = Step::new(format!("SIP trunk of {what}"), State::Differs);
            self.steps.push(step.with_id(id(number)).with_remedy(remedy));
        }
    }

    /// Whether API, SIP addresses and what carriers are told are of one region: an account is known in its own alone.
    pub(super) fn region(&mut self, carriers: &CarrierSettings) {
        let region = self.settings.region;
        let named = match region {
            VapiRegion::Us => "us",
            VapiRegion::Eu => "eu",
        };
        let addresses = self
            .account
            .numbers
            .iter()
            .filter_map(|number| text(number, "sipUri"));
        let ours = [self.settings.api_url.as_str(), carriers.forward.address.as_str()];
        let elsewhere: Vec<&str> = ours
            .into_iter()
            .chain(addresses)
            .filter(|address| VapiRegion::of_address(address).is_some_and(|other| other != region))
            .collect();
        let what = format!("region {named}");
        self.steps.push(if elsewhere.is_empty() {
            Step::new(what, State::Ok)
        } else {
            Step::new(what, State::Differs).with_remedy(format!(
                "of another region: {}; set vapi.region",
                elsewhere.join(", ")
            ))
        });
    }

    /// Our numbers as Vapi has them, with what they are called.
    fn known_numbers(&self) -> Vec<(String, Value)> {
        let of = |number| self.account.of_number(number, &self.settings.sip_numbers);
        let named = self.numbers.iter().flat_map(|number| {
            let what = format!("number {}", number.as_e164());
            of(number).map(move |entry| (what.clone(), entry.clone()))
        });
        named.collect()
    }
}

/// The address under which calls reach a number of Vapi's; numbers that Vapi or a carrier provides have none that is
/// documented.
fn sip_address(number: &Value, region: VapiRegion) -> Option<String> {
    if let Some(address) = text(number, "sipUri") {
        return Some(address.to_owned());
    }
    let (trunk, written) = (text(number, "credentialId")?, text(number, "number")?);
    let own = number["provider"] == "byo-phone-number";
    own.then(|| format!("sip:{written}@{trunk}.{}", region.sip_host()))
}
