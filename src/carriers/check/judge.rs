//! What a test call says about its carrier.

use serde::Serialize;

use super::inputs::TestCall;
use crate::evidence::{CallFacts, CallerNumber, Found, Note, Place, Region, read_facts};
use crate::units::{DialedNumber, PhoneNumber};

/// Whether a carrier tells who forwarded a call. Better ones are later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CarrierVerdict {
    /// The number that forwarded the call, in the place of the caller's, and nothing that says so.
    Rewrites,
    /// Nothing that names the forwarder.
    None,
    /// Only the dialed number itself, or another one of this deployment.
    EchoOnly,
    /// Nothing but a signed statement of whom the caller dialed first.
    PassportOnly,
    /// The forwarder's number.
    Forwards,
}

/// Evidence that was there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EvidenceReport {
    /// Where, as in `diversion`.
    pub place: &'static str,
    /// The number it comes to.
    pub number: Option<String>,
    /// The reason it gives, as in `unconditional`.
    pub reason: Option<String>,
}

/// A test call and what comes of it.
#[derive(Debug, Clone, Serialize)]
pub struct CallReport {
    /// The file, or the address that was listened on.
    pub from: String,
    /// `INVITE` or `webhook`.
    pub form: &'static str,
    /// The carrier; `unknown` when nothing gives it away.
    pub carrier: String,
    /// The carrier's id of the call.
    pub call: String,
    /// The dialed number.
    pub dialed: Option<String>,
    /// The caller's number.
    pub caller: Option<String>,
    /// The attestation of the caller's number, as in `A`.
    pub attestation: Option<String>,
    /// Forwarding evidence, the preferred first.
    pub evidence: Vec<EvidenceReport>,
    /// What stands against it.
    pub notes: Vec<String>,
    /// The number the call was forwarded by.
    pub forwarder: Option<String>,
    /// The user whose phone that is, on the dialed number.
    pub user: Option<String>,
    /// What Voxline does with such a call.
    pub voxline: String,
    /// What it says of the carrier.
    pub verdict: CarrierVerdict,
}

/// Who has a phone on a number: asked with the dialed number and the forwarder.
pub type WhoseLine<'a> = dyn Fn(&DialedNumber, &PhoneNumber) -> Option<String> + 'a;

/// What a test call is judged by.
pub struct CarrierProbe<'a> {
    /// Instead of the dialed number that calls name.
    pub dialed: Option<DialedNumber>,
    /// Instead of the region of the dialed number.
    pub region: Option<Region>,
    /// The telephone that test calls are made from.
    pub from: Option<PhoneNumber>,
    /// Numbers of this deployment.
    pub own: &'a dyn Fn(&PhoneNumber) -> bool,
    /// Users' phones; `None` where there is no store to ask.
    pub whose: Option<&'a WhoseLine<'a>>,
}

impl CarrierProbe<'_> {
    /// Judges a call that came from `from`.
    pub fn judge(&self, from: &str, call: &TestCall) -> CallReport {
        let dialed = self.dialed.as_ref().or(call.dialed.as_ref());
        let found = dialed.map(|dialed| {
            let region = self.region.unwrap_or_else(|| Region::of(dialed, None));
            read_facts(&call.facts, dialed, self.own, region)
        });
        let found = found.unwrap_or_default();
        let caller = found.caller.as_ref().and_then(CallerNumber::number);
        let phone_of = dialed
            .zip(caller)
            .and_then(|(dialed, caller)| self.whose.and_then(|whose| whose(dialed, caller)));
        let verdict = match verdict(&found) {
            CarrierVerdict::None | CarrierVerdict::EchoOnly
                if self.is_rewritten(caller, phone_of.as_deref()) =>
            {
                CarrierVerdict::Rewrites
            }
            verdict => verdict,
        };
        let forwarder = best(&found).cloned();
        let user = match (self.whose, dialed, &forwarder) {
            (Some(whose), Some(dialed), Some(number)) => whose(dialed, number),
            _ => None,
        };
        CallReport {
            from: from.to_owned(),
            form: call.form,
            carrier: call.carrier.clone(),
            call: call.call.clone(),
            dialed: dialed.map(|number| number.as_e164().to_owned()),
            caller: found.caller.as_ref().map(|caller| match caller.number() {
                Some(number) => number.as_e164().to_owned(),
                None => "withheld or unusable".to_owned(),
            }),
            attestation: found.attestation.map(|found| format!("{:?}", found.level)),
            evidence: evidence(&found),
            notes: found
                .notes
                .iter()
                .map(ToString::to_string)
                .chain(is_unsigned(&call.facts).then(|| UNSIGNED.to_owned()))
                .collect(),
            voxline: match verdict {
                CarrierVerdict::Rewrites => self.outcome(true, verdict, phone_of.as_deref()),
                _ => self.outcome(dialed.is_some(), verdict, user.as_deref()),
            },
            forwarder: forwarder.map(|number| number.as_e164().to_owned()),
            user,
            verdict,
        }
    }

    /// Whether the caller's number is not that of the telephone the test call was made from. Where that is not said, a
    /// user's phone is none: test calls are made from another.
    fn is_rewritten(&self, caller: Option<&PhoneNumber>, phone_of: Option<&str>) -> bool {
        match (&self.from, caller) {
            (Some(from), Some(caller)) => !from.is_line_of(caller),
            (None, Some(_)) => phone_of.is_some(),
            (_, None) => false,
        }
    }

    fn outcome(&self, dialed: bool, verdict: CarrierVerdict, user: Option<&str>) -> String {
        if !dialed {
            return "does nothing: the call names no dialed number (give --number)".to_owned();
        }
        let owner = match (self.whose, user) {
            (_, Some(user)) => format!("takes the line to be {user}'s"),
            (Some(_), None) => "finds nobody on the dialed number with that phone".to_owned(),
            (None, None) => "takes the line to be that of the user with that phone".to_owned(),
        };
        match verdict {
            CarrierVerdict::Forwards => owner,
            CarrierVerdict::PassportOnly => format!("{owner}, as a hint, or for certain once it is verified"),
            CarrierVerdict::Rewrites => match user {
                Some(user) => format!(
                    "takes {user} to be calling, until it is told that the number is the forwarder's or has heard it"
                ),
                None => "takes the forwarder to be calling, whose phone this is".to_owned(),
            },
            CarrierVerdict::EchoOnly | CarrierVerdict::None => {
                "is told by an assigned number, the caller's own phone, a PIN or the voice alone".to_owned()
            }
        }
    }
}

/// The number a call was forwarded by. An asserted identity or a transfer is no proof that a carrier tells of forwarding.
fn best(found: &Found) -> Option<&PhoneNumber> {
    let told = found.forwarders.iter().find(|one| !one.place.is_hint());
    told.or(found.passports.first()).map(|one| &one.number)
}

fn verdict(found: &Found) -> CarrierVerdict {
    let echo = |note: &Note| matches!(note, Note::OwnNumbersOnly(_));
    if found.forwarders.iter().any(|one| !one.place.is_hint()) {
        CarrierVerdict::Forwards
    } else if !found.passports.is_empty() {
        CarrierVerdict::PassportOnly
    } else if found.notes.iter().any(echo) {
        CarrierVerdict::EchoOnly
    } else {
        CarrierVerdict::None
    }
}

/// What is said of an `X-Forwarded-From` that nothing vouches for: the service's secret may not be known here.
const UNSIGNED: &str = "x_forwarded_from without X-Fwd-Call, X-Fwd-Time and X-Fwd-Sig: where vapi.forward_secret is set \
                        the service ignores it";

fn is_unsigned(facts: &CallFacts) -> bool {
    let proof = &facts.forward_proof;
    let is_there = facts
        .forwarding
        .iter()
        .any(|found| found.place == Place::XForwardedFrom);
    is_there && (proof.signature.is_none() || proof.call.is_none() || proof.time.is_none())
}

fn evidence(found: &Found) -> Vec<EvidenceReport> {
    let named = found
        .forwarders
        .iter()
        .chain(&found.passports)
        .map(|one| EvidenceReport {
            place: one.place.name(),
            number: Some(one.number.as_e164().to_owned()),
            reason: one.reason.clone(),
        });
    let unnamed = found.notes.iter().filter_map(|note| match note {
        Note::OwnNumbersOnly(place) | Note::NoNumber(place) | Note::Malformed(place, _) => {
            Some(EvidenceReport {
                place: place.name(),
                number: None,
                reason: None,
            })
        }
        _ => None,
    });
    named.chain(unnamed).collect()
}

#[cfg(test)]
mod tests {
    use super::super::advice::by_carrier;
    use super::super::inputs::of_invite;
    use super::super::sip::SipMessage;
    use super::*;

    fn call(headers: &str) -> TestCall {
        let text = format!("INVITE sip:+12025550102@h SIP/2.0\nCall-ID: c\n{headers}\n\n");
        of_invite(&SipMessage::read(text.as_bytes()).unwrap().0)
    }

    fn judged(headers: &str) -> CallReport {
        judged_from(None, headers)
    }

    /// The report on a test call that was made from this telephone.
    fn judged_from(from: Option<&str>, headers: &str) -> CallReport {
        let whose: &WhoseLine = &|_, number| (number.as_e164() == "+12025550103").then(|| "Alice".to_owned());
        let bench = CarrierProbe {
            dialed: None,
            region: None,
            from: from.map(|number| number.parse().unwrap()),
            own: &|number| number.as_e164() == "+12025550199",
            whose: Some(whose),
        };
        bench.judge("test", &call(headers))
    }

    #[test]
    fn each_verdict_has_its_evidence() {
        let forwards =
            judged("Diversion: <sip:+12025550102@twilio.com>, <sip:+12025550103@h>;reason=user-busy");
        assert_eq!(forwards.verdict, CarrierVerdict::Forwards);
        assert_eq!(forwards.user.as_deref(), Some("Alice"));
        assert_eq!(forwards.evidence[0].reason.as_deref(), Some("user-busy"));
        let echo = judged("Diversion: <sip:+12025550199@twilio.com>;reason=unconditional");
        assert_eq!((echo.verdict, &echo.forwarder), (CarrierVerdict::EchoOnly, &None));
        let none = judged("From: <sip:+12025550101@h>");
        assert_eq!(
            (none.verdict, none.caller.as_deref()),
            (CarrierVerdict::None, Some("+12025550101"))
        );
        let asserted = judged("From: <sip:+12025550101@h>\nP-Asserted-Identity: <sip:+12025550103@h>");
        assert_eq!(
            asserted.verdict,
            CarrierVerdict::None,
            "who is asserted has not forwarded"
        );
    }

    #[test]
    fn a_carrier_rewrites_where_the_caller_is_not_the_telephone_that_called() {
        use CarrierVerdict::{Forwards, None as Nothing, PassportOnly, Rewrites};
        assert!(Rewrites < Nothing && PassportOnly < Forwards);
        let (tester, alice) = ("+12025550101", "+12025550103");
        let plain = |number: &str| format!("From: <sip:{number}@h>");
        let echo = format!("{}\nDiversion: <sip:+12025550102@twilio.com>", plain(alice));
        let diverted = format!("{}\nDiversion: <sip:{alice}@h>", plain(alice));
        for (from, headers, verdict) in [
            // Without being told, a user's phone is not the one that calls.
            (None, plain(tester), Nothing),
            (None, plain(alice), Rewrites),
            (None, echo.clone(), Rewrites),
            (Some(tester), plain(tester), Nothing),
            (Some(tester), plain("12025550101"), Nothing),
            (Some(tester), plain(alice), Rewrites),
            (Some(tester), plain("+12025550177"), Rewrites),
            (Some(tester), plain("anonymous"), Nothing),
            // Her own phone, and she calls.
            (Some(alice), plain(alice), Nothing),
            // A header says so too: then it is known from each call.
            (Some(tester), diverted, Forwards),
        ] {
            let said = judged_from(from, &headers);
            assert_eq!(said.verdict, verdict, "{from:?} {headers}");
        }
        let calls = [judged("Diversion: <sip:+12025550103@h>"), judged(&plain(alice))];
        let report = by_carrier(&calls);
        assert_eq!(report[0].verdict, Rewrites);
        assert!(report[0].advice.contains("--caller-is-forwarder always"));
        assert!(calls[1].voxline.contains("Alice"), "{}", calls[1].voxline);
    }

    #[test]
    fn a_passport_for_another_number_is_a_verdict_of_its_own() {
        use base64::Engine;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD;
        let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
        let token = format!(
            "{}.{}.{}",
            part(r#"{"alg":"ES256","ppt":"shaken","typ":"passport","x5u":"https://c.example/c.pem"}"#),
            part(
                r#"{"attest":"A","dest":{"tn":["12025550103"]},"iat":1760000000,"orig":{"tn":"12025550101"},"origid":"o"}"#
            ),
            part("signature"),
        );
        let said = judged(&format!(
            "Identity: {token};info=<https://c.example/c.pem>;alg=ES256;ppt=\"shaken\""
        ));
        assert_eq!(said.verdict, CarrierVerdict::PassportOnly, "{said:?}");
        assert_eq!(said.forwarder.as_deref(), Some("+12025550103"));
        assert_eq!(said.attestation.as_deref(), Some("A"));
    }

    #[test]
    fn an_unsigned_x_forwarded_from_is_said_to_be_ignored_with_a_secret() {
        let field = "X-Forwarded-From: +12025550103";
        let unsigned = judged(field);
        assert_eq!(unsigned.verdict, CarrierVerdict::Forwards);
        assert_eq!(unsigned.notes, [UNSIGNED]);
        let signed = judged(&format!("{field}\nX-Fwd-Call: c\nX-Fwd-Time: 1\nX-Fwd-Sig: ab"));
        assert!(signed.notes.is_empty(), "{:?}", signed.notes);
        assert!(judged("Diversion: <sip:+12025550103@h>").notes.is_empty());
    }

    #[test]
    fn a_carriers_best_call_is_its_verdict_and_the_rest_are_counted() {
        let calls = [judged("Diversion: <sip:+12025550103@h>"), judged("Subject: none")];
        let report = by_carrier(&calls);
        assert_eq!(report.len(), 1);
        assert_eq!(
            (report[0].verdict, report[0].forwarded, report[0].calls),
            (CarrierVerdict::Forwards, 1, 2)
        );
        assert!(report[0].advice.contains("1 of 2"), "{}", report[0].advice);
    }
}
