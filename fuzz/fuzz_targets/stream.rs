//! What the stream targets share.

use voxline::carriers::stream::{Message, Order, StreamReader, Transcoder};
use voxline::carriers::{ByteOrder, Carrier};

/// Plays `bytes` as a carrier's stream, through everything that a stream goes through before it is heard.
/// Laws: no panic; no more audio comes out than G.722 makes of what went in, four bytes of one; a key is one of the sixteen.
pub fn play(carrier: Carrier, bytes: &[u8]) {
    let reader = StreamReader::of(carrier);
    let (mut order, mut transcoder) = (Order::default(), None);
    let mut heard = 0;
    let frames = bytes.split(|byte| *byte == b'\n');
    let read = |frame: &[u8]| match frame.split_first() {
        Some((0, audio)) => reader.binary(audio),
        _ => reader.text(&String::from_utf8_lossy(frame)),
    };
    let mut messages: Vec<Message> = Vec::new();
    for numbered in frames.filter_map(|frame| read(frame).ok()) {
        messages.extend(order.push(numbered));
    }
    messages.extend(order.finish());
    for message in messages {
        match message {
            Message::Start(start) => {
                transcoder.get_or_insert_with(|| Transcoder::new(start.sound, ByteOrder::Auto));
            }
            Message::Audio(audio) => {
                if let Some(transcoder) = &mut transcoder {
                    heard += transcoder.push(audio).len();
                }
            }
            Message::Digit(key) => assert!("0123456789*#ABCD".contains(key)),
            _ => {}
        }
    }
    heard += transcoder.as_mut().map_or(0, |transcoder| transcoder.finish().len());
    assert!(heard <= 4 * bytes.len());
}
