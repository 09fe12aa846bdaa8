//! What happens to a recording on its way: telephone, codecs, noise, rooms, lost packets.
//!
//! A [`Condition`] is a chain of steps, as in `noise:10:../noise+phone`: a noisy room, then a telephone.
//! [`Prepared`] holds what its steps need (noise recordings) and does it. Everything is seeded by the
//! recording, so that a benchmark hears the same however many threads it has and whatever it heard before.

mod line;
mod opus;
mod room;

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

use super::dice::Dice;
use crate::bytes::Limits;
use crate::samples::{LoadError, load, telephone, telephone_alaw};

/// A chain of things that happen to a recording; none for `clean`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Condition {
    steps: Vec<Step>,
}

/// One thing that happens to a recording.
#[derive(Debug, Clone, PartialEq)]
enum Step {
    /// 8 kHz, 300 to 3400 Hz, mu-law.
    Phone,
    /// The same in A-law.
    ALaw,
    /// 20 dB quieter, in 16 bits.
    Far,
    /// A room of random size.
    Reverb,
    /// Noise so many dB below the recording: recorded noise from a folder, or white noise.
    Noise { snr_db: f32, folder: Option<PathBuf> },
    /// So many per cent of 20-ms packets lost.
    Loss { percent: f64 },
    /// Opus and back, kbit/s.
    Opus { kbps: u32 },
}

/// A condition that cannot be had.
#[derive(Debug, Error)]
pub enum ConditionError {
    /// It is not spelt as any.
    #[error(
        "{step:?} is no condition ({why}); there are: clean, phone, alaw, far, reverb, noise:SNR[:DIR], loss:PERCENT, opus:KBPS, several joined with +"
    )]
    Unknown {
        /// The step that was not understood.
        step: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// The noise folder cannot be used.
    #[error("the noise folder {folder} cannot be used: {why}")]
    Noise {
        /// The folder.
        folder: PathBuf,
        /// What is wrong.
        why: String,
    },
    /// A noise recording cannot be decoded.
    #[error("the noise recording {path}: {cause}")]
    NoiseFile {
        /// The file.
        path: PathBuf,
        /// Why not.
        cause: LoadError,
    },
    /// The Opus encoder or decoder refused.
    #[error("Opus at {kbps} kbit/s: {cause}. This is a bug")]
    Opus {
        /// The rate asked for.
        kbps: u32,
        /// The codec's own words.
        cause: String,
    },
}

impl Condition {
    /// Reads the noise recordings that its steps need.
    ///
    /// # Errors
    /// [`ConditionError`] when a folder holds no recording that can be decoded.
    pub fn prepare(self) -> Result<Prepared, ConditionError> {
        let mut noises = Vec::new();
        for step in &self.steps {
            noises.push(match step {
                Step::Noise {
                    folder: Some(folder), ..
                } => recordings(folder)?,
                _ => Vec::new(),
            });
        }
        Ok(Prepared {
            condition: self,
            noises,
        })
    }
}

/// A condition with all that it needs.
pub struct Prepared {
    condition: Condition,
    /// Noise recordings of each step, empty for those that need none.
    noises: Vec<Vec<Vec<f32>>>,
}

impl Prepared {
    /// The condition itself.
    pub fn condition(&self) -> &Condition {
        &self.condition
    }

    /// What is left of 16 kHz samples: as many, at the same times, the same for the same seed.
    ///
    /// # Errors
    /// [`ConditionError::Opus`] when the codec fails.
    pub fn apply(&self, samples: &[f32], seed: u64) -> Result<Vec<f32>, ConditionError> {
        let mut heard = samples.to_vec();
        for (at, (step, noises)) in self.condition.steps.iter().zip(&self.noises).enumerate() {
            let mut dice = Dice::for_task(seed, at as u64 + 1);
            heard = match step {
                Step::Phone => telephone(&heard),
                Step::ALaw => telephone_alaw(&heard),
                Step::Far => line::far(&heard),
                Step::Reverb => room::reverberant(&heard, &mut dice),
                Step::Noise { snr_db, .. } => room::noisy(&heard, noises, *snr_db, &mut dice),
                Step::Loss { percent } => line::lossy(&heard, percent / 100.0, &mut dice),
                Step::Opus { kbps } => opus::coded(&heard, *kbps)?,
            };
        }
        Ok(heard)
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.steps.is_empty() {
            return f.write_str("clean");
        }
        for (at, step) in self.steps.iter().enumerate() {
            if at > 0 {
                f.write_str("+")?;
            }
            step.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phone => f.write_str("phone"),
            Self::ALaw => f.write_str("alaw"),
            Self::Far => f.write_str("far"),
            Self::Reverb => f.write_str("reverb"),
            Self::Noise { snr_db, folder: None } => write!(f, "noise:{snr_db}"),
            Self::Noise {
                snr_db,
                folder: Some(folder),
            } => write!(f, "noise:{snr_db}:{}", folder.display()),
            Self::Loss { percent } => write!(f, "loss:{percent}"),
            Self::Opus { kbps } => write!(f, "opus:{kbps}"),
        }
    }
}

impl FromStr for Condition {
    type Err = ConditionError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut steps = Vec::new();
        for part in text.trim().split('+') {
            if part != "clean" {
                steps.push(part.parse()?);
            }
        }
        Ok(Self { steps })
    }
}

impl FromStr for Step {
    type Err = ConditionError;

    /// Understands the command line's spelling (`opus:6`, `noise:10:DIR`) and the protocols' (`opus-6k`,
    /// `noise-10db`).
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let unknown = |why| ConditionError::Unknown {
            step: text.to_owned(),
            why,
        };
        let (name, value) = text.split_once([':', '-']).unwrap_or((text, ""));
        let plain = |step| {
            if value.is_empty() {
                Ok(step)
            } else {
                Err(unknown("it takes no number"))
            }
        };
        match name {
            "phone" => plain(Self::Phone),
            "alaw" => plain(Self::ALaw),
            "far" => plain(Self::Far),
            "reverb" => plain(Self::Reverb),
            "noise" => {
                let (snr, folder) = value
                    .split_once(':')
                    .map_or((value, None), |(snr, dir)| (snr, Some(dir)));
                let snr_db: f32 = snr
                    .trim_end_matches("db")
                    .parse()
                    .map_err(|_| unknown("the SNR is a number of dB"))?;
                let sane = (-20.0..=60.0).contains(&snr_db);
                let folder = folder.map(PathBuf::from);
                sane.then_some(Self::Noise { snr_db, folder })
                    .ok_or(unknown("the SNR lies between -20 and 60 dB"))
            }
            "loss" => {
                let percent = value.trim_end_matches('%').parse().ok();
                let percent = percent.filter(|percent| (0.0..=50.0).contains(percent));
                percent
                    .map(|percent| Self::Loss { percent })
                    .ok_or(unknown("the loss is 0 to 50 per cent"))
            }
            "opus" => {
                let kbps = value
                    .trim_end_matches('k')
                    .parse()
                    .ok()
                    .filter(|kbps| (6..=64).contains(kbps));
                kbps.map(|kbps| Self::Opus { kbps })
                    .ok_or(unknown("the rate is 6 to 64 kbit/s"))
            }
            "gsm" | "amr" => Err(unknown("this version has no GSM or AMR codec")),
            _ => Err(unknown("no such name")),
        }
    }
}

/// The recordings of a noise folder and the folders in it, in the order of their names.
fn recordings(folder: &Path) -> Result<Vec<Vec<f32>>, ConditionError> {
    /// More than this many recordings make nothing more varied and fill the memory.
    const MOST: usize = 500;
    /// What is kept of each, in 16 kHz samples: 30 s.
    const KEPT: usize = 30 * 16_000;
    let fault = |why: String| ConditionError::Noise {
        folder: folder.to_owned(),
        why,
    };
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in std::fs::read_dir(&next).map_err(|cause| fault(cause.to_string()))? {
            let path = entry.map_err(|cause| fault(cause.to_string()))?.path();
            let ending = path
                .extension()
                .and_then(|ending| ending.to_str())
                .map(str::to_lowercase);
            if path.is_dir() {
                folders.push(path);
            } else if matches!(
                ending.as_deref(),
                Some("wav" | "flac" | "mp3" | "ogg" | "opus" | "webm")
            ) {
                files.push(path);
            }
        }
    }
    files.sort();
    files.truncate(MOST);
    if files.is_empty() {
        return Err(fault(
            "there is no WAV, FLAC, MP3, Ogg or WebM file in it".to_owned(),
        ));
    }
    let decoded = files.into_iter().map(|path| {
        let bytes = std::fs::read(&path).map_err(|cause| fault(cause.to_string()))?;
        let clip = load(bytes, Some(0), &Limits::default());
        let mut clip = clip.map_err(|cause| ConditionError::NoiseFile { path, cause })?;
        clip.samples.truncate(KEPT);
        Ok(clip.samples)
    });
    decoded
        .filter(|clip| clip.as_ref().map_or(true, |samples| !samples.is_empty()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::quality::rms;

    fn prepared(text: &str) -> Prepared {
        text.parse::<Condition>().unwrap().prepare().unwrap()
    }

    fn voice(samples: usize) -> Vec<f32> {
        let mut dice = Dice::new(3);
        (0..samples)
            .map(|at| 0.1 * (at as f32 * 0.2).sin() + 0.01 * dice.normal() as f32)
            .collect()
    }

    #[test]
    fn both_spellings_of_a_condition_are_one_and_read_back_what_they_print() {
        for (text, printed) in [
            ("clean", "clean"),
            ("opus-6k", "opus:6"),
            ("noise-10db", "noise:10"),
            ("noise:5:/n+phone", "noise:5:/n+phone"),
            ("far+reverb+alaw+loss:2.5", "far+reverb+alaw+loss:2.5"),
        ] {
            let condition: Condition = text.parse().unwrap();
            assert_eq!(condition.to_string(), printed);
            assert_eq!(printed.parse::<Condition>().unwrap(), condition);
        }
    }

    #[test]
    fn what_is_no_condition_is_refused_with_those_there_are() {
        for bad in ["", "fone", "opus:900", "noise:loud", "loss:80", "phone:3", "gsm"] {
            let fault = bad.parse::<Condition>().unwrap_err().to_string();
            assert!(fault.contains("opus:KBPS"), "{fault}");
        }
    }

    #[test]
    fn every_condition_keeps_the_length_and_is_the_same_every_time() {
        let voice = voice(20_001);
        for text in [
            "clean", "phone", "alaw", "far", "reverb", "noise:10", "loss:20", "opus:6", "opus:12", "opus:24",
        ] {
            let prepared = prepared(text);
            let once = prepared.apply(&voice, 1).unwrap();
            assert_eq!(once.len(), voice.len(), "{text}");
            assert!(once.iter().all(|sample| sample.is_finite()), "{text}");
            assert_eq!(once, prepared.apply(&voice, 1).unwrap(), "{text}");
            assert!(prepared.apply(&[], 1).unwrap().is_empty(), "{text}");
        }
    }

    #[test]
    fn noise_lies_as_far_below_the_voice_as_asked_and_differs_by_seed() {
        let voice = voice(32_000);
        let prepared = prepared("noise:10");
        let noisy = prepared.apply(&voice, 1).unwrap();
        let noise: Vec<f32> = noisy.iter().zip(&voice).map(|(a, b)| a - b).collect();
        let snr = 20.0 * (rms(&voice) / rms(&noise)).log10();
        assert!((snr - 10.0).abs() < 0.01, "{snr}");
        assert_ne!(noisy, prepared.apply(&voice, 2).unwrap());
    }
}
