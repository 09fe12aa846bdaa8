//! PASSporTs: whatever is read of an Identity header, none is verified without a trusted certificate.

#![no_main]

use libfuzzer_sys::fuzz_target;
use time::OffsetDateTime;
use voxline::evidence::passport::{self, TrustStore};

fuzz_target!(|parts: (&str, &[u8])| {
    let (header, chain) = parts;
    let trusted = TrustStore::from_pem(chain).unwrap_or_default();
    for passport in passport::read_header(header).unwrap_or_default() {
        let signed = OffsetDateTime::from_unix_timestamp(passport.issued_at);
        let now = signed.unwrap_or(OffsetDateTime::UNIX_EPOCH);
        assert!(passport::verify(&passport, chain, &TrustStore::default(), now).is_err());
        let _ = passport::verify(&passport, chain, &trusted, now);
    }
});
