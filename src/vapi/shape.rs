//! The shape of a listen stream: what it announces of itself, and what its byte rate says.

use std::time::Duration;

use serde_json::Value;
use zeroize::Zeroizing;

use crate::bytes::Encoding;
use crate::units::Hertz;

/// How far a byte rate may lie from a format's own: frames of up to 200 ms in 1.75 s are 11 %.
const TOLERANCE: f64 = 0.12;
/// The formats the stream was seen in, by evidence: 16-bit PCM each.
const SEEN: &[(u32, u16)] = &[(16_000, 2), (16_000, 1), (8_000, 1)];

/// A stream may begin with a burst of what waited; counting begins after it.
const SETTLE_IN: Duration = Duration::from_millis(250);

/// How the stream's bytes are to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// How samples are written.
    pub encoding: Encoding,
    /// Samples a second.
    pub rate: Hertz,
    /// One, which is a mix of both sides, or two.
    pub channels: u16,
    /// Which of two is the caller.
    pub caller_channel: u16,
}

impl Shape {
    /// Bytes a second.
    pub fn bytes_per_second(&self) -> u32 {
        self.rate.0 * u32::from(self.channels) * self.encoding.bytes_per_sample() as u32
    }

    /// Bytes of one sample of each channel.
    pub(super) fn bytes_per_frame(&self) -> usize {
        self.encoding.bytes_per_sample() * usize::from(self.channels.max(1))
    }

    /// The code of silence in this encoding, as the bytes of one sample (G.711: the code of the least level).
    pub fn silence(&self) -> &'static [u8] {
        match self.encoding {
            Encoding::PcmS16le => &[0, 0],
            Encoding::Mulaw => &[0xFF],
            Encoding::Alaw => &[0xD5],
        }
    }
}

/// The bytes so far, and how fast they came.
#[derive(Default)]
pub(super) struct Measuring {
    pub frames: Vec<(Duration, usize)>,
    pub held: Zeroizing<Vec<u8>>,
}

impl Measuring {
    /// Measures from the next frame on: what came before a cut is held and not counted. Of two channels, as may yet be
    /// found, whole frames are held.
    pub fn begin_anew(&mut self, shape: &Shape) {
        let whole = self.held.len() - self.held.len() % (2 * shape.encoding.bytes_per_sample());
        self.held.truncate(whole);
        self.frames.clear();
    }

    /// Bytes a second, from the first frame after the settling in to the last; `None` of too short a time.
    pub fn bytes_per_second(&self) -> Option<f64> {
        let begin = self.frames.first()?.0 + SETTLE_IN;
        let counted = self.frames.iter().position(|(at, _)| *at >= begin)?;
        let (from, until) = (self.frames[counted].0, self.frames.last()?.0);
        let seconds = until.saturating_sub(from).as_secs_f64();
        // What came with the frame at which the clock starts came before it.
        let bytes: usize = self.frames[counted + 1..].iter().map(|(_, length)| length).sum();
        (seconds >= 1.0).then(|| bytes as f64 / seconds)
    }
}

/// The shape that bytes at this rate have, when it is not `assumed`.
pub(super) fn reclassified(assumed: &Shape, bytes_per_second: f64) -> Option<Shape> {
    let near = |shape: &Shape| {
        let own = f64::from(shape.bytes_per_second());
        (bytes_per_second - own).abs() <= TOLERANCE * own
    };
    if near(assumed) || assumed.encoding != Encoding::PcmS16le {
        return None;
    }
    let seen = SEEN.iter().map(|&(rate, channels)| Shape {
        rate: Hertz(rate),
        channels,
        ..*assumed
    });
    seen.into_iter().find(near)
}

/// The format that a text frame announces, with `usual` for what it leaves out. `None` when it announces none, or
/// one that cannot be listened to.
pub(super) fn announced(text: &str, usual: Shape) -> Option<Shape> {
    let frame: Value = serde_json::from_str(text).ok()?;
    let field = |names: &[&str]| names.iter().find_map(|name| frame.get(name).cloned());
    let rate = field(&["sampleRate", "sample_rate"]);
    let channels = field(&["channels"]);
    let encoding = field(&["encoding"]);
    if rate.is_none() && channels.is_none() && encoding.is_none() {
        return None;
    }
    let encoding = match encoding.as_ref().and_then(Value::as_str) {
        None => usual.encoding,
        Some(name) => match name.to_ascii_lowercase().as_str() {
            "linear16" | "pcm_s16le" | "l16" | "audio/l16" | "pcm" => Encoding::PcmS16le,
            "mulaw" | "ulaw" | "pcmu" | "audio/x-mulaw" => Encoding::Mulaw,
            "alaw" | "pcma" | "audio/x-alaw" => Encoding::Alaw,
            _ => return None,
        },
    };
    let whole = |value: Option<Value>, usual: u64| match value {
        None => Some(usual),
        Some(Value::String(text)) => text.trim().parse().ok(),
        Some(value) => value.as_u64(),
    };
    let rate = whole(rate, u64::from(usual.rate.0)).filter(|rate| (8_000..=48_000).contains(rate))?;
    let channels =
        whole(channels, u64::from(usual.channels)).filter(|channels| (1..=2).contains(channels))?;
    Some(Shape {
        encoding,
        rate: Hertz(rate as u32),
        channels: channels as u16,
        caller_channel: usual.caller_channel,
    })
}
