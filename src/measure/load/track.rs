//! What calls play: the recordings of one caller to one number, one after the other, over and over, as a telephone
//! line delivers them.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use tokio_tungstenite::tungstenite::Bytes;

use super::super::protocol::Protocol;
use super::error::LoadFault;
use super::net_speech::{LINE, NetSpeech};
use crate::bytes::g711::{mulaw_decode, mulaw_encode};
use crate::bytes::{Encoding, Limits, WavHeader};
use crate::samples::{RATE, load, to_the_network};
use crate::speech::Vad;
use crate::units::Seconds;

/// Milliseconds of a frame: what carriers send.
pub(super) const FRAME_MS: u64 = 20;
/// Octets of mu-law in a frame.
pub(super) const FRAME_OCTETS: usize = 160;
/// Frames a second.
pub(super) const FRAMES_A_SECOND: f64 = 50.0;
/// Different callers that are played: a bound on the generator's memory and preparation. Calls beyond share them.
const MOST_TRACKS: usize = 24;
/// A caller who says less than this (s) in all their recordings is not played: it is speech that costs.
const LEAST_SPEECH: f64 = 3.0;
/// Recordings of one caller that are played one after the other.
const MOST_RECORDINGS: usize = 6;

/// One caller to one roster.
pub(super) struct Track {
    /// The roster, by its place in the protocol.
    pub roster: usize,
    /// The model of who calls; `None` for somebody who is not on the roster.
    pub caller: Option<usize>,
    /// How much speech there is after which frame of a whole call.
    pub net_speech: NetSpeech,
    /// The recordings as mu-law, a whole number of frames.
    octets: Vec<u8>,
    /// The same frame by frame as PCM (16 bits, little-endian).
    pcm: Vec<Bytes>,
    /// And as base64.
    payloads: Vec<String>,
}

impl Track {
    fn of(octets: Vec<u8>, (roster, caller): (usize, Option<usize>), net_speech: NetSpeech) -> Self {
        let pcm = octets.chunks_exact(FRAME_OCTETS).map(|frame| {
            let samples = frame.iter().flat_map(|octet| mulaw_decode(*octet).to_le_bytes());
            Bytes::from(samples.collect::<Vec<u8>>())
        });
        Self {
            roster,
            caller,
            net_speech,
            pcm: pcm.collect(),
            payloads: octets
                .chunks_exact(FRAME_OCTETS)
                .map(|frame| STANDARD.encode(frame))
                .collect(),
            octets,
        }
    }

    /// A frame of a call as PCM.
    pub fn pcm(&self, frame: usize) -> Bytes {
        self.pcm[frame % self.pcm.len()].clone()
    }

    /// A frame of a call as base64 of mu-law.
    pub fn payload(&self, frame: usize) -> &str {
        &self.payloads[frame % self.payloads.len()]
    }

    /// The caller speaking for so long, as a WAV file of mu-law.
    pub fn as_file(&self, duration: Seconds) -> Vec<u8> {
        let octets: Vec<u8> = self
            .octets
            .iter()
            .copied()
            .cycle()
            .take(LINE.samples(duration))
            .collect();
        [
            &WavHeader::of(Encoding::Mulaw, LINE, 1).bytes(octets.len())[..],
            &octets,
        ]
        .concat()
    }
}

/// The tracks of a protocol's searches: the callers of each roster in turn, as many as may be, for calls of `length`.
pub(super) fn tracks(
    protocol: &Protocol,
    vad: &mut Vad,
    length: Seconds,
    folder: &Path,
) -> Result<Vec<Arc<Track>>, LoadFault> {
    let frames = (length.get() * FRAMES_A_SECOND).ceil() as usize;
    let mut made = Vec::new();
    for (owner, recordings) in in_turns(protocol) {
        if made.len() == MOST_TRACKS {
            break;
        }
        let mut octets = Vec::new();
        for test in recordings.into_iter().take(MOST_RECORDINGS) {
            let side = &protocol.test;
            let path = protocol.audio.join(&protocol.tables.tests[test]);
            octets.extend(on_the_line(&path, side.max_seconds)?);
        }
        octets.truncate(octets.len() / FRAME_OCTETS * FRAME_OCTETS);
        let once = NetSpeech::of(vad, octets.chunks_exact(FRAME_OCTETS))?;
        if octets.is_empty() || once.within(usize::MAX) < LEAST_SPEECH {
            continue;
        }
        let played = octets.chunks_exact(FRAME_OCTETS).cycle().take(frames);
        let net_speech = NetSpeech::of(vad, played)?;
        made.push(Arc::new(Track::of(octets, owner, net_speech)));
    }
    if made.is_empty() {
        return Err(LoadFault::NoCalls(folder.to_owned()));
    }
    Ok(made)
}

/// Who calls which roster.
type Owner = (usize, Option<usize>);

/// The recordings of each caller to each roster; the rosters take turns, so that none is left out where there are too
/// many.
fn in_turns(protocol: &Protocol) -> Vec<(Owner, Vec<usize>)> {
    let tables = &protocol.tables;
    let mut callers: BTreeMap<(usize, u32), (Owner, Vec<usize>)> = BTreeMap::new();
    for search in &tables.searches {
        let (test, roster) = (search.test as usize, search.roster as usize);
        let owner = (roster, search.caller.map(|model| model as usize));
        let of_caller = callers.entry((roster, tables.test_speakers[test]));
        of_caller.or_insert_with(|| (owner, Vec::new())).1.push(test);
    }
    let mut turns = vec![0; tables.rosters.len()];
    let mut ordered: Vec<_> = callers
        .into_values()
        .map(|(owner, recordings)| {
            turns[owner.0] += 1;
            (turns[owner.0], owner, recordings)
        })
        .collect();
    ordered.sort_by_key(|(turn, (roster, _), _)| (*turn, *roster));
    ordered
        .into_iter()
        .map(|(_, owner, recordings)| (owner, recordings))
        .collect()
}

/// A recording as mu-law of a telephone line.
fn on_the_line(path: &Path, max_seconds: f64) -> Result<Vec<u8>, LoadFault> {
    let samples = samples_of(path, (max_seconds > 0.0).then_some((0.0, max_seconds)))?;
    let level = |sample: &f32| mulaw_encode((sample * 32_767.0).round() as i16);
    Ok(to_the_network(&samples).iter().map(level).collect())
}

/// A recording's 16 kHz samples, all or from one second to another.
fn samples_of(path: &Path, span: Option<(f64, f64)>) -> Result<Vec<f32>, LoadFault> {
    let bytes = std::fs::read(path).map_err(|cause| LoadFault::Unreadable {
        path: path.to_owned(),
        cause,
    })?;
    let clip = load(bytes, None, &Limits::default()).map_err(|cause| LoadFault::Audio {
        path: path.to_owned(),
        cause,
    })?;
    let mut samples = clip.samples;
    if let Some((from, to)) = span {
        let at = |seconds: f64| RATE.samples(Seconds::checked(seconds).unwrap_or_default());
        samples.truncate(at(to));
        samples.drain(..at(from).min(samples.len()));
    }
    Ok(samples)
}

/// A recording to enrol with, as a WAV file of 16-bit PCM at 16 kHz.
pub(super) fn enrolment_clip(path: &Path, span: Option<(f64, f64)>) -> Result<Vec<u8>, LoadFault> {
    let samples = samples_of(path, span)?;
    let words = samples
        .iter()
        .map(|sample| (sample.clamp(-1.0, 1.0) * 32_767.0) as i16);
    let bytes: Vec<u8> = words.flat_map(i16::to_le_bytes).collect();
    Ok([
        &WavHeader::of(Encoding::PcmS16le, RATE, 1).bytes(bytes.len())[..],
        &bytes,
    ]
    .concat())
}
