//! What a server message says of its call, wherever in the message it says so.

use std::fmt;

use serde_json::{Map, Value};

use crate::evidence::ForwardProof;
use crate::units::CallId;

/// SIP headers that are read of one call.
const MOST_HEADERS: usize = 200;
/// Bytes that are read of one header: what `evidence` takes, and a little, so that it sees that there is more.
const LONGEST_HEADER: usize = 9 * 1024;
/// Characters of any other text.
const LONGEST_TEXT: usize = 2_000;

/// What is known of a call from one message. Every part may be missing: before the answer most are.
#[derive(Default, Clone)]
pub struct CallView {
    /// Vapi's id of the call; nothing else names it, least of all what a model says.
    pub id: Option<CallId>,
    /// Its status, as in `ringing`.
    pub status: Option<String>,
    /// Where Vapi says the dialed number, best first.
    pub dialed: Vec<String>,
    /// The dialed number's SIP address, where Vapi says one.
    pub sip_address: Option<String>,
    /// Whom the INVITE is to, which whoever sent it wrote: the last of all, for a proxy that sends it elsewhere leaves it.
    pub invited: Vec<String>,
    /// Vapi's id of the dialed number.
    pub phone_number_id: Option<String>,
    /// Vapi's id of the assistant that speaks.
    pub assistant_id: Option<String>,
    /// Where the number of the person on the line is said, best first.
    pub caller: Vec<String>,
    /// The number a Twilio call was forwarded from, as Twilio's webhook would say.
    pub forwarded_from: Option<String>,
    /// The number an SBC says it was forwarded from, in X- headers.
    pub x_forwarded: Option<XForwarded>,
    /// The INVITE's headers, once the call was answered.
    pub headers: Vec<(String, String)>,
    /// Where the audio can be listened to. Secret.
    pub listen_url: Option<String>,
    /// Where the call can be spoken to. Secret.
    pub control_url: Option<String>,
}

/// `X-Forwarded-From` and what vouches for it, as Vapi passes X- headers on: in `variableValues`, without `x-`.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct XForwarded {
    /// The number it was forwarded from.
    pub number: String,
    /// What came beside it.
    pub proof: ForwardProof,
}

impl CallView {
    pub(super) fn read(message: &Value) -> Self {
        let first = |places: &[&'static str]| texts(message, places).next().map(str::to_owned);
        let transport = message.pointer("/call/transport");
        Self {
            id: first(&["/call/id"]).and_then(|id| id.parse().ok()),
            status: first(&["/call/status"]),
            dialed: texts(message, DIALED).map(str::to_owned).collect(),
            sip_address: first(&["/phoneNumber/sipUri", "/call/phoneNumber/sipUri"]),
            invited: invited(message),
            phone_number_id: first(&["/call/phoneNumberId", "/phoneNumber/id", "/call/phoneNumber/id"]),
            assistant_id: first(&["/assistant/id", "/call/assistantId", "/call/assistant/id"]),
            caller: caller(message),
            forwarded_from: transport
                .filter(|transport| is_twilio(transport))
                .and_then(|_| first(&["/call/transport/forwardedFrom"])),
            x_forwarded: x_forwarded(message),
            headers: headers(message),
            listen_url: first(&["/call/monitor/listenUrl"]),
            control_url: first(&["/call/monitor/controlUrl"]),
        }
    }

    /// This view, with what `other` knows where this one knows nothing.
    #[must_use]
    pub fn with(&self, other: Self) -> Self {
        let mut both = self.clone();
        if both.dialed.is_empty() {
            both.dialed = other.dialed;
        }
        if both.invited.is_empty() {
            both.invited = other.invited;
        }
        if both.caller.is_empty() {
            both.caller = other.caller;
        }
        both.sip_address = both.sip_address.or(other.sip_address);
        if both.headers.is_empty() {
            both.headers = other.headers;
        }
        both.phone_number_id = both.phone_number_id.or(other.phone_number_id);
        both.forwarded_from = both.forwarded_from.or(other.forwarded_from);
        both.x_forwarded = both.x_forwarded.or(other.x_forwarded);
        both.listen_url = both.listen_url.or(other.listen_url);
        both.control_url = both.control_url.or(other.control_url);
        both
    }
}

/// The texts at these places of a message (JSON pointers, RFC 6901), in order, without empty and overlong ones.
pub(super) fn texts<'a>(message: &'a Value, places: &'a [&'a str]) -> impl Iterator<Item = &'a str> {
    let found = places.iter().filter_map(|place| message.pointer(place)?.as_str());
    found
        .map(str::trim)
        .filter(|text| !text.is_empty() && text.len() <= LONGEST_TEXT)
}

/// Where Vapi says the dialed number, best first.
const DIALED: &[&str] = &[
    "/phoneNumber/number",
    "/call/phoneNumber/number",
    "/phoneNumber/twilioPhoneNumber",
    "/call/phoneNumber/twilioPhoneNumber",
];

fn invited(message: &Value) -> Vec<String> {
    let details = message.pointer("/call/phoneCallProviderDetails/sip");
    let to = details.and_then(|sip| header_of(sip.get("headers")?, "to"));
    let uri = details.and_then(|sip| sip.get("uri")?.as_str());
    let users = [to.and_then(sip_user), uri.and_then(sip_user)];
    users.into_iter().flatten().collect()
}

fn caller(message: &Value) -> Vec<String> {
    const NUMBERS: &[&str] = &["/customer/number", "/call/customer/number"];
    const ADDRESSES: &[&str] = &["/customer/sipUri", "/call/customer/sipUri"];
    let mut found: Vec<String> = texts(message, NUMBERS).map(str::to_owned).collect();
    found.extend(texts(message, ADDRESSES).filter_map(sip_user));
    found
}

/// A transport of Twilio's, which says so or, in older payloads, says nothing.
fn is_twilio(transport: &Value) -> bool {
    match transport.get("provider").and_then(Value::as_str) {
        Some(provider) => provider == "twilio",
        None => true,
    }
}

/// The variables that X- headers have become, by whatever case and with or without their prefix; Plivo allows
/// letters alone and puts one of its own before them.
fn x_forwarded(message: &Value) -> Option<XForwarded> {
    let places = [
        "/call/assistantOverrides/variableValues",
        "/assistantOverrides/variableValues",
        "/artifact/variableValues",
        "/artifact/variables",
    ];
    let names_it = |variables: &&Map<String, Value>| {
        let mut names = variables.keys().take(MOST_HEADERS);
        names.any(|name| plain(name) == "forwardedfrom")
    };
    let mut found = places
        .iter()
        .filter_map(|place| message.pointer(place)?.as_object());
    let variables = found.find(names_it)?;
    let named = |wanted: &str| {
        let found = variables
            .iter()
            .take(MOST_HEADERS)
            .find(|(name, _)| plain(name) == wanted);
        let text = found?.1.as_str()?.trim();
        (!text.is_empty() && text.len() <= LONGEST_TEXT).then(|| text.to_owned())
    };
    Some(XForwarded {
        number: named("forwardedfrom")?,
        proof: ForwardProof {
            signature: named("fwdsig"),
            call: named("fwdcall"),
            time: named("fwdtime"),
        },
    })
}

/// A header's name without dashes, underscores, case and prefixes.
fn plain(name: &str) -> String {
    let name = name.to_ascii_lowercase().replace('_', "-");
    let bare = name.strip_prefix("x-").unwrap_or(&name);
    bare.strip_prefix("ph-").unwrap_or(bare).replace('-', "")
}

/// The INVITE's headers. The map's case is mixed (Vapi's edge keeps the sender's for some names), and a value
/// may be a list.
fn headers(message: &Value) -> Vec<(String, String)> {
    let Some(map) = message
        .pointer("/call/phoneCallProviderDetails/sip/headers")
        .and_then(Value::as_object)
    else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for (name, value) in map {
        let values: &[Value] = match value {
            Value::Array(values) => values,
            one => std::slice::from_ref(one),
        };
        for text in values.iter().filter_map(Value::as_str) {
            if found.len() == MOST_HEADERS {
                return found;
            }
            if name.len() <= 100 && text.len() <= LONGEST_HEADER {
                found.push((name.clone(), text.to_owned()));
            }
        }
    }
    found
}

fn header_of<'a>(map: &'a Value, name: &str) -> Option<&'a str> {
    let entries = map.as_object()?.iter();
    let mut named = entries.filter(|(known, _)| known.eq_ignore_ascii_case(name));
    named.find_map(|(_, value)| value.as_str())
}

/// The user part of a SIP address, in angle brackets or not; the number is read of it elsewhere.
fn sip_user(address: &str) -> Option<String> {
    let bare = match (address.find('<'), address.rfind('>')) {
        (Some(open), Some(close)) if open < close => &address[open + 1..close],
        _ => address,
    };
    let (scheme, rest) = bare.split_once(':')?;
    if !matches!(
        scheme.trim().to_ascii_lowercase().as_str(),
        "sip" | "sips" | "tel"
    ) {
        return None;
    }
    let user = rest.split(['@', ';', ':', '?']).next().unwrap_or_default().trim();
    let user = user.replace("%2B", "+").replace("%2b", "+");
    (!user.is_empty() && user.len() <= 64).then_some(user)
}

/// Neither numbers nor addresses: both are somebody's.
impl fmt::Debug for CallView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CallView")
            .field("id", &self.id)
            .field("status", &self.status)
            .field("headers", &self.headers.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_documented_maximum_of_a_request_is_read_whole() {
        let view = CallView::read(&json!({
            "phoneNumber": {"id": "pn-1", "provider": "vapi", "number": "+12025550102"},
            "customer": {"number": "+12025550101", "name": "ALICE"},
            "call": {
                "id": "c-1", "type": "inboundPhoneCall", "status": "ringing", "phoneNumberId": "pn-1",
                "phoneCallProvider": "vapi", "phoneCallTransport": "sip",
                "customer": {"number": "+12025550101", "sipUri": "sip:+12025550101@198.51.100.7:5060"},
                "transport": {"provider": "vapi.sip", "forwardedFrom": "+12025550199"},
                "assistantOverrides": {"variableValues": {"forwarded-from": "+12025550103", "fwd-sig": "ab"}}
            }
        }));
        assert_eq!(view.dialed, ["+12025550102"]);
        assert_eq!(view.caller.first().map(String::as_str), Some("+12025550101"));
        assert_eq!(view.forwarded_from, None, "the field is Twilio's alone");
        let forwarded = view.x_forwarded.unwrap();
        assert_eq!(
            (forwarded.number.as_str(), forwarded.proof.signature.as_deref()),
            ("+12025550103", Some("ab"))
        );
    }

    #[test]
    fn headers_are_found_in_any_case_and_the_dialed_number_as_a_last_resort() {
        let view = CallView::read(&json!({"call": {
            "id": "c-1", "monitor": {"listenUrl": "wss://x/l", "controlUrl": "https://x/c"},
            "phoneCallProviderDetails": {"sip": {
                "uri": "sip:2025550102@h",
                "headers": {"To": "<sip:+12025550102@h>", "Diversion": "<sip:+12025550103@h>", "identity": ["a", "b"], "n": 5}
            }}
        }}));
        assert_eq!(view.invited, ["+12025550102", "2025550102"]);
        assert!(view.dialed.is_empty(), "who wrote the INVITE is not Vapi");
        let diversion = ("Diversion".to_owned(), "<sip:+12025550103@h>".to_owned());
        assert!(view.headers.contains(&diversion));
        assert_eq!(view.headers.len(), 4);
        assert_eq!(view.listen_url.as_deref(), Some("wss://x/l"));
        let shown = format!("{view:?}");
        assert!(!shown.contains("wss://") && !shown.contains("+1202"), "{shown}");
    }

    #[test]
    fn x_headers_are_found_however_they_arrive_and_wherever_they_stand() {
        let spelled = [
            ["forwarded-from", "fwd-sig"],
            ["forwarded_from", "fwd_sig"],
            ["X-Forwarded-From", "X-Fwd-Sig"],
            ["x_forwarded_from", "x_fwd_sig"],
            ["X-PH-ForwardedFrom", "X-PH-FwdSig"],
            ["forwardedfrom", "fwdsig"],
        ];
        for [number, signature] in spelled {
            let theirs = json!({ "name": "Ann" });
            let ours = json!({ number: "+12025550103", signature: "ab" });
            for message in [
                json!({"call": {"assistantOverrides": {"variableValues": ours}}}),
                json!({"assistantOverrides": {"variableValues": ours}}),
                json!({"call": {"assistantOverrides": {"variableValues": theirs}}, "artifact": {"variableValues": ours}}),
                json!({"artifact": {"variableValues": theirs, "variables": ours}}),
            ] {
                let found = CallView::read(&message).x_forwarded.unwrap_or_default();
                let found = (found.number.as_str(), found.proof.signature.as_deref());
                assert_eq!(found, ("+12025550103", Some("ab")), "{message}");
            }
        }
    }

    #[test]
    fn twilios_forwarding_number_is_read_where_the_transport_is_twilios() {
        let view = CallView::read(
            &json!({"call": {"transport": {"provider": "twilio", "forwardedFrom": "+12025550103"}}}),
        );
        assert_eq!(view.forwarded_from.as_deref(), Some("+12025550103"));
    }

    #[test]
    fn a_sip_address_gives_its_user_and_anything_else_nothing() {
        for (address, user) in [
            ("<sip:+12025550102@h;user=phone>;tag=1", Some("+12025550102")),
            ("\"Joe\" <sips:%2B12025550102:pw@h>", Some("+12025550102")),
            ("tel:+12025550102", Some("+12025550102")),
            ("sip:@h", None),
            ("mailto:a@b", None),
            ("", None),
        ] {
            assert_eq!(sip_user(address).as_deref(), user, "{address}");
        }
    }
}
