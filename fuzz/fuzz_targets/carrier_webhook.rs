//! Voice webhooks: the first byte says whose, the rest is the body and, behind a zero byte, the query.
#![no_main]

use libfuzzer_sys::fuzz_target;
use voxline::carriers::Carrier;
use voxline::carriers::webhook::{Received, read};

fuzz_target!(|bytes: &[u8]| {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let mut parts = rest.splitn(2, |byte| *byte == 0);
    let body = parts.next().unwrap_or(&[]);
    let query = String::from_utf8_lossy(parts.next().unwrap_or(&[]));
    let received = Received {
        query: &query,
        body,
        trusted: true,
    };
    let _ = read(Carrier::ALL[usize::from(*first) % Carrier::ALL.len()], received);
});
