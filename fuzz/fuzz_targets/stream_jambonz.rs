//! The streams of jambonz's listen: a line is a text frame, but for those that begin with a zero byte, which are binary ones.
#![no_main]

use libfuzzer_sys::fuzz_target;
use voxline::carriers::Carrier;

#[path = "stream.rs"]
mod stream;

fuzz_target!(|bytes: &[u8]| stream::play(Carrier::Jambonz, bytes));
