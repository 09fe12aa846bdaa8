//! Bytes as text.

/// Lower-case hexadecimal: two digits a byte.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 0x0f]);
    halves.map(|half| char::from(DIGITS[usize::from(half)])).collect()
}

/// Reads two hexadecimal digits a byte, in either case, into `bytes`: `None` where there is anything else, or not so many.
pub fn unhex(text: &str, bytes: &mut [u8]) -> Option<()> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != bytes.len() {
        return None;
    }
    let digit = |digit: u8| char::from(digit).to_digit(16);
    for (byte, pair) in bytes.iter_mut().zip(pairs) {
        *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hexadecimal_has_two_small_digits_a_byte() {
        assert_eq!(hex(&[0x00, 0x0f, 0xa5, 0xff]), "000fa5ff");
        assert_eq!(hex(&[0x00, 0x0f, 0xa0]), "000fa0");
    }

    #[test]
    fn what_is_not_so_many_digits_is_not_read() {
        let mut bytes = [0; 2];
        assert_eq!((unhex("0fA5", &mut bytes), bytes), (Some(()), [0x0f, 0xa5]));
        for text in ["", "0fa", "0fa5f", "0fa5ff", "+f+5", " f 5", "0fg5", "é5f"] {
            assert_eq!(unhex(text, &mut bytes), None, "{text}");
        }
    }
}
