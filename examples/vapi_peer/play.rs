//! What a call's listen stream plays.

use std::path::PathBuf;
use std::time::Instant;

use serde_json::Value;

/// One call's listen stream.
#[derive(Clone)]
pub(super) struct Play {
    pub(super) script: Vec<(String, Vec<i16>)>,
    pub(super) channels: u16,
    pub(super) rate: u32,
    pub(super) announce: bool,
    pub(super) speed: f64,
    pub(super) cut_at: Option<f64>,
    /// Whether the user is on the right, and the assistant on the left.
    pub(super) turned: bool,
    /// Samples played so far, over all connections.
    pub(super) at: usize,
    pub(super) done: bool,
    /// When the user's first sample was sent.
    pub(super) spoke: Option<Instant>,
}

/// What a line asks to be played.
pub(super) fn play_of(asked: &Value) -> Play {
    let rate = asked["rate"].as_u64().unwrap_or(16_000) as u32;
    let script = asked["script"].as_array().into_iter().flatten().map(|part| {
        let audio = match part["audio"].as_str() {
            Some(path) => recording(path.into(), rate),
            None => vec![0; (part["silence"].as_f64().unwrap_or(0.0) * f64::from(rate)) as usize],
        };
        (part["who"].as_str().unwrap_or_default().to_owned(), audio)
    });
    Play {
        script: script.collect(),
        channels: asked["channels"].as_u64().unwrap_or(2) as u16,
        rate,
        announce: asked["announce"].as_bool().unwrap_or(true),
        speed: asked["speed"].as_f64().unwrap_or(1.0),
        cut_at: asked["cut_at"].as_f64(),
        turned: asked["turned"].as_bool().unwrap_or(false),
        at: 0,
        done: false,
        spoke: None,
    }
}

/// A recording at 16 kHz, or every second sample of it at 8 kHz (telephone recordings have nothing in between).
fn recording(path: PathBuf, rate: u32) -> Vec<i16> {
    let bytes = std::fs::read(&path).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
    let clip = voxline::samples::load(bytes, None, &voxline::bytes::Limits::default());
    let samples = clip
        .unwrap_or_else(|fault| panic!("{}: {fault}", path.display()))
        .samples;
    let step = (16_000 / rate) as usize;
    samples
        .iter()
        .step_by(step)
        .map(|sample| (sample * 32_767.0) as i16)
        .collect()
}

/// Samples as the bytes of a frame: on the left or on the right, or both mixed.
pub(super) fn framed(piece: &[i16], channels: u16, left: bool) -> Vec<u8> {
    let both = |sample: &i16| if left { [*sample, 0] } else { [0, *sample] };
    match channels {
        2 => piece.iter().flat_map(both).flat_map(i16::to_le_bytes).collect(),
        _ => piece.iter().flat_map(|sample| sample.to_le_bytes()).collect(),
    }
}
