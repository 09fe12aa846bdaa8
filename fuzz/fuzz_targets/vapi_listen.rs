//! A listen stream of Vapi's: frames of any kind, cut anywhere, in any hurry; samples come out whole.

#![no_main]

use std::time::Duration;

use libfuzzer_sys::fuzz_target;
use voxline::bytes::Encoding;
use voxline::units::Hertz;
use voxline::vapi::{AssistantMute, AssistantSpeech, ListenReader, MessageTime, Piece, Shape};

/// One frame: what it is, after how many milliseconds it comes, and its bytes.
type Frame<'a> = (u8, u8, &'a [u8]);

/// When a message was made, by the first bytes of a frame.
fn time(bytes: &[u8]) -> MessageTime {
    MessageTime {
        made_ms: bytes.first().map(|first| i64::from(*first)),
        turn: bytes.get(1).map(|second| i64::from(*second)),
    }
}

fuzz_target!(|frames: Vec<Frame<'_>>| {
    let usual = Shape {
        encoding: Encoding::PcmS16le,
        rate: Hertz(16_000),
        channels: 2,
        caller_channel: 0,
    };
    let mut reader = ListenReader::new(usual);
    let mut gate = AssistantMute::new(usual);
    let mut assistant = AssistantSpeech::default();
    let (mut now, mut sample, mut came, mut passed) = (Duration::ZERO, 2, 0, 0);
    for (kind, after, bytes) in frames {
        now += Duration::from_millis(u64::from(after) * 8);
        let pieces = match kind % 6 {
            0 => {
                reader.text(&String::from_utf8_lossy(bytes));
                Vec::new()
            }
            1 => {
                assistant.started(now, time(bytes));
                Vec::new()
            }
            2 => {
                assistant.stopped(now, time(bytes));
                Vec::new()
            }
            3 => {
                reader.gap();
                Vec::new()
            }
            _ => reader.binary(bytes, now),
        };
        for piece in pieces {
            match piece {
                Piece::Begin(shape) => {
                    gate = AssistantMute::new(shape);
                    sample = shape.encoding.bytes_per_sample();
                    (came, passed) = (0, 0);
                }
                Piece::Audio { bytes, at, .. } => {
                    assert_eq!(bytes.len() % sample, 0);
                    came += bytes.len();
                    gate.push(&bytes, at);
                }
            }
        }
        passed += gate.ready(now, &assistant).len();
    }
    passed += gate.rest(&assistant).len();
    assert_eq!(came, passed, "nothing is dropped, only silenced");
});
