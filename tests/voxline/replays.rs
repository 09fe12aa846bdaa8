//! Laws of replays: the same speech over every line is one, and nothing else is.

use voxline::measure::Condition;
use voxline::samples::HighPass;
use voxline::speech::{
    Fingerprint, Fingerprinter, KeptFingerprint, ReplaySearch, Span, SpeechFinder, SpeechSettings, Vad,
    nearest,
};
use voxline::units::Seconds;

use crate::support::{Rng, analyst, at_16k, at_rate, clip, tones};

const LONG: Seconds = Seconds::new(120.0);

/// The fingerprint of the speech in some samples.
fn heard(vad: &mut Vad, samples: &[f32]) -> Fingerprint {
    let mut samples = samples.to_vec();
    HighPass::default().filter(&mut samples);
    let mut finder = SpeechFinder::new(SpeechSettings::default());
    let mut printer = Fingerprinter::new(LONG);
    finder.push(vad, &samples).unwrap();
    finder.finish(vad).unwrap();
    printer.push(&samples);
    printer.fingerprint(finder.spans())
}

/// The same as if all of it were speech.
fn whole(samples: &[f32]) -> Fingerprint {
    let mut printer = Fingerprinter::new(LONG);
    printer.push(samples);
    printer.fingerprint(&[Span {
        start: 0,
        end: samples.len(),
    }])
}

fn is_replay(heard: &Fingerprint, kept: &[KeptFingerprint]) -> bool {
    ReplaySearch::default().finds(heard, kept)
}

/// Eight seconds of white noise.
fn noise(seed: u64) -> Vec<f32> {
    Rng::new(seed).noise(-26.0, at_16k(8.0))
}

/// What a recording goes through on its way.
const LINES: [&str; 10] = [
    "clean", "phone", "alaw", "gsm", "amr", "opus:12", "opus:6", "noise:15", "far", "reverb",
];

/// The people of enrollment_samples who are most unlike one another, with what they enrolled with.
const PEOPLE: [&str; 4] = ["alice", "robert", "oleg", "nuria"];

fn signup(person: &str, at: usize) -> Vec<f32> {
    clip(&format!("enrollment_samples/signup/{person}/{at}.flac"))
}

#[test]
fn the_same_speech_over_every_line_is_a_replay() {
    let mut vad = analyst().vad;
    for person in PEOPLE {
        let samples = signup(person, 1);
        let kept = [heard(&mut vad, &samples).kept(LONG)];
        for line in LINES {
            let condition = line.parse::<Condition>().unwrap().prepare().unwrap();
            let played = condition.apply(&samples, 7).unwrap();
            // It begins at any moment, and as loud as somebody likes.
            let late: Vec<f32> = vec![0.0; 701]
                .into_iter()
                .chain(played.iter().map(|sample| 0.4 * sample))
                .collect();
            let heard = heard(&mut vad, &late);
            assert!(
                is_replay(&heard, &kept),
                "{person} over {line}: {:?}",
                nearest(&heard, &kept)
            );
        }
    }
}

/// The same words by the same voice, each part of them some 4 to 10 % slower or faster than before: nobody who reads them
/// again keeps nearer to their own time for three seconds.
fn read_again(samples: &[f32], seed: u64) -> Vec<f32> {
    let mut rng = Rng::new(seed);
    let mut again = Vec::new();
    for part in samples.chunks(at_16k(0.4)) {
        let by = 640 + rng.throw(960) as u32;
        let rate = if rng.throw(2) == 0 {
            16_000 - by
        } else {
            16_000 + by
        };
        again.extend(at_rate(part, rate));
    }
    again
}

#[test]
fn the_same_words_read_again_are_no_replay_nor_are_others() {
    let mut vad = analyst().vad;
    for person in PEOPLE {
        let samples = signup(person, 1);
        let kept = [heard(&mut vad, &samples).kept(LONG)];
        for seed in 1..4 {
            let again = heard(&mut vad, &read_again(&samples, seed));
            assert!(!nearest(&again, &kept).is_empty());
            assert!(
                !is_replay(&again, &kept),
                "{person}: {:?}",
                nearest(&again, &kept)
            );
        }
        let others: Vec<KeptFingerprint> = PEOPLE
            .iter()
            .flat_map(|other| (2..4).map(move |at| signup(other, at)))
            .map(|samples| heard(&mut vad, &samples).kept(LONG))
            .collect();
        let own = heard(&mut vad, &samples);
        assert!(
            !is_replay(&own, &others),
            "{person}: {:?}",
            nearest(&own, &others)
        );
    }
}

#[test]
fn silence_tones_and_noise_match_nothing() {
    let mut vad = analyst().vad;
    let speech = [heard(&mut vad, &signup("alice", 1)).kept(LONG)];
    let (ring, hum) = (
        tones(&[440.0, 480.0], 0.1, at_16k(8.0)),
        tones(&[100.0], 0.1, at_16k(8.0)),
    );
    let silence = vec![0.0; at_16k(8.0)];
    for (name, sound) in [
        ("ring-back", ring),
        ("hum", hum),
        ("silence", silence),
        ("noise", noise(1)),
    ] {
        let found = heard(&mut vad, &sound);
        assert!(
            !is_replay(&found, &[found.kept(LONG)]),
            "{name}: no speech, so not even itself"
        );
        // And if all of it were taken for speech.
        assert!(!is_replay(&whole(&sound), &speech), "{name}");
    }
    let (one, other) = (noise(2), noise(3));
    assert!(!is_replay(&whole(&one), &[whole(&other).kept(LONG)]));
}

#[test]
fn each_block_is_searched_once_and_found_whatever_came_before() {
    let mut vad = analyst().vad;
    let (own, recording) = (signup("alice", 2), signup("alice", 1));
    let kept = [heard(&mut vad, &recording).kept(LONG)];
    let call: Vec<f32> = own.iter().chain(&recording).copied().collect();
    let mut search = ReplaySearch::default();
    let mut found = None;
    for end in (0..=call.len()).step_by(at_16k(0.8)) {
        if search.finds(&heard(&mut vad, &call[..end]), &kept) {
            found = Some(end);
            break;
        }
    }
    let found = found.unwrap_or_else(|| panic!("the recording was not found"));
    let into = (found - own.len()) as f64 / 16_000.0;
    assert!((2.5..6.5).contains(&into), "found {into} s into the recording");
}

#[test]
fn what_was_searched_is_not_searched_again() {
    let mut vad = analyst().vad;
    let heard = heard(&mut vad, &signup("alice", 1));
    let kept = [heard.kept(LONG)];
    let mut search = ReplaySearch::default();
    assert!(!search.finds(&heard, &[]));
    assert!(!search.finds(&heard, &kept));
    assert!(is_replay(&heard, &kept));
}
