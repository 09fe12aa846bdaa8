//! Recordings of noise, from a folder of an operator's own.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use symphonia::core::codecs::CodecParameters;
use symphonia::core::codecs::audio::{AudioDecoder, AudioDecoderOptions};
use symphonia::core::errors::Error;
use symphonia::core::formats::{FormatOptions, FormatReader, TrackType};
use symphonia::core::io::{MediaSourceStream, MediaSourceStreamOptions};
use symphonia::default::codecs::VorbisDecoder;
use symphonia::default::formats::OggReader;

use super::error::ConditionError;
use crate::bytes::Limits;
use crate::samples::{Intake, load};
use crate::units::Hertz;

/// More than this many recordings make nothing more varied and fill the memory.
const MOST: usize = 500;

/// What is kept of each, in 16 kHz samples: 30 s.
const KEPT: usize = 30 * 16_000;

/// The endings of what can be read.
const ENDINGS: [&str; 7] = ["wav", "flac", "mp3", "ogg", "oga", "opus", "webm"];

/// The recordings of a noise folder and the folders in it, in the order of their names: everything that is read
/// as a caller's recording, and Ogg Vorbis, which collections of noises are kept in. Of two channels, the first.
pub(super) fn recordings(folder: &Path) -> Result<Vec<Vec<f32>>, ConditionError> {
    let fault = |why: String| ConditionError::Noise {
        folder: folder.to_owned(),
        why,
    };
    let mut files = files(folder).map_err(|cause| fault(cause.to_string()))?;
    files.sort();
    files.truncate(MOST);
    if files.is_empty() {
        return Err(fault(
            "there is no WAV, FLAC, MP3, Ogg or WebM file in it".to_owned(),
        ));
    }
    let mut recordings = Vec::with_capacity(files.len());
    for path in files {
        let bytes = std::fs::read(&path).map_err(|cause| fault(cause.to_string()))?;
        let mut samples = decoded(bytes).map_err(|cause| ConditionError::NoiseFile { path, cause })?;
        samples.truncate(KEPT);
        if !samples.is_empty() {
            recordings.push(samples);
        }
    }
    if recordings.is_empty() {
        return Err(fault("there is no sound in its files".to_owned()));
    }
    Ok(recordings)
}

fn files(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next)? {
            let entry = entry?;
            let path = entry.path();
            let ending = path.extension().and_then(|ending| ending.to_str());
            // A link to a folder is not followed: it may lead back to where it lies.
            if entry.file_type()?.is_dir() {
                folders.push(path);
            } else if ending.is_some_and(|ending| ENDINGS.contains(&ending.to_lowercase().as_str())) {
                files.push(path);
            }
        }
    }
    Ok(files)
}

/// The 16 kHz samples of a recording.
fn decoded(bytes: Vec<u8>) -> Result<Vec<f32>, String> {
    // The first page of an Ogg file holds nothing but its codec's own header.
    let head = &bytes[..bytes.len().min(64)];
    if head.starts_with(b"OggS") && head.windows(7).any(|seven| seven == b"\x01vorbis") {
        return vorbis(bytes).map_err(|cause| cause.to_string());
    }
    let clip = load(bytes, Some(0), &Limits::default()).map_err(|cause| cause.to_string())?;
    Ok(clip.samples)
}

fn vorbis(bytes: Vec<u8>) -> Result<Vec<f32>, Error> {
    let source = MediaSourceStream::new(Box::new(Cursor::new(bytes)), MediaSourceStreamOptions::default());
    let mut reader = OggReader::try_new(source, FormatOptions::default())?;
    let track = reader
        .default_track(TrackType::Audio)
        .ok_or(Error::Unsupported("no audio"))?;
    let id = track.id;
    let Some(CodecParameters::Audio(params)) = &track.codec_params else {
        return Err(Error::Unsupported("no audio"));
    };
    let mut decoder = VorbisDecoder::try_new(params, &AudioDecoderOptions::default())?;
    let (mut samples, mut block, mut intake) = (Vec::new(), Vec::new(), None);
    while samples.len() < KEPT
        && let Some(packet) = reader.next_packet()?
    {
        if packet.track_id != id {
            continue;
        }
        let heard = decoder.decode(&packet)?;
        let (rate, channels) = (heard.spec().rate(), heard.spec().channels().count());
        heard.copy_to_vec_interleaved(&mut block);
        let intake = match &mut intake {
            Some(intake) => intake,
            none => {
                let channels = u16::try_from(channels).unwrap_or(u16::MAX);
                let made = Intake::new(Hertz(rate), channels, Some(0));
                let made = made.map_err(|_| Error::Unsupported("its rate or its channels"))?;
                none.insert(made.unfiltered())
            }
        };
        intake.push(&block, &mut samples);
    }
    if let Some(mut intake) = intake {
        intake.finish(&mut samples);
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::quality::rms;

    #[test]
    fn a_noise_folder_may_hold_vorbis_beside_what_callers_send() {
        let folder = tempfile::tempdir().unwrap();
        let audio = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/audio");
        std::fs::create_dir(folder.path().join("inner")).unwrap();
        for (from, to) in [("ogg-vorbis.ogg", "a.OGG"), ("flac.flac", "inner/b.flac")] {
            std::fs::copy(audio.join(from), folder.path().join(to)).unwrap();
        }
        let found = recordings(folder.path()).unwrap();
        assert_eq!(found.len(), 2);
        // One and the same sentence, once through Vorbis.
        let (vorbis, flac) = (&found[0], &found[1]);
        assert!((vorbis.len() as f64 - 16_000.0).abs() < 600.0, "{}", vorbis.len());
        assert!((rms(vorbis) / rms(flac) - 1.0).abs() < 0.1);
    }

    #[test]
    fn a_folder_without_a_recording_is_refused_by_name() {
        let folder = tempfile::tempdir().unwrap();
        let fault = recordings(folder.path()).unwrap_err().to_string();
        assert!(fault.contains(&*folder.path().to_string_lossy()), "{fault}");
        std::fs::write(folder.path().join("torn.ogg"), b"OggS.........\x01vorbis").unwrap();
        let fault = recordings(folder.path()).unwrap_err().to_string();
        assert!(fault.contains("torn.ogg"), "{fault}");
    }
}
