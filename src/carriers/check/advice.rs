//! What the test calls of a carrier come to, and what to do about it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::judge::{CallReport, CarrierVerdict};

/// What the calls of one carrier come to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CarrierReport {
    /// The carrier's name, as on its own pages.
    pub carrier: String,
    /// How many calls came by it.
    pub calls: usize,
    /// How many of them named the forwarder.
    pub forwarded: usize,
    /// The best that any of them says.
    pub verdict: CarrierVerdict,
    /// What that means.
    pub advice: String,
}

/// What the calls of each carrier come to.
pub fn by_carrier(calls: &[CallReport]) -> Vec<CarrierReport> {
    let mut carriers: BTreeMap<&str, Vec<&CallReport>> = BTreeMap::new();
    for call in calls {
        carriers.entry(&call.carrier).or_default().push(call);
    }
    let report = |(carrier, calls): (&str, Vec<&CallReport>)| {
        let verdicts = || calls.iter().map(|call| call.verdict);
        let best = verdicts().max().unwrap_or(CarrierVerdict::None);
        // One call is enough for a stranger to be greeted.
        let rewrites = verdicts().find(|verdict| *verdict == CarrierVerdict::Rewrites);
        let verdict = rewrites.unwrap_or(best);
        let forwarded = calls
            .iter()
            .filter(|call| call.verdict == CarrierVerdict::Forwards)
            .count();
        CarrierReport {
            carrier: carrier.to_owned(),
            calls: calls.len(),
            forwarded,
            verdict,
            advice: advice(verdict, forwarded, calls.len()),
        }
    };
    carriers.into_iter().map(report).collect()
}

fn advice(verdict: CarrierVerdict, forwarded: usize, calls: usize) -> String {
    match verdict {
        CarrierVerdict::Forwards if forwarded < calls => format!(
            "{forwarded} of {calls} calls named the forwarder: it depends on the route, so give users a PIN too"
        ),
        CarrierVerdict::Forwards => "the forwarder arrives: users can share its numbers".to_owned(),
        CarrierVerdict::Rewrites => {
            "the caller's number is not that of who called: set `voxline number set NUMBER --caller-is-forwarder always`, \
             and let voice and PIN say who speaks. If the call was made from that very phone, test from another one and \
             say which with --from"
                .to_owned()
        }
        CarrierVerdict::PassportOnly => {
            "only the signed PASSporT names the line: set identity.passport_roots and identity.passport_hosts to have it verified"
                .to_owned()
        }
        CarrierVerdict::EchoOnly => {
            "only the dialed number comes back: the carrier before it does not pass the forwarder on"
                .to_owned()
        }
        CarrierVerdict::None => {
            "no forwarder arrives: try another carrier, give each user a number, or use PIN and voice"
                .to_owned()
        }
    }
}
