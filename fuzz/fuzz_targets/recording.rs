//! What the targets of recordings share.

use voxline::bytes::{Container, Decoder, Headerless, Limits};
use voxline::units::Seconds;

/// Panics of borrowed decoders are contained where they are called, which the fuzzer's own hook would not wait for. One
/// that leaves the target still ends it.
pub fn contain() {
    std::panic::set_hook(Box::new(|_| {}));
}

/// Hears `bytes` to their end where they are of one of these kinds. Laws: no panic, no sample that is not finite, no
/// block that is larger than promised, and what was not heard lies in the file.
pub fn hear(bytes: &[u8], kinds: &[Container]) {
    let limits = Limits {
        max_bytes: 1 << 20,
        max_duration: Seconds::new(60.0),
    };
    let Ok(mut decoder) = Decoder::for_channel(bytes.to_vec(), None, &limits) else { return };
    let format = decoder.format();
    if !kinds.contains(&format.container) {
        return;
    }
    while let Ok(Some(block)) = decoder.next_block() {
        assert!(block.len() <= 65_536 * usize::from(format.channels));
        assert!(block.iter().all(|sample| sample.is_finite()));
    }
    if let Some(unheard) = decoder.unheard() {
        assert!(unheard.at + unheard.bytes <= bytes.len() as u64);
    }
}

/// The same for bytes without a header, by what is said of them: the first one says which.
#[allow(dead_code, reason = "one of the targets has files without a header")]
pub fn hear_stated(bytes: &[u8], kinds: &[Container]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let stated = Headerless::ALL[usize::from(*first) % Headerless::ALL.len()];
    hear(&stated.with_header(rest.to_vec()), kinds);
}
