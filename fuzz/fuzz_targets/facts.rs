//! A SIP message's headers as a whole: the dialed number never forwarded its own call.

#![no_main]

use libfuzzer_sys::fuzz_target;
use voxline::evidence::{CallFacts, Headers, Region, Source, read_facts};
use voxline::units::DialedNumber;

fuzz_target!(|message: (bool, &str)| {
    let (trusted, text) = message;
    let Ok(dialed) = "+12025550102".parse::<DialedNumber>() else { return };
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    let facts = CallFacts::from_sip(Source::Sip, &Headers::from_pairs(pairs), trusted);
    let found = read_facts(&facts, &dialed, &|_| false, Region::of(&dialed, None));
    for forwarder in found.forwarders.iter().chain(&found.passports) {
        assert_ne!(forwarder.number.as_e164(), dialed.as_e164());
    }
});
