#!/usr/bin/env bash
# tungstenite 0.29.0, the WebSocket crate under tokio-tungstenite and axum, with bytes 1.12.2, seen 2026-11-30 (Debian
# 12, Rust 1.95, x86-64).
#
# Behaviour: before each read of its stream, tungstenite writes zeros over all of its read buffer that is free, up to
# the 128 KiB that it has if nothing is set; also before a read that finds nothing, which on a server comes after
# every message. What the read does not fill is given up again, and wiped anew before the next. A carrier's stream of
# a call is one message of some 260 bytes for each 20 ms. A minute of it is 0.8 MB, for which 396 MB are wiped, 132 kB
# a message. A message that is handed out is a piece of that buffer, and one that is kept keeps all of it: six
# messages out of a minute, 1.5 kB of text, hold 459 kB after the socket is gone, the first 128 KiB and the others 64.
# The documentation of `read_buffer_size` says that a large buffer makes much reading faster and a small one saves
# memory. For messages as small as these, a buffer of 4 KiB is wiped a thirtieth as much. Issue 547 (May 2026, open)
# tells of the zeros, and is answered that they are known. Issue 503 tells that a message shares the buffer; nothing
# was found that tells what this costs who keeps one.
#
# What one would have guessed: that reading costs what is read, as in std's BufReader, which knows how much of its
# buffer has been written once and wipes nothing twice. (In front of the socket it does not help: it is the socket's
# own buffer that is wiped.) With a thousand calls this is 6.6 GB a second, of memory that no figure of the service
# names, beside the embeddings that are computed on the same cores. And whoever puts aside a call's "start" message,
# or its digits, holds 64 or 128 KiB for each call, though the text is short.
#
# "Wiped" are the bytes that the stream had written to and finds as zeros at its next read.
#
# Output seen:
#   a message: 256 bytes of text
#   std's BufReader, buffer of 131072: 3000 messages, 5999 reads, 0 MB wiped, 0 bytes a message
#   tungstenite, buffer of 131072, 0 messages kept: 3000 messages, 5999 reads, 396 MB wiped, 132098 bytes a message
#   tungstenite, buffer of 131072, 6 messages kept: 3000 messages, 5999 reads, 262 MB wiped, 87622 bytes a message
#     1536 bytes of text kept, 459248 bytes held for them
#   tungstenite, buffer of 4096, 0 messages kept: 3000 messages, 5999 reads, 12 MB wiped, 4004 bytes a message
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "wiped"
version = "0.0.0"
edition = "2021"

[dependencies]
bytes = "=1.12.2"
tungstenite = { version = "=0.29.0", default-features = false }
TOML
cat >"$folder/src/main.rs" <<'RUST'
use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{BufRead, BufReader, Error as IoError, ErrorKind, Read, Result, Write};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use tungstenite::protocol::{Role, WebSocketConfig};
use tungstenite::{Error, Message, WebSocket};

/// Three thousand messages of 20 ms are a minute of a call.
const MESSAGES: usize = 3000;
const MASK: [u8; 4] = [7, 77, 177, 17];

struct Counting;
static HELD: AtomicUsize = AtomicUsize::new(0);

// Each call is handed on to the system's allocator as it is.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        HELD.fetch_add(layout.size(), Relaxed);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, memory: *mut u8, layout: Layout) {
        HELD.fetch_sub(layout.size(), Relaxed);
        unsafe { System.dealloc(memory, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// A client's line: one message, then nothing for now, then one message. It leaves no byte of what it is lent a zero.
struct Line {
    frame: Vec<u8>,
    has_one: bool,
    reads: usize,
    wiped: usize,
    written: std::ops::Range<usize>,
}

impl Line {
    fn new(text: &str) -> Line {
        let mut frame = vec![0x81, 0x80 | 126];
        frame.extend((text.len() as u16).to_be_bytes());
        frame.extend(MASK);
        frame.extend(text.bytes().enumerate().map(|(at, byte)| byte ^ MASK[at % 4]));
        Line { frame, has_one: true, reads: 0, wiped: 0, written: 0..0 }
    }

    /// Counts what is zero of the memory that was written at the read before, and writes over all of it.
    fn look(&mut self, lent: &mut [u8]) {
        let start = lent.as_ptr() as usize;
        let known = |at: &usize| self.written.contains(&(start + at));
        self.wiped += (0..lent.len()).filter(known).filter(|&at| lent[at] == 0).count();
        lent.fill(0xAA);
        self.written = start..start + lent.len();
        self.reads += 1;
    }
}

impl Read for Line {
    fn read(&mut self, lent: &mut [u8]) -> Result<usize> {
        self.look(lent);
        self.has_one = !self.has_one;
        if self.has_one {
            return Err(ErrorKind::WouldBlock.into());
        }
        // What does not fit is left for the next read, as on any line.
        let count = self.frame.len().min(lent.len());
        lent[..count].copy_from_slice(&self.frame[..count]);
        self.frame.rotate_left(count);
        self.has_one |= count < self.frame.len();
        Ok(count)
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

fn is_nothing(error: &IoError) -> bool {
    error.kind() == ErrorKind::WouldBlock
}

fn tell(label: &str, line: &Line) -> usize {
    let (each, all) = (line.wiped / MESSAGES, line.wiped / 1_000_000);
    println!("{label}: {MESSAGES} messages, {} reads, {all} MB wiped, {each} bytes a message", line.reads);
    each
}

/// Reads the minute, keeps every so-manieth message, and says what was wiped and what the kept ones hold.
fn by_tungstenite(text: &str, size: usize, every: usize) -> (usize, usize) {
    let before = HELD.load(Relaxed);
    let config = WebSocketConfig::default().read_buffer_size(size);
    let mut socket = WebSocket::from_raw_socket(Line::new(text), Role::Server, Some(config));
    let mut kept = Vec::with_capacity(8);
    let mut count = 0;
    while count < MESSAGES {
        match socket.read() {
            Ok(Message::Text(message)) => {
                assert_eq!(message.as_str(), text);
                if count % every == every - 1 {
                    kept.push(message);
                }
                count += 1;
            }
            Err(Error::Io(error)) if is_nothing(&error) => {}
            other => panic!("{other:?}"),
        }
    }
    let each = tell(&format!("tungstenite, buffer of {size}, {} messages kept", kept.len()), socket.get_ref());
    drop(socket);
    let held = HELD.load(Relaxed) - before;
    if !kept.is_empty() {
        println!("  {} bytes of text kept, {held} bytes held for them", kept.len() * text.len());
    }
    (each, held)
}

/// The same line through std's reader, frame by frame.
fn by_std(text: &str, size: usize) -> usize {
    let mut reader = BufReader::with_capacity(size, Line::new(text));
    let mut count = 0;
    while count < MESSAGES {
        match reader.fill_buf().map(|bytes| bytes.len()) {
            Ok(length) => {
                assert_eq!(length, 8 + text.len());
                reader.consume(length);
                count += 1;
            }
            Err(error) => assert!(is_nothing(&error)),
        }
    }
    tell(&format!("std's BufReader, buffer of {size}"), reader.get_ref())
}

fn main() {
    // 20 ms of µ-law silence, in the shape in which carriers send it.
    let payload = format!("{}w==", "/".repeat(213));
    let text = format!("{{\"event\":\"media\",\"media\":{{\"payload\":\"{payload}\"}}}}");
    println!("a message: {} bytes of text", text.len());
    let plain = by_std(&text, 131_072);
    let (large, _) = by_tungstenite(&text, 131_072, MESSAGES + 1);
    let (_, held) = by_tungstenite(&text, 131_072, 500);
    let (small, _) = by_tungstenite(&text, 4096, MESSAGES + 1);
    assert_eq!(plain, 0);
    assert!(large > 100_000 && (3000..6000).contains(&small));
    assert!(held > 6 * 65_536);
}
RUST
cargo build --quiet --manifest-path "$folder/Cargo.toml" --target-dir "$folder/target"
"$folder/target/debug/wiped"
