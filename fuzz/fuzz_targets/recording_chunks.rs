//! Containers of chunks and of a header: WAV and its relatives, AU, AIFF, CAF, SPHERE.
#![no_main]

use libfuzzer_sys::fuzz_target;
use voxline::bytes::Container;

#[path = "recording.rs"]
mod recording;

const KINDS: [Container; 6] = [
    Container::Wav,
    Container::W64,
    Container::Au,
    Container::Aiff,
    Container::Caf,
    Container::Sphere,
];

fuzz_target!(init: recording::contain(), |bytes: &[u8]| recording::hear(bytes, &KINDS));
