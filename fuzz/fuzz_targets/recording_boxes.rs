//! MP4 and its relatives: boxes, tables, fragments, and the codecs in them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use voxline::bytes::Container;

#[path = "recording.rs"]
mod recording;

fuzz_target!(init: recording::contain(), |bytes: &[u8]| recording::hear(bytes, &[Container::Mp4]));
