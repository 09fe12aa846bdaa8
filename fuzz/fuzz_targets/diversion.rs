//! The Diversion header: any text is read or refused, and never more entries than the cap.

#![no_main]

use libfuzzer_sys::fuzz_target;
use voxline::evidence::{MAX_ENTRIES, Region, diversion};

fuzz_target!(|text: &str| {
    let region: Region = "US".parse().unwrap_or_default();
    if let Ok(parties) = diversion::parse(text, region) {
        assert!(parties.len() <= MAX_ENTRIES);
    }
});
