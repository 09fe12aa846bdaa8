//! What happens to a recording on its way: telephone, codecs, noise, rooms, lost packets.
//!
//! A [`Condition`] is a chain of steps, as in `noise:10:../noise+phone`: a noisy room, then a telephone.
//! [`Prepared`] holds what its steps need (noise recordings) and does it. Everything is seeded by the
//! recording, so that a benchmark hears the same however many threads it has and whatever it heard before.

mod error;

mod amr;
mod gsm;
mod line;
mod noise;
mod opus;
mod room;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use sha2::{Digest, Sha256};

use super::rng::Rng;
use crate::samples::{telephone, telephone_alaw};
use crate::units::hex;

pub use error::ConditionError;

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
    /// The same band in GSM full rate.
    Gsm,
    /// The same band in AMR, by the number of its rate.
    Amr { rate: u8 },
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
                } => noise::recordings(folder)?,
                _ => Vec::new(),
            });
        }
        Ok(Prepared {
            digest: digest(&noises),
            condition: self,
            noises,
        })
    }
}

/// A hash of noise recordings, in hexadecimal.
fn digest(noises: &[Vec<Vec<f32>>]) -> String {
    let mut hash = Sha256::new();
    for (step, recordings) in noises.iter().enumerate() {
        for recording in recordings {
            hash.update((step as u64).to_le_bytes());
            hash.update((recording.len() as u64).to_le_bytes());
            let bytes: Vec<u8> = recording.iter().flat_map(|sample| sample.to_le_bytes()).collect();
            hash.update(bytes);
        }
    }
    hex(&hash.finalize())
}

/// A condition with all that it needs.
pub struct Prepared {
    condition: Condition,
    /// Noise recordings of each step, empty for those that need none.
    noises: Vec<Vec<Vec<f32>>>,
    digest: String,
}

impl Prepared {
    /// The condition itself.
    pub fn condition(&self) -> &Condition {
        &self.condition
    }

    /// A hash of the noise recordings: a condition says which folder they are in, and not what is in it.
    pub(super) fn noise_digest(&self) -> &str {
        &self.digest
    }

    /// What is left of 16 kHz samples: as many, at the same times, the same for the same seed.
    ///
    /// # Errors
    /// [`ConditionError::Opus`] and [`ConditionError::Amr`] when a codec fails.
    pub fn apply(&self, samples: &[f32], seed: u64) -> Result<Vec<f32>, ConditionError> {
        let mut heard = samples.to_vec();
        for (at, (step, noises)) in self.condition.steps.iter().zip(&self.noises).enumerate() {
            let mut rng = Rng::for_task(seed, at as u64 + 1);
            heard = match step {
                Step::Phone => telephone(&heard),
                Step::ALaw => telephone_alaw(&heard),
                Step::Gsm => gsm::coded(&heard),
                Step::Amr { rate } => amr::coded(&heard, *rate)?,
                Step::Far => line::far(&heard),
                Step::Reverb => room::reverberant(&heard, &mut rng),
                Step::Noise { snr_db, .. } => room::noisy(&heard, noises, *snr_db, &mut rng),
                Step::Loss { percent } => line::lossy(&heard, percent / 100.0, &mut rng),
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
            Self::Gsm => f.write_str("gsm"),
            Self::Amr { rate } => write!(f, "amr:{}", amr::RATES.get(usize::from(*rate)).unwrap_or(&"")),
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
            "gsm" => plain(Self::Gsm),
            "amr" => amr::rate(value).map(|rate| Self::Amr { rate }).ok_or(unknown(
                "the rate is 4.75, 5.15, 5.9, 6.7, 7.4, 7.95, 10.2 or 12.2 kbit/s",
            )),
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
            _ => Err(unknown("no such name")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::quality::rms;

    fn prepared(text: &str) -> Prepared {
        text.parse::<Condition>().unwrap().prepare().unwrap()
    }

    /// 16-bit samples of a fixture.
    pub(super) fn fixture(name: &str) -> Vec<i16> {
        let path = format!("{}/tests/data/audio/{name}", env!("CARGO_MANIFEST_DIR"));
        let bytes = std::fs::read(path).unwrap();
        bytes
            .as_chunks()
            .0
            .iter()
            .copied()
            .map(i16::from_le_bytes)
            .collect()
    }

    fn voice(samples: usize) -> Vec<f32> {
        let mut rng = Rng::new(3);
        (0..samples)
            .map(|at| 0.1 * (at as f32 * 0.2).sin() + 0.01 * rng.normal() as f32)
            .collect()
    }

    #[test]
    fn both_spellings_of_a_condition_are_one_and_read_back_what_they_print() {
        for (text, printed) in [
            ("clean", "clean"),
            ("opus-6k", "opus:6"),
            ("gsm", "gsm"),
            ("amr-4.75k", "amr:4.75"),
            ("amr", "amr:12.2"),
            ("noise--5db", "noise:-5"),
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
        for bad in [
            "",
            "fone",
            "opus:900",
            "noise:loud",
            "loss:80",
            "phone:3",
            "gsm:13",
            "amr:9",
        ] {
            let fault = bad.parse::<Condition>().unwrap_err().to_string();
            assert!(fault.contains("opus:KBPS"), "{fault}");
        }
    }

    #[test]
    fn every_condition_keeps_the_length_and_is_the_same_every_time() {
        let voice = voice(20_001);
        for text in [
            "clean", "phone", "alaw", "gsm", "amr", "amr:4.75", "far", "reverb", "noise:10", "loss:20",
            "opus:6", "opus:12", "opus:24",
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
    fn a_mobile_telephone_keeps_what_was_said_at_the_time_it_was_said() {
        let sent: Vec<f32> = fixture("gsm.s16")[..6_400]
            .iter()
            .flat_map(|sample| [f32::from(*sample) / 32_768.0; 2])
            .collect();
        let line = prepared("phone").apply(&sent, 1).unwrap();
        for text in ["gsm", "amr:12.2"] {
            let heard = prepared(text).apply(&sent, 1).unwrap();
            let likeness = |late: usize| {
                let pairs = || line[1_000..10_000].iter().zip(&heard[1_000 + late..]);
                let alike: f32 = pairs().map(|(a, b)| a * b).sum();
                let (own, theirs) =
                    pairs().fold((0.0, 0.0), |(own, theirs), (a, b)| (own + a * a, theirs + b * b));
                alike / (own * theirs).sqrt()
            };
            let now = likeness(0);
            assert!(now > 0.8, "{text}: {now}");
            assert!(now > likeness(8) && now > likeness(80), "{text}");
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
