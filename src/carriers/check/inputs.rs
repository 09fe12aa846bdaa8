//! What a captured file holds: INVITEs as text, webhooks as JSON or forms, or packets.

use thiserror::Error;

use super::packets::{self, Losses};
use super::pcap::{self, PcapFault};
use super::sip::{SipMessage, Start};
use crate::carriers::webhook::{self, Event, Received, Ring};
use crate::carriers::{Carrier, form};
use crate::evidence::{CallFacts, Headers, Region, Source, diversion, normalise};
use crate::units::DialedNumber;

/// The most bytes of a captured file.
pub const LARGEST_FILE: u64 = 256 * 1024 * 1024;

/// The most calls that are told of one file.
const MOST_CALLS: usize = 10_000;

/// A test call that was captured.
#[derive(Debug, Clone)]
pub struct TestCall {
    /// The carrier it came by, in lower case; `unknown` when nothing gives it away.
    pub carrier: String,
    /// What it was read from, as in `INVITE` or `webhook`.
    pub form: &'static str,
    /// The carrier's id of the call.
    pub call: String,
    /// The dialed number, when it can be read.
    pub dialed: Option<DialedNumber>,
    /// What it says.
    pub facts: CallFacts,
}

/// What a file held.
#[derive(Debug, Clone, Default)]
pub struct Held {
    /// The calls in it, each once.
    pub calls: Vec<TestCall>,
    /// What else is to be said of it.
    pub remarks: Vec<String>,
}

/// Why nothing could be read of a file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum InputFault {
    /// It is of none of the kinds that are read.
    #[error("this is no capture, no SIP message, and no webhook of {}", Carrier::ALL.map(Carrier::name).join(", "))]
    Unknown,
    /// It is a webhook that cannot be understood.
    #[error(transparent)]
    Webhook(#[from] webhook::WebhookFault),
    /// It is a capture that cannot be read.
    #[error(transparent)]
    Pcap(#[from] PcapFault),
}

/// Reads a captured file.
///
/// # Errors
/// [`InputFault`].
pub fn read(bytes: &[u8]) -> Result<Held, InputFault> {
    if pcap::is_capture(bytes) {
        return read_capture(bytes);
    }
    let text = String::from_utf8_lossy(bytes);
    let text = text.trim_start_matches('\u{feff}').trim();
    let invites = invites(text);
    if !invites.is_empty() {
        return Ok(held(invites.iter()));
    }
    let carrier = webhook_of(text).ok_or(InputFault::Unknown)?;
    let received = Received {
        query: "",
        body: text.as_bytes(),
        trusted: true,
    };
    match webhook::read(carrier, received)? {
        Event::Ringing(ring) => Ok(Held {
            calls: vec![of_ring(carrier, *ring)],
            remarks: Vec::new(),
        }),
        _ => Ok(Held {
            calls: Vec::new(),
            remarks: vec![format!("a webhook of {carrier} that announces no incoming call")],
        }),
    }
}

/// A test call in an INVITE.
pub fn of_invite(message: &SipMessage) -> TestCall {
    let headers = message.headers();
    let facts = CallFacts::from_sip(Source::Sip, &headers, true);
    TestCall {
        carrier: sender(&headers),
        form: "INVITE",
        call: message.call_id(),
        dialed: dialed(message, &headers),
        facts,
    }
}

fn of_ring(carrier: Carrier, ring: Ring) -> TestCall {
    TestCall {
        carrier: carrier.name().to_owned(),
        form: "webhook",
        call: ring.call.as_str().to_owned(),
        dialed: Some(ring.dialed),
        facts: ring.facts,
    }
}

fn read_capture(bytes: &[u8]) -> Result<Held, InputFault> {
    let capture = pcap::read(bytes)?;
    let packets = capture.packets.len();
    let (sent, losses) = packets::messages(capture.packets);
    let messages = sent.iter().map(|sent| &sent.message);
    let mut held = held(messages.filter(|message| message.method() == Some("INVITE")));
    held.remarks.extend(capture.fault.map(|fault| fault.to_string()));
    held.remarks.extend(said(&losses));
    if held.calls.is_empty() {
        held.remarks.push(format!("no INVITE in {packets} packets"));
    }
    Ok(held)
}

fn said(losses: &Losses) -> Vec<String> {
    let Losses {
        fragments,
        cut,
        other_links,
        gaps,
    } = losses;
    let rows = [
        (
            fragments,
            "IP fragments were not put together: what was in them is missing",
        ),
        (
            cut,
            "packets were kept in part only: capture with the whole length (tcpdump -s 0)",
        ),
        (other_links, "packets have a link layer that is not read"),
        (gaps, "TCP segments were missing or out of order"),
    ];
    let there = rows.into_iter().filter(|(count, _)| **count > 0);
    there.map(|(count, what)| format!("{count} {what}")).collect()
}

/// Each call once: an INVITE is sent again when nobody answers.
fn held<'a>(invites: impl Iterator<Item = &'a SipMessage>) -> Held {
    let mut held = Held::default();
    let mut seen = std::collections::HashSet::new();
    for invite in invites {
        let call = of_invite(invite);
        if !call.call.is_empty() && !seen.insert(call.call.clone()) {
            continue;
        }
        if held.calls.len() == MOST_CALLS {
            held.remarks
                .push(format!("only the first {MOST_CALLS} calls were looked at"));
            break;
        }
        held.calls.push(call);
    }
    held
}

/// The INVITEs in a text: each begins with its first line, whatever a log puts between them.
fn invites(text: &str) -> Vec<SipMessage> {
    let mut begins: Vec<usize> = Vec::new();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        let invite = line.starts_with("INVITE ") && line.trim_end().ends_with(" SIP/2.0");
        if invite {
            begins.push(at);
        }
        at += line.len();
    }
    let ends = begins.iter().skip(1).copied().chain([text.len()]);
    let parts = begins
        .iter()
        .copied()
        .zip(ends)
        .map(|(begin, end)| &text[begin..end]);
    parts
        .take(MOST_CALLS + 1)
        .filter_map(|part| {
            // A pasted message often ends with its last header.
            let whole = format!("{}\n\n", part.trim_end());
            SipMessage::read(whole.as_bytes())
                .ok()
                .map(|(message, _)| message)
        })
        .collect()
}

/// Whose webhook a text is, by what only that carrier's have.
fn webhook_of(text: &str) -> Option<Carrier> {
    if let Ok(document) = serde_json::from_str::<serde_json::Value>(text) {
        let has = |name: &str| document.get(name).is_some();
        return match () {
            () if document.pointer("/data/event_type").is_some() => Some(Carrier::Telnyx),
            () if has("eventType") => Some(Carrier::Bandwidth),
            () if has("call_sid") => Some(Carrier::Jambonz),
            () if has("uuid") || has("conversation_uuid") => Some(Carrier::Vonage),
            () => None,
        };
    }
    let fields = form::pairs(text.as_bytes());
    let has = |name: &str| fields.iter().any(|(known, _)| known == name);
    if has("CallUUID") {
        return Some(Carrier::Plivo);
    }
    if has("dialed") {
        return Some(Carrier::Asterisk);
    }
    has("CallSid").then_some(Carrier::Twilio)
}

/// Who sent an INVITE, by what they write into their own headers; never by From, which is the caller's.
fn sender(headers: &Headers) -> String {
    if let Some(name) = headers.get("x-originating-carrier") {
        let plain = |sign: &char| sign.is_ascii_alphanumeric() || "-_.".contains(*sign);
        return name.to_lowercase().chars().filter(plain).take(40).collect();
    }
    let marks = [
        ("twilio", &["twilio"][..]),
        ("telnyx", &["telnyx"]),
        ("vonage", &["vonage", "nexmo"]),
        ("bandwidth", &["bandwidth"]),
        ("plivo", &["plivo"]),
        ("signalwire", &["signalwire"]),
        ("jambonz", &["jambonz"]),
        // Last: a carrier's call that a PBX hands on is the carrier's.
        ("asterisk", &["asterisk"]),
    ];
    let own = [
        "user-agent",
        "server",
        "contact",
        "via",
        "record-route",
        "p-asserted-identity",
    ];
    let own: Vec<String> = own
        .into_iter()
        .filter_map(|name| headers.get(name))
        .map(|text| text.to_lowercase())
        .collect();
    let known = marks.iter().find(|(name, words)| {
        let written = own
            .iter()
            .any(|text| words.iter().any(|word| text.contains(word)));
        written || headers.get(&format!("x-{name}-callsid")).is_some()
    });
    known.map_or("unknown", |(name, _)| name).to_owned()
}

/// The number that was dialed: of the Request-URI, which is where the call goes, or else of To. Numbers without
/// a country code are read as North American, as carriers there write them.
fn dialed(message: &SipMessage, headers: &Headers) -> Option<DialedNumber> {
    let region: Region = "US".parse().unwrap_or(Region::UNKNOWN);
    let asked = match &message.start {
        Start::Request { uri, .. } => normalise(uri, region),
        Start::Response(_) => None,
    };
    let number = asked.or_else(|| {
        let to = headers.get("to")?;
        diversion::parse(&to, region)
            .ok()?
            .into_iter()
            .find_map(|party| party.number)
    })?;
    number.as_e164().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::super::packets::tests::{udp, v4};
    use super::super::pcap::tests::{blocks_file, classic_file};
    use super::*;

    const INVITE: &str = "INVITE sip:2025550102@sip.vapi.ai SIP/2.0\r\nVia: SIP/2.0/UDP 54.172.60.0:5060\r\n\
        From: <sip:+12025550101@twilio.com>;tag=1\r\nTo: <sip:+12025550102@h>\r\nCall-ID: c-1\r\n\
        User-Agent: Twilio Gateway\r\nDiversion: <sip:+12025550103@twilio.com>;reason=unconditional\r\n\r\n";

    #[test]
    fn an_invite_is_found_in_text_in_a_log_and_in_captures() {
        let datagram = v4(17, 0, &udp(INVITE.as_bytes()));
        for bytes in [
            INVITE.as_bytes().to_vec(),
            format!("2026-11-22 recv 700 bytes:\n{INVITE}\nnext line\n{INVITE}").into_bytes(),
            INVITE.trim_end().replace("\r\n", "\n").into_bytes(),
            classic_file(101, &[&datagram, &datagram], false),
            blocks_file(101, &[&datagram], true),
        ] {
            let held = read(&bytes).unwrap();
            assert_eq!(held.calls.len(), 1);
            let call = &held.calls[0];
            assert_eq!((call.carrier.as_str(), call.form), ("twilio", "INVITE"));
            assert_eq!(call.dialed.as_ref().unwrap().as_e164(), "+12025550102");
            assert_eq!(call.facts.forwarding.len(), 1);
        }
    }

    #[test]
    fn what_is_no_capture_no_invite_and_no_webhook_is_refused() {
        for nothing in ["", "hello", "{}", "[1]", "a=b", "INVITE to a party"] {
            assert_eq!(
                read(nothing.as_bytes()).map(|_| ()),
                Err(InputFault::Unknown),
                "{nothing}"
            );
        }
    }

    #[test]
    fn a_carrier_is_known_by_its_own_headers_and_not_by_the_callers() {
        let of = |pairs: &[(&str, &str)]| sender(&Headers::from_pairs(pairs.iter().copied()));
        assert_eq!(of(&[("X-Originating-Carrier", "382com")]), "382com");
        assert_eq!(of(&[("Via", "SIP/2.0/UDP sip.telnyx.com")]), "telnyx");
        assert_eq!(of(&[("Contact", "<sip:1@sip.nexmo.com>")]), "vonage");
        assert_eq!(of(&[("From", "<sip:twilio@h>")]), "unknown");
        assert_eq!(of(&[("User-Agent", "Asterisk PBX 22.8.0")]), "asterisk");
        let handed_on = [
            ("User-Agent", "Asterisk PBX"),
            ("Record-Route", "<sip:sip.telnyx.com;lr>"),
        ];
        assert_eq!(of(&handed_on), "telnyx");
    }
}
