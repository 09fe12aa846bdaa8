//! Ten thousand hostile headers through the doors that strangers' text comes in by: no panic, no wrong identity,
//! nothing that grows.

use voxline::evidence::{
    CallFacts, CallerNumber, Headers, MAX_ENTRIES, Place, Region, Source, diversion, history_info, passport,
    read_facts, spoken,
};
use voxline::units::DialedNumber;

use crate::support::Rng;

/// How many texts are tried.
const TRIES: usize = 10_000;

/// The number that no hostile text may bring about: it stands in display names, parameters, hosts and broken
/// entries, and never as an address.
const BAIT: &str = "+12025550199";

/// Pieces of headers, whole and broken.
const PIECES: &[&str] = &[
    "<sip:+12025550103@h>",
    "<tel:+12025550104>",
    "sip:",
    "tel:",
    "<",
    ">",
    "\"",
    "\\",
    ";",
    ",",
    "=",
    "@",
    "%",
    "%2",
    "%2B",
    "?",
    "&",
    " ",
    "\t",
    "\r\n",
    "\0",
    "é",
    "\u{202e}",
    "😀",
    "reason=unconditional",
    "privacy=full",
    "counter=",
    "index=1.1",
    "index=1.99999999999",
    ";cause=302",
    "?Reason=SIP%3Bcause%3D302",
    "phone-context=+1",
    "anonymous",
    "Restricted",
    "1001",
    "911",
    "+",
    "99999999999999999999",
    "\"<sip:+12025550199@evil>\"",
    "h;x=+12025550199",
    "eyJhbGciOiJFUzI1NiJ9",
    ".",
    "e30",
    "info=<https://x>",
    "User's Keypad Entry:",
    "four",
    "double",
    "４",
];

fn pick(rng: &mut Rng, from: &[&'static str]) -> &'static str {
    from[rng.throw(from.len())]
}

fn text(rng: &mut Rng) -> String {
    let length = rng.throw(24);
    let mut text = String::new();
    for _ in 0..length {
        match rng.throw(8) {
            0 => text.extend(char::from_u32(rng.throw(0x11_0000) as u32)),
            1 => text.push(char::from(rng.throw(128) as u8)),
            _ => text.push_str(pick(rng, PIECES)),
        }
    }
    if rng.throw(500) == 0 {
        text = text.repeat(2_000);
    }
    text
}

/// Whether nothing but the bait's own quotation marks is quoted in `text`: with others the bait may come to stand
/// outside, as an address like any other.
fn only_the_bait_is_quoted(text: &str) -> bool {
    !text
        .replace("\"<sip:+12025550199@evil>\"", "")
        .contains(['"', '\\'])
}

#[test]
fn hostile_headers_make_no_panic_no_forged_forwarder_and_bounded_lists() {
    let mut rng = Rng::new(20_261_122);
    let dialed: DialedNumber = "+12025550102".parse().unwrap();
    let region = Region::of(&dialed, None);
    for _ in 0..TRIES {
        let header = text(&mut rng);
        if let Ok(parties) = diversion::parse(&header, region) {
            assert!(parties.len() <= MAX_ENTRIES);
        }
        if let Ok(history) = history_info::parse(&header, region) {
            assert!(history_info::diverting(&history).len() <= MAX_ENTRIES);
        }
        if let Ok(passports) = passport::read_header(&header) {
            assert!(passports.len() <= MAX_ENTRIES);
        }
        let _ = CallerNumber::read(&header, region);
        if let Some(digits) = spoken::digits(&header) {
            assert!(digits.len() <= 16 && digits.bytes().all(|byte| byte.is_ascii_digit()));
        }
    }
}

#[test]
fn hostile_facts_never_name_the_number_that_is_only_quoted() {
    let mut rng = Rng::new(7);
    let dialed: DialedNumber = "+12025550102".parse().unwrap();
    let names = [
        "Diversion",
        "History-Info",
        "X-Forwarded-From",
        "P-Asserted-Identity",
        "Remote-Party-ID",
        "Referred-By",
        "Identity",
        "From",
        "f",
    ];
    for _ in 0..TRIES {
        let count = 1 + rng.throw(6);
        let pairs: Vec<(&str, String)> = (0..count)
            .map(|_| (pick(&mut rng, &names), text(&mut rng)))
            .collect();
        let facts = CallFacts::from_sip(
            Source::Sip,
            &Headers::from_pairs(pairs.clone()),
            rng.throw(2) == 0,
        );
        let found = read_facts(&facts, &dialed, &|_| false, Region::of(&dialed, None));
        assert!(
            found.forwarders.len() <= 8 && found.notes.len() <= 32,
            "{pairs:?}"
        );
        let quoted = pairs.iter().all(|(_, text)| only_the_bait_is_quoted(text));
        for forwarder in found.forwarders.iter().chain(&found.passports) {
            assert_ne!(forwarder.number.as_e164(), dialed.as_e164(), "{pairs:?}");
            assert!(!quoted || forwarder.number.as_e164() != BAIT, "{pairs:?}");
        }
    }
}

#[test]
fn a_flood_of_places_is_bounded() {
    let mut facts = CallFacts::default();
    for line in 0..10_000 {
        facts.add_forwarding(Place::Diversion, format!("<sip:+1202555{line:04}@h>"));
    }
    assert!(facts.forwarding.len() <= 32);
}
