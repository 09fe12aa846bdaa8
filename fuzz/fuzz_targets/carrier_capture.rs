//! Captured files of `voxline carrier check`: packets, INVITEs, webhooks.
#![no_main]

use libfuzzer_sys::fuzz_target;
use voxline::carriers::check::{CarrierProbe, read};

fuzz_target!(|bytes: &[u8]| {
    let Ok(held) = read(bytes) else {
        return;
    };
    let bench = CarrierProbe {
        dialed: None,
        region: None,
        from: None,
        own: &|_| false,
        whose: None,
    };
    for call in &held.calls {
        let _ = bench.judge("fuzz", call);
    }
});
