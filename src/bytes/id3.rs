//! Tags in front of a recording.

/// The whole length of an ID3v2 tag at the start (ID3v2.4 section 3.1: a 10-byte header with the
/// size in four bytes of 7 bits), or 0.
pub(super) fn id3_length(bytes: &[u8]) -> usize {
    let [b'I', b'D', b'3', _, _, flags, a, b, c, d, ..] = *bytes else {
        return 0;
    };
    let size = [a, b, c, d]
        .iter()
        .fold(0, |size, &seven| size << 7 | usize::from(seven & 0x7F));
    let footer = if flags & 0x10 == 0 { 0 } else { 10 };
    10 + size + footer
}
