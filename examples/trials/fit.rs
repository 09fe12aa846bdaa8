//! Trials to fit a calibration on, from one utterance a speaker.
//!
//! The end of each utterance is a call, what comes before it is the enrolment; the two share no sample.
//! A call is looked at when 1.2, 1.6, 2, 3, 4 and 6 s of speech have been heard, as the product would.

use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use voxline::engine::Analyst;
use voxline::samples::{RATE, quality, telephone};
use voxline::speech::{Span, SpeechFinder, SpeechSettings};
use voxline::units::Seconds;
use voxline::voiceprint::{Bandwidth, Voiceprint};

use super::work::{Bench, listen, samples};

/// Seconds of net speech at which a call is looked at.
const MARKS: &[f64] = &[1.2, 1.6, 2.0, 3.0, 4.0, 6.0];

/// The longest mark and a little more, since speech is found in steps.
const CALL_SPEECH: f64 = 6.3;

/// The most of an utterance's speech that goes to the call.
const CALL_SHARE: f64 = 0.6;

/// How a call came.
#[derive(Clone, Copy)]
enum Line {
    Wide,
    Phone,
    /// A telephone, and white noise of 15 to 25 dB below the voice before it.
    NoisyPhone,
}

impl Line {
    const ALL: [Self; 3] = [Self::Wide, Self::Phone, Self::NoisyPhone];

    fn name(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Phone => "phone",
            Self::NoisyPhone => "noisy-phone",
        }
    }

    fn bandwidth(self) -> Bandwidth {
        match self {
            Self::Wide => Bandwidth::Wide,
            Self::Phone | Self::NoisyPhone => Bandwidth::Narrow,
        }
    }
}

/// A speaker with what was heard of them. Those who only call have no enrolment.
struct Speaker {
    id: String,
    enrolment: Vec<Voiceprint>,
    calls: Vec<(Line, Voiceprint)>,
}

/// Makes the trials of every call against every enrolment and writes them: bandwidth, line, enrolled
/// speaker, caller, label (`target`, `nontarget`, or `stranger` for those never enrolled), cosine, net
/// speech of the call in seconds.
pub fn run(bench: &Bench, speakers: &Path, callers: Option<&Path>, audio: &Path, out: &Path) -> Result<()> {
    let mut items = list(speakers, audio, true)?;
    if let Some(callers) = callers {
        items.extend(list(callers, audio, false)?);
    }
    let heard = bench.each("speakers", &items, |analyst, item| {
        hear(analyst, item).with_context(|| item.path.display().to_string())
    })?;
    let file = std::fs::File::create(out).with_context(|| out.display().to_string())?;
    let mut file = BufWriter::new(file);
    let mut written = 0usize;
    for caller in &heard {
        for (line, print) in &caller.calls {
            for enrolled in &heard {
                written += write_trial(&mut file, enrolled, caller, *line, print)?;
            }
        }
    }
    file.flush()?;
    println!(
        "{written} trials of {} speakers in {}",
        heard.len(),
        out.display()
    );
    Ok(())
}

struct Item {
    path: PathBuf,
    enrolled: bool,
    seed: u64,
}

fn list(path: &Path, audio: &Path, enrolled: bool) -> Result<Vec<Item>> {
    let text = std::fs::read_to_string(path).with_context(|| path.display().to_string())?;
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    Ok(lines
        .enumerate()
        .map(|(at, line)| Item {
            path: audio.join(line.trim()),
            enrolled,
            seed: at as u64 + 1,
        })
        .collect())
}

fn hear(analyst: &mut Analyst, item: &Item) -> Result<Speaker> {
    let utterance = samples(&item.path)?;
    let name = item.path.file_stem().map(|stem| stem.to_string_lossy());
    let split = if item.enrolled {
        call_start(analyst, &utterance)?
    } else {
        0
    };
    let (signup, call) = utterance.split_at(split);
    let enrolment = if item.enrolled {
        last_look(analyst, signup)?
    } else {
        Vec::new()
    };
    let mut calls = Vec::new();
    for line in Line::ALL {
        let came = match line {
            Line::Wide => call.to_vec(),
            Line::Phone => telephone(call),
            Line::NoisyPhone => telephone(&with_noise(call, item.seed)),
        };
        let mut looks = listen(analyst, &came, MARKS)?;
        looks.pop();
        let own = |views: Vec<Voiceprint>| views.into_iter().find(|view| view.bandwidth == line.bandwidth());
        calls.extend(
            looks
                .into_iter()
                .filter_map(|look| Some((line, own(look.views)?))),
        );
    }
    Ok(Speaker {
        id: name
            .unwrap_or_default()
            .split('-')
            .next()
            .unwrap_or_default()
            .to_owned(),
        enrolment,
        calls,
    })
}

fn last_look(analyst: &mut Analyst, samples: &[f32]) -> Result<Vec<Voiceprint>> {
    Ok(listen(analyst, samples, &[])?
        .pop()
        .map(|look| look.views)
        .unwrap_or_default())
}

/// The sample where the call begins: enough speech for every mark comes after it, or the call's share of
/// the speech when there is less.
fn call_start(analyst: &mut Analyst, utterance: &[f32]) -> Result<usize> {
    let mut finder = SpeechFinder::new(SpeechSettings::default());
    finder.push(&mut analyst.vad, utterance)?;
    finder.finish(&mut analyst.vad)?;
    let net = finder.net_speech().get();
    let wanted = CALL_SPEECH.min(CALL_SHARE * net);
    let mut missing = RATE.samples(Seconds::checked(wanted).unwrap_or_default());
    for Span { start, end } in finder.spans().iter().rev() {
        let length = end.saturating_sub(*start);
        if length >= missing {
            return Ok(end - missing);
        }
        missing -= length;
    }
    Ok(0)
}

/// White Gaussian noise at an SNR of 15 to 25 dB, the same for the same seed.
fn with_noise(samples: &[f32], seed: u64) -> Vec<f32> {
    let mut state = seed;
    let snr_db = 15.0 + 10.0 * uniform(&mut state);
    let level = quality::rms(samples) * 10f32.powf(-snr_db / 20.0);
    let noisy = samples.iter().map(|sample| {
        // The sum of twelve uniforms less its mean has variance 1 and is all but Gaussian.
        let gauss = (0..12).map(|_| uniform(&mut state)).sum::<f32>() - 6.0;
        sample + level * gauss
    });
    noisy.collect()
}

/// The next number of SplitMix64 (Steele, Lea and Flood 2014), as a fraction of its range.
fn uniform(state: &mut u64) -> f32 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((z ^ (z >> 31)) >> 40) as f32 / (1u64 << 24) as f32
}

/// Writes the trial of a call against an enrolment of its kind; gives 1 when there is one.
fn write_trial(
    file: &mut impl Write,
    enrolled: &Speaker,
    caller: &Speaker,
    line: Line,
    call: &Voiceprint,
) -> Result<usize> {
    let Some(print) = enrolled
        .enrolment
        .iter()
        .find(|print| print.bandwidth == call.bandwidth)
    else {
        return Ok(0);
    };
    let cosine = print.embedding.cosine(&call.embedding)?.get();
    let label = match (caller.enrolment.is_empty(), caller.id == enrolled.id) {
        (true, _) => "stranger",
        (false, true) => "target",
        (false, false) => "nontarget",
    };
    let (line_name, net) = (line.name(), call.net_speech.get());
    let (kind, model, test) = (call.bandwidth, &enrolled.id, &caller.id);
    writeln!(
        file,
        "{kind}\t{line_name}\t{model}\t{test}\t{label}\t{cosine:.6}\t{net:.3}"
    )?;
    Ok(1)
}
