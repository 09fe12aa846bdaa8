//! Laws of the ears: one stream, one result, whatever the pieces, the door and the coding it came by.

use voxline::bytes::{Encoding, Limits, RawStream};
use voxline::decision::VOICE_WINDOW;
use voxline::engine::Analyst;
use voxline::samples::telephone;
use voxline::units::{Hertz, Seconds};
use voxline::verdict::{CHECKPOINTS, Checkpoint, Listener, Recording, hear};
use voxline::voiceprint::{Bandwidth, Embedding};

use crate::support::{Dice, analyst, at_rate, clip, read, wav};

const CALL: &str = "enrollment_samples/calls/ivy-1.wav";
const SIGNUP: &str = "enrollment_samples/signup/alice/1.flac";

/// Everything of a look but how long it took.
fn same(a: &Checkpoint, b: &Checkpoint) -> bool {
    (a.net_speech, a.quality, &a.views) == (b.net_speech, b.quality, &b.views)
        && (&a.windows, a.windows_heard) == (&b.windows, b.windows_heard)
}

fn whole(analyst: &mut Analyst, bytes: Vec<u8>, marks: &'static [f64]) -> Recording {
    hear(analyst, bytes, None, &Limits::default(), marks).unwrap()
}

fn last(recording: &Recording) -> &Checkpoint {
    recording.looks.last().unwrap()
}

/// The looks at a mono stream that comes in these pieces.
fn listen(analyst: &mut Analyst, rate: u32, pieces: &[&[f32]]) -> Vec<Checkpoint> {
    let mut listener = Listener::new(Hertz(rate), 1, None, CHECKPOINTS).unwrap();
    let mut looks = Vec::new();
    for piece in pieces {
        looks.extend(listener.push(analyst, piece).unwrap());
    }
    looks.push(listener.finish(analyst).unwrap());
    looks
}

/// The mu-law octets of a call of enrollment_samples, whose WAV files are a header and these.
fn octets(file: &[u8]) -> &[u8] {
    let data = file.windows(4).position(|four| four == b"data").unwrap();
    let size = u32::from_le_bytes(file[data + 4..data + 8].try_into().unwrap());
    &file[data + 8..][..size as usize]
}

fn decoded(octets: &[u8]) -> Vec<f32> {
    let mut samples = Vec::new();
    RawStream::new(Encoding::Mulaw, 1).push(octets, &mut samples);
    samples
}

fn cosine(a: &Embedding, b: &Embedding) -> f32 {
    a.cosine(b).unwrap().get()
}

#[test]
fn looks_do_not_depend_on_the_pieces() {
    let analyst = &mut analyst();
    let call = decoded(octets(&read(CALL)));
    let at_once = listen(analyst, 8_000, &[&call]);
    assert!(at_once.len() > 8, "{} looks", at_once.len());
    // A carrier's packets of 20 ms, and two other ways of cutting.
    let mut cuts: Vec<Vec<&[f32]>> = vec![call.chunks(160).collect()];
    cuts.extend([(1, 700), (2, 9_000)].map(|(seed, longest)| Dice::new(seed).cut(&call, longest)));
    for pieces in cuts {
        let looks = listen(analyst, 8_000, &pieces);
        assert_eq!(looks.len(), at_once.len(), "{} pieces", pieces.len());
        for (at, (a, b)) in looks.iter().zip(&at_once).enumerate() {
            let alike = same(a, b) && a.is_window_check == b.is_window_check;
            assert!(alike, "look {at} of {} pieces", pieces.len());
        }
    }
}

#[test]
fn a_live_call_comes_to_the_same_as_its_recording() {
    let analyst = &mut analyst();
    let file = read(CALL);
    let live = listen(analyst, 8_000, &[&decoded(octets(&file))]);
    let recorded = whole(analyst, file, &[]);
    assert_eq!(recorded.looks.len(), 1);
    assert!(same(live.last().unwrap(), last(&recorded)));
}

#[test]
fn a_recording_heard_with_marks_ends_as_it_does_without_them() {
    let analyst = &mut analyst();
    let marked = whole(analyst, read(CALL), CHECKPOINTS);
    let plain = whole(analyst, read(CALL), &[]);
    assert!(marked.looks.len() > 8);
    assert!(same(last(&marked), last(&plain)));
    let rising = |pair: &[Checkpoint]| pair[0].net_speech <= pair[1].net_speech;
    assert!(marked.looks.windows(2).all(rising));
}

#[test]
fn every_window_of_speech_is_seen_once_it_is_whole_at_a_mark_or_by_a_glance() {
    let analyst = &mut analyst();
    let looks = whole(analyst, read(CALL), CHECKPOINTS).looks;
    assert!(looks.iter().any(|look| look.is_window_check));
    for pair in looks.windows(2) {
        let [before, after] = pair else { unreachable!() };
        let samples = |seconds: Seconds| (seconds.get() * 16_000.0).round() as usize;
        let filled = samples(after.net_speech) / samples(VOICE_WINDOW);
        assert_eq!(after.windows_heard, filled);
        assert!(after.windows_heard <= before.windows_heard + 1);
        assert_eq!(after.windows[..before.windows.len()], before.windows);
        if after.is_window_check {
            assert_eq!((&after.views, after.quality), (&before.views, before.quality));
            assert!(
                after.windows_heard > before.windows_heard && after.net_speech > after.views[0].net_speech
            );
        }
    }
}

#[test]
fn after_two_minutes_of_speech_a_call_is_the_voice_of_the_last_two() {
    let analyst = &mut analyst();
    let (first, second) = (clip(CALL), clip("enrollment_samples/calls/robert-1.wav"));
    let mut call = Vec::new();
    for clip in [&first, &second] {
        let turns = (140.0 * 16_000.0 / clip.len() as f64).ceil() as usize * 3 / 2;
        call.extend(std::iter::repeat_n(clip.as_slice(), turns).flatten());
    }
    let looks = listen(analyst, 8_000, &[&at_rate(&call, 8_000)]);
    let beyond = looks.iter().filter(|look| look.windows_heard > 75);
    let last = looks.last().unwrap();
    assert!(beyond.count() > 70 && last.windows.len() == 75 && last.windows_heard > 150);
    assert_eq!((last.views.len(), last.views[0].net_speech.get()), (1, 120.0));
    let robert = &whole(analyst, wav(8_000, 1, &at_rate(&second, 8_000)), &[]).looks[0].views[0];
    let at_two_minutes = looks.iter().rfind(|look| look.windows_heard <= 75).unwrap();
    let like = |look: &Checkpoint| cosine(&look.views[0].embedding, &robert.embedding);
    assert!(
        like(last) > 0.9 && like(at_two_minutes) < 0.7,
        "{} {}",
        like(last),
        like(at_two_minutes)
    );
}

#[test]
fn raw_octets_in_torn_pieces_are_the_wav_file_of_the_same_octets() {
    let analyst = &mut analyst();
    let file = read(CALL);
    let mut raw = RawStream::new(Encoding::Mulaw, 1);
    let mut listener = Listener::new(Hertz(8_000), 1, None, &[]).unwrap();
    for piece in Dice::new(5).cut(octets(&file), 331) {
        let mut samples = Vec::new();
        raw.push(piece, &mut samples);
        assert!(listener.push(analyst, &samples).unwrap().is_empty());
    }
    let streamed = listener.finish(analyst).unwrap();
    assert!(same(&streamed, last(&whole(analyst, file, &[]))));
}

#[test]
fn a_wide_recording_is_heard_twice_and_a_narrow_one_once() {
    let analyst = &mut analyst();
    let kinds =
        |look: &Checkpoint| -> Vec<Bandwidth> { look.views.iter().map(|view| view.bandwidth).collect() };
    let wide = whole(analyst, read(SIGNUP), &[]);
    assert_eq!(kinds(last(&wide)), [Bandwidth::Wide, Bandwidth::Narrow]);
    let narrow = whole(analyst, read(CALL), &[]);
    assert_eq!(kinds(last(&narrow)), [Bandwidth::Narrow]);
    // A telephone call in a file of a high rate is still a telephone call.
    let dressed_up = wav(16_000, 1, &clip(CALL));
    let still_narrow = whole(analyst, dressed_up, &[]);
    assert_eq!(kinds(last(&still_narrow)), [Bandwidth::Narrow]);
}

#[test]
fn the_chosen_channel_of_two_is_heard_and_nothing_of_the_other() {
    let analyst = &mut analyst();
    let caller = clip(CALL);
    let agent = clip("enrollment_samples/calls/robert-1.wav");
    let both: Vec<f32> = caller.iter().zip(&agent).flat_map(|(a, b)| [*a, *b]).collect();
    let length = both.len() / 2;
    for (channel, voice) in [(0, &caller), (1, &agent)] {
        let stereo = wav(16_000, 2, &both);
        let chosen = hear(analyst, stereo, Some(channel), &Limits::default(), &[]).unwrap();
        let alone = whole(analyst, wav(16_000, 1, &voice[..length]), &[]);
        assert!(!last(&alone).views.is_empty());
        assert!(same(last(&chosen), last(&alone)), "channel {channel}");
    }
}

#[test]
fn two_channels_without_a_choice_are_refused() {
    let fault = hear(
        &mut analyst(),
        wav(16_000, 2, &[0.0; 3_200]),
        None,
        &Limits::default(),
        &[],
    );
    assert!(fault.unwrap_err().to_string().contains("--channel 0"));
}

/// Cosine 0.99 is 8 degrees; between two recordings of one person lie 20 and more.
#[test]
fn a_voice_is_the_same_at_every_rate_that_carries_it() {
    let analyst = &mut analyst();
    let speech = clip(SIGNUP);
    let hear = |analyst: &mut Analyst, rate: u32| {
        let recording = whole(analyst, wav(rate, 1, &at_rate(&speech, rate)), &[]);
        last(&recording).views.clone()
    };
    let reference = whole(analyst, wav(16_000, 1, &speech), &[]);
    let reference = &last(&reference).views;
    assert_eq!(reference.len(), 2);
    for rate in [22_050, 44_100, 48_000] {
        let views = hear(analyst, rate);
        assert_eq!(views.len(), 2, "{rate} Hz");
        for (view, expected) in views.iter().zip(reference) {
            let cosine = cosine(&view.embedding, &expected.embedding);
            assert!(cosine >= 0.99, "{rate} Hz, {}: {cosine}", view.bandwidth);
        }
    }
}

/// The model hears levels (10 dB is a cosine of 0.84 to it); the ears see to it that it need not.
#[test]
fn a_voice_is_the_same_however_loud_it_was_recorded() {
    let analyst = &mut analyst();
    let speech = clip(SIGNUP);
    let views = |analyst: &mut Analyst, gain: f32| {
        let quieter: Vec<f32> = speech.iter().map(|sample| sample * gain).collect();
        last(&whole(analyst, wav(16_000, 1, &quieter), &[])).views.clone()
    };
    let reference = views(analyst, 1.0);
    for gain in [0.5, 0.2] {
        for (view, expected) in views(analyst, gain).iter().zip(&reference) {
            let cosine = cosine(&view.embedding, &expected.embedding);
            assert!(cosine >= 0.99, "at {gain}, {}: {cosine}", view.bandwidth);
        }
    }
}

/// 8 and 11.025 kHz carry the whole telephone band: behind a telephone they are the same voice.
#[test]
fn behind_a_telephone_a_voice_is_the_same_from_every_rate() {
    let analyst = &mut analyst();
    let speech = clip(SIGNUP);
    let mut phoned = |samples: &[f32]| analyst.extractor.embed(&telephone(samples)).unwrap();
    let reference = phoned(&speech);
    for rate in [8_000, 11_025, 16_000, 22_050, 44_100, 48_000] {
        let file = wav(rate, 1, &at_rate(&speech, rate));
        let back = voxline::samples::load(file, None, &Limits::default()).unwrap();
        let cosine = cosine(&phoned(&back.samples), &reference);
        assert!(cosine >= 0.99, "{rate} Hz: {cosine}");
    }
}

#[test]
fn too_little_speech_gives_a_look_without_a_voice() {
    let analyst = &mut analyst();
    let word = whole(
        analyst,
        read("enrollment_samples/calls/one-word.wav"),
        CHECKPOINTS,
    );
    assert!(word.looks.len() == 1 && last(&word).views.is_empty());
    assert!(last(&word).net_speech.get() > 0.2 && last(&word).quality.is_some());
    let nobody = whole(analyst, wav(8_000, 1, &[0.0; 40_000]), CHECKPOINTS);
    assert!(last(&nobody).views.is_empty() && last(&nobody).quality.is_none());
}

/// Internet calls keep what is below 300 Hz, a simulated telephone does not: a signup must be found on both.
/// Before there was a common voice band, such a call of an enrolled user was called unknown.
#[test]
fn a_line_that_keeps_low_frequencies_carries_the_same_narrow_voice() {
    let analyst = &mut analyst();
    let speech = clip(SIGNUP);
    let signup = whole(analyst, wav(16_000, 1, &speech), &[]);
    let enrolled = &last(&signup).views[1];
    assert_eq!(enrolled.bandwidth, Bandwidth::Narrow);
    let call = whole(analyst, wav(8_000, 1, &at_rate(&speech, 8_000)), &[]);
    let heard = &last(&call).views[0];
    assert_eq!(heard.bandwidth, Bandwidth::Narrow);
    let cosine = cosine(&heard.embedding, &enrolled.embedding);
    assert!(cosine >= 0.97, "{cosine}");
}

#[test]
fn a_call_is_looked_at_again_before_it_is_half_as_long_again_and_within_ten_seconds() {
    let steps = CHECKPOINTS.windows(2).map(|pair| (pair[0], pair[1]));
    for (before, after) in steps {
        assert!(
            after > before && after - before <= 10.0 && after <= 1.5 * before,
            "{before} and {after}"
        );
    }
    assert_eq!(CHECKPOINTS.last(), Some(&120.0));
}
