//! Streams of frames: MP3, ADTS, AMR, GSM; and bytes without a header, by what is said of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use voxline::bytes::Container;

#[path = "recording.rs"]
mod recording;

const KINDS: [Container; 4] = [Container::Mp3, Container::Adts, Container::Amr, Container::Gsm];

fuzz_target!(init: recording::contain(), |bytes: &[u8]| {
    recording::hear(bytes, &KINDS);
    recording::hear_stated(bytes, &[Container::Wav]);
});
