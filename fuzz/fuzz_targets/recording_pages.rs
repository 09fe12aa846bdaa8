//! Ogg, WebM and FLAC: containers and codecs that are borrowed, and our own walks around them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use voxline::bytes::Container;

#[path = "recording.rs"]
mod recording;

const KINDS: [Container; 3] = [Container::Ogg, Container::WebM, Container::Flac];

fuzz_target!(init: recording::contain(), |bytes: &[u8]| recording::hear(bytes, &KINDS));
