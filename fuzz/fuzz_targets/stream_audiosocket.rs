//! AudioSocket's frames: the first byte says in what pieces the rest arrives.
//! Laws: no panic; the same frames and the same fault however the bytes are cut; no more audio comes out than went in; a
//! key is one of the sixteen.
#![no_main]

use libfuzzer_sys::fuzz_target;
use voxline::carriers::stream::audiosocket::{Frame, FrameFault, Frames};

fuzz_target!(|bytes: &[u8]| {
    let Some((piece, bytes)) = bytes.split_first() else { return };
    let whole = all(std::iter::once(bytes));
    assert_eq!(all(bytes.chunks(usize::from(*piece) + 1)), whole);
    let mut heard = 0;
    for frame in whole.0 {
        match frame {
            Frame::Audio { bytes, .. } => heard += bytes.len(),
            Frame::Digit(key) => assert!("0123456789*#ABCD".contains(key)),
            _ => {}
        }
    }
    assert!(heard <= bytes.len());
});

fn all<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Frame>, Option<FrameFault>) {
    let (mut frames, mut read) = (Frames::default(), Vec::new());
    for piece in pieces {
        frames.push(piece);
        loop {
            match frames.next_frame() {
                Ok(Some(frame)) => read.push(frame),
                Ok(None) => break,
                Err(fault) => return (read, Some(fault)),
            }
        }
    }
    (read, None)
}
