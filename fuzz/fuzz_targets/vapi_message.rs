//! A server message of Vapi: any bytes are a message or none, and what is read of one is bounded.

#![no_main]

use libfuzzer_sys::fuzz_target;
use voxline::vapi::{Message, News};

fuzz_target!(|bytes: &[u8]| {
    let Ok(message) = Message::read(bytes) else {
        return;
    };
    assert!(message.kind.chars().count() <= 60);
    assert!(message.call.headers.len() <= 200);
    if let News::ToolCalls { calls, .. } = &message.news {
        assert!(calls.len() <= 16);
    }
    assert_eq!(message.fingerprint(), Message::read(bytes).ok().and_then(|again| again.fingerprint()));
});
