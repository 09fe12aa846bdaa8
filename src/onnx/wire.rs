//! Protocol Buffers' wire format (its "Encoding" page), as far as a message can be taken apart, changed and put
//! together again: fields keep their order, and what nobody here knows is written as it was read.

use std::borrow::Cow;

/// A field of a message.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Field<'a> {
    /// Its number in the message's definition, from 1.
    pub number: u64,
    /// The field's value, still encoded.
    pub value: Value<'a>,
}

/// What a field holds, as the wire has it.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    /// A number of as many bytes as it needs.
    Varint(u64),
    /// A fixed value of eight bytes.
    Eight([u8; 8]),
    /// Bytes with their length before them: a string, another message, numbers in a row.
    Bytes(Cow<'a, [u8]>),
    /// A fixed value of four bytes.
    Four([u8; 4]),
}

impl<'a> Value<'a> {
    /// The bytes in it, if it holds any that lie where they were read.
    pub fn into_borrowed(self) -> Option<&'a [u8]> {
        match self {
            Self::Bytes(Cow::Borrowed(bytes)) => Some(bytes),
            _ => None,
        }
    }
}

impl<'a> Field<'a> {
    /// A field that holds a number.
    pub fn number(number: u64, value: u64) -> Self {
        Self {
            number,
            value: Value::Varint(value),
        }
    }

    /// A field that holds bytes.
    pub fn bytes(number: u64, value: impl Into<Cow<'a, [u8]>>) -> Self {
        Self {
            number,
            value: Value::Bytes(value.into()),
        }
    }

    /// The number in it, if it holds one.
    pub fn as_number(&self) -> Option<u64> {
        match self.value {
            Value::Varint(value) => Some(value),
            _ => None,
        }
    }

    /// The bytes in it, if it holds any.
    pub fn as_bytes(&self) -> Option<&[u8]> {
        match &self.value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The text in it, if it holds any.
    pub fn as_text(&self) -> Option<&str> {
        std::str::from_utf8(self.as_bytes()?).ok()
    }
}

/// The fields of a message in their order; `None` when the bytes are no message.
pub(super) fn fields(mut rest: &[u8]) -> Option<Vec<Field<'_>>> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        let key = varint(&mut rest)?;
        let value = match key & 7 {
            0 => Value::Varint(varint(&mut rest)?),
            1 => Value::Eight(*take(&mut rest, 8)?.first_chunk()?),
            2 => {
                let length = usize::try_from(varint(&mut rest)?).ok()?;
                Value::Bytes(Cow::Borrowed(take(&mut rest, length)?))
            }
            5 => Value::Four(*take(&mut rest, 4)?.first_chunk()?),
            _ => return None,
        };
        let number = key >> 3;
        found.push(Field { number, value });
    }
    Some(found)
}

/// Numbers written in a row; `None` when the bytes are none.
pub(super) fn varints(mut rest: &[u8]) -> Option<Vec<u64>> {
    let mut found = Vec::new();
    while !rest.is_empty() {
        found.push(varint(&mut rest)?);
    }
    Some(found)
}

/// A message of these fields.
pub(super) fn message(fields: &[Field<'_>]) -> Vec<u8> {
    let payload = |field: &Field<'_>| field.as_bytes().map_or(0, <[u8]>::len);
    let mut out = Vec::with_capacity(fields.iter().map(|field| payload(field) + 20).sum());
    for Field { number, value } in fields {
        match value {
            Value::Varint(value) => {
                put(&mut out, number << 3);
                put(&mut out, *value);
            }
            Value::Eight(bytes) => {
                put(&mut out, number << 3 | 1);
                out.extend(bytes);
            }
            Value::Bytes(bytes) => {
                put(&mut out, number << 3 | 2);
                put(&mut out, bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
            Value::Four(bytes) => {
                put(&mut out, number << 3 | 5);
                out.extend(bytes);
            }
        }
    }
    out
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}

fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_was_written_is_read_again(
            message_fields in prop::collection::vec((1..1_u64 << 29, value()), 0..12),
        ) {
            let fields: Vec<Field<'_>> =
                message_fields.into_iter().map(|(number, value)| Field { number, value }).collect();
            let written = message(&fields);
            prop_assert_eq!(super::fields(&written), Some(fields));
        }

        #[test]
        fn any_bytes_are_fields_or_none(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            if let Some(found) = fields(&bytes) {
                let written = message(&found);
                prop_assert_eq!(fields(&written), Some(found));
            }
        }
    }

    fn value() -> impl Strategy<Value = Value<'static>> {
        prop_oneof![
            any::<u64>().prop_map(Value::Varint),
            any::<[u8; 8]>().prop_map(Value::Eight),
            any::<[u8; 4]>().prop_map(Value::Four),
            prop::collection::vec(any::<u8>(), 0..200).prop_map(|bytes| Value::Bytes(bytes.into())),
        ]
    }
}
