//! The History-Info header: nobody diverted a call who was not one of its targets.

#![no_main]

use libfuzzer_sys::fuzz_target;
use voxline::evidence::{MAX_ENTRIES, Region, history_info};

fuzz_target!(|text: &str| {
    let region: Region = "US".parse().unwrap_or_default();
    if let Ok(history) = history_info::parse(text, region) {
        assert!(history.len() <= MAX_ENTRIES);
        assert!(history_info::diverting(&history).len() <= history.len());
    }
});
