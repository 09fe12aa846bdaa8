//! Laws of the ears: one stream, one result, whatever the pieces, the door and the coding it came by.

mod exchanging;

use voxline::bytes::{Encoding, Limits, RawStream};
use voxline::decision::VOICE_WINDOW;
use voxline::engine::Analyst;
use voxline::units::{Hertz, Seconds};
use voxline::verdict::{CHECKPOINTS, Checkpoint, Hearing, Recording, StreamSession, hear};
use voxline::voiceprint::{Bandwidth, Embedding, Voiceprint};

use crate::support::{Rng, analyst, at_rate, clip, mix, read, tones, wav};

const CALL: &str = "enrollment_samples/calls/ivy-1.wav";
const SIGNUP: &str = "enrollment_samples/signup/alice/1.flac";

/// Everything of a checkpoint but how long it took.
fn same(a: &Checkpoint, b: &Checkpoint) -> bool {
    (a.net_speech, a.quality, &a.print) == (b.net_speech, b.quality, &b.print)
        && (&a.windows, a.windows_heard, &a.recent) == (&b.windows, b.windows_heard, &b.recent)
}

fn whole(analyst: &mut Analyst, bytes: Vec<u8>, marks: &'static [f64]) -> Recording {
    hear(analyst, bytes, None, &Limits::default(), marks).unwrap()
}

fn last(recording: &Recording) -> &Checkpoint {
    recording.checkpoints.last().unwrap()
}

fn print(checkpoint: &Checkpoint) -> &Voiceprint {
    checkpoint.print.as_ref().unwrap()
}

/// The checkpoints of a mono stream that comes in these pieces.
fn listen(analyst: &mut Analyst, rate: u32, pieces: &[&[f32]]) -> Vec<Checkpoint> {
    let mut listener = StreamSession::new(Hertz(rate), 1, None, CHECKPOINTS).unwrap();
    let mut checkpoints = Vec::new();
    for piece in pieces {
        checkpoints.extend(listener.push(analyst, piece).unwrap());
    }
    checkpoints.push(listener.finish(analyst).unwrap());
    checkpoints
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
fn checkpoints_do_not_depend_on_the_pieces() {
    let analyst = &mut analyst();
    let call = decoded(octets(&read(CALL)));
    let at_once = listen(analyst, 8_000, &[&call]);
    assert!(at_once.len() > 8, "{} checkpoints", at_once.len());
    // A carrier's packets of 20 ms, and two other ways of cutting.
    let mut cuts: Vec<Vec<&[f32]>> = vec![call.chunks(160).collect()];
    cuts.extend([(1, 700), (2, 9_000)].map(|(seed, longest)| Rng::new(seed).cut(&call, longest)));
    for pieces in cuts {
        let checkpoints = listen(analyst, 8_000, &pieces);
        assert_eq!(checkpoints.len(), at_once.len(), "{} pieces", pieces.len());
        for (at, (a, b)) in checkpoints.iter().zip(&at_once).enumerate() {
            let alike = same(a, b) && a.is_window_check == b.is_window_check;
            assert!(alike, "checkpoint {at} of {} pieces", pieces.len());
        }
    }
}

/// A recording is heard in one piece at its end, a call by stretches of its speech (`src/verdict/stretches.rs`).
#[test]
fn a_live_call_comes_to_the_voice_of_its_recording() {
    let analyst = &mut analyst();
    let mut call = clip("enrollment_samples/calls/alice-1.wav");
    for more in ["enrollment_samples/calls/alice-2.wav", CALL] {
        let recording = wav(8_000, 1, &at_rate(&call, 8_000));
        let live = whole(analyst, recording.clone(), CHECKPOINTS).checkpoints;
        let recorded = whole(analyst, recording, &[]);
        assert_eq!(recorded.checkpoints.len(), 1);
        let (live, recorded) = (live.last().unwrap(), last(&recorded));
        assert_eq!(
            (live.net_speech, live.quality),
            (recorded.net_speech, recorded.quality)
        );
        assert_eq!(live.windows, recorded.windows);
        let cosine = cosine(&print(live).embedding, &print(recorded).embedding);
        assert!(cosine > 0.97, "{cosine} after {}", live.net_speech.get());
        let of = print(live).net_speech.get();
        assert!(
            of <= live.net_speech.get() + 1e-9 && of > live.net_speech.get() - 1.6,
            "of {of} s"
        );
        call.extend(clip(more));
    }
}

#[test]
fn a_long_call_is_embedded_once_and_some_twenty_seconds_more() {
    let analyst = &mut analyst();
    let call: Vec<f32> = clip(CALL).into_iter().cycle().take(16_000 * 150).collect();
    let before = analyst.extractor.embedded().get();
    let checkpoints = listen(analyst, 8_000, &[&at_rate(&call, 8_000)]);
    let net = checkpoints.last().unwrap().net_speech.get();
    let embedded = analyst.extractor.embedded().get() - before;
    assert!(net > 60.0 && embedded < net + 23.0, "{embedded} s of {net} s");
    // Nor is it kept.
    let mut session = StreamSession::new(Hertz(16_000), 1, None, CHECKPOINTS).unwrap();
    session.push(analyst, &call).unwrap();
    assert!(session.net_speech().get() > 60.0 && session.speech().len() <= 16_000 * 21);
}

/// One alone for 15 s of speech, and then somebody else besides, all of which is heard in the fourth window of 5 s.
#[test]
fn while_a_name_stands_only_the_first_10_s_tell_several_at_once() {
    let analyst = &mut analyst();
    let [one, other] =
        ["stranger-woman", "oleg-1"].map(|who| clip(&format!("enrollment_samples/calls/{who}.wav")));
    let mut session = StreamSession::new(Hertz(16_000), 1, None, CHECKPOINTS).unwrap();
    let mut overlap_after = |sound: &[f32], speech: f64, is_named: bool| {
        session.set_named(is_named);
        for piece in sound.chunks(1_600).cycle() {
            if session.net_speech().get() >= speech {
                break;
            }
            session.push(analyst, piece).unwrap();
        }
        session.quality_so_far().unwrap().overlap
    };
    assert_eq!(overlap_after(&one, 4.0, true), None);
    assert_eq!(overlap_after(&one, 15.0, true), Some(false));
    let both = mix(&one, &other);
    assert_eq!(overlap_after(&both, 22.0, true), Some(false));
    // What was passed over is heard once no name stands.
    assert_eq!(overlap_after(&both, 22.5, false), Some(true));
}

#[test]
fn no_turn_of_a_recording_embeds_more_than_a_segment() {
    let analyst = &mut analyst();
    let call: Vec<f32> = clip(CALL).into_iter().cycle().take(16_000 * 150).collect();
    let mut hearing = Hearing::open(wav(16_000, 1, &call), None, &Limits::default(), &[]).unwrap();
    let mut turns = 0;
    loop {
        let before = analyst.extractor.embedded().get();
        let goes_on = hearing.take_turn(analyst).unwrap();
        let embedded = analyst.extractor.embedded().get() - before;
        assert!(
            embedded <= 30.0 + 3.0 * 1.6 + 1e-9,
            "{embedded} s in turn {turns}"
        );
        turns += 1;
        if !goes_on {
            break;
        }
    }
    assert!(turns > 75, "{turns} turns");
    assert!(last(&hearing.into_recording()).print.is_some());
}

/// Most recordings of one microphone have two, and it takes all of them to see that they are one.
#[test]
fn equal_channels_are_compared_in_turns_before_anything_is_heard() {
    let analyst = &mut analyst();
    let call: Vec<f32> = clip(CALL).into_iter().cycle().take(16_000 * 60).collect();
    let stereo: Vec<f32> = call.iter().flat_map(|&sample| [sample; 2]).collect();
    let mut turns = |channels: u16, samples: &[f32]| {
        let recording = wav(16_000, channels, samples);
        let mut hearing = Hearing::open(recording, None, &Limits::default(), &[]).unwrap();
        let mut turns = 1;
        while hearing.take_turn(analyst).unwrap() {
            turns += 1;
        }
        (turns, hearing.into_recording())
    };
    let (of_one, mono) = turns(1, &call);
    let (of_two, both) = turns(2, &stereo);
    assert!(of_two >= of_one + 28, "{of_two} turns and {of_one}");
    assert!(both.format.channels == 1 && same(last(&both), last(&mono)));
    // Of two that differ one has to be named.
    let other: Vec<f32> = call.iter().flat_map(|&sample| [sample, 0.0]).collect();
    let mut hearing = Hearing::open(wav(16_000, 2, &other), None, &Limits::default(), &[]).unwrap();
    let fault = (0..20).find_map(|_| hearing.take_turn(analyst).err());
    let said = fault.unwrap().to_string();
    assert!(said.starts_with("two channels"), "{said}");
}

#[test]
fn a_recording_heard_with_marks_ends_as_the_call_does() {
    let analyst = &mut analyst();
    let marked = whole(analyst, read(CALL), CHECKPOINTS);
    let live = listen(analyst, 8_000, &[&decoded(octets(&read(CALL)))]);
    assert!(marked.checkpoints.len() > 8);
    assert!(same(last(&marked), live.last().unwrap()));
    let rising = |pair: &[Checkpoint]| pair[0].net_speech <= pair[1].net_speech;
    assert!(marked.checkpoints.windows(2).all(rising));
}

#[test]
fn every_whole_window_of_speech_is_checked_once() {
    let analyst = &mut analyst();
    let checkpoints = whole(analyst, read(CALL), CHECKPOINTS).checkpoints;
    assert!(checkpoints.iter().any(|checkpoint| checkpoint.is_window_check));
    for pair in checkpoints.windows(2) {
        let [before, after] = pair else { unreachable!() };
        let samples = |seconds: Seconds| (seconds.get() * 16_000.0).round() as usize;
        let filled = samples(after.net_speech) / samples(VOICE_WINDOW);
        assert_eq!(after.windows_heard, filled);
        assert!(after.windows_heard <= before.windows_heard + 1);
        assert_eq!(after.windows[..before.windows.len()], before.windows);
        if after.is_window_check {
            assert_eq!((&after.print, after.quality), (&before.print, before.quality));
            let is_new = after.windows_heard > before.windows_heard || after.recent.is_some();
            assert!(is_new && after.net_speech > print(after).net_speech);
        }
    }
}

/// At the beginning of a call and after its first minute, when its speech is no longer kept.
#[test]
fn half_a_window_after_an_unlike_one_the_last_seconds_are_heard() {
    let analyst = &mut analyst();
    let robert = clip("enrollment_samples/calls/robert-1.wav");
    for of_the_first in [9, 70] {
        let mut call: Vec<f32> = clip(CALL)
            .into_iter()
            .cycle()
            .take(16_000 * of_the_first)
            .collect();
        let before = listen(analyst, 16_000, &[&call]).last().unwrap().net_speech.get();
        call.extend(robert.iter().cycle().take(16_000 * 12));
        let checkpoints = listen(analyst, 16_000, &[&call]);
        let unlike = checkpoints
            .iter()
            .find(|after| after.net_speech.get() > before && after.recent.is_some());
        let unlike = unlike.unwrap_or_else(|| panic!("nothing was unlike after {before} s"));
        let (net, windows) = (unlike.net_speech.get(), unlike.windows_heard as f64 * 1.6);
        let recent = unlike.recent.as_ref().unwrap();
        // Half a window late at most by one window of the speech detector's, or a short word's.
        assert!(
            (0.799..1.2).contains(&(net - windows)),
            "{net} s, {windows} s of windows"
        );
        assert!((recent.net_speech.get() - (1.6 + net - windows)).abs() < 1e-9);
        assert!(
            net - before < 3.6,
            "{} s after the second voice began",
            net - before
        );
        // Robert's, and of the latest speech.
        let speech = whole(analyst, wav(16_000, 1, &robert), &[]);
        let other = whole(analyst, wav(16_000, 1, &call[..16_000 * 9]), &[]);
        let like = |recording: &Recording| cosine(&recent.voice, &print(last(recording)).embedding);
        assert!(
            like(&speech) > like(&other) + 0.2,
            "{} {}",
            like(&speech),
            like(&other)
        );
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
    let checkpoints = listen(analyst, 8_000, &[&at_rate(&call, 8_000)]);
    let beyond = checkpoints
        .iter()
        .filter(|checkpoint| checkpoint.windows_heard > 75);
    let last = checkpoints.last().unwrap();
    assert!(beyond.count() > 70 && last.windows.len() == 75 && last.windows_heard > 150);
    assert_eq!(print(last).net_speech.get(), 120.0);
    let robert = whole(analyst, wav(8_000, 1, &at_rate(&second, 8_000)), &[]);
    let robert = print(&robert.checkpoints[0]);
    let at_two_minutes = checkpoints
        .iter()
        .rfind(|checkpoint| checkpoint.windows_heard <= 75)
        .unwrap();
    let like = |checkpoint: &Checkpoint| cosine(&print(checkpoint).embedding, &robert.embedding);
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
    let mut listener = StreamSession::new(Hertz(8_000), 1, None, &[]).unwrap();
    for piece in Rng::new(5).cut(octets(&file), 331) {
        let mut samples = Vec::new();
        raw.push(piece, &mut samples);
        assert!(listener.push(analyst, &samples).unwrap().is_empty());
    }
    let streamed = listener.finish(analyst).unwrap();
    assert!(same(&streamed, last(&whole(analyst, file, &[]))));
}

#[test]
fn a_recording_is_wide_by_what_is_above_4_khz_and_not_by_its_rate() {
    let analyst = &mut analyst();
    let kind = |recording: &Recording| print(last(recording)).bandwidth;
    assert_eq!(kind(&whole(analyst, read(SIGNUP), &[])), Bandwidth::Wide);
    assert_eq!(kind(&whole(analyst, read(CALL), &[])), Bandwidth::Narrow);
    // A telephone call in a file of a high rate is still a telephone call.
    let dressed_up = wav(16_000, 1, &clip(CALL));
    assert_eq!(kind(&whole(analyst, dressed_up, &[])), Bandwidth::Narrow);
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
        assert!(last(&alone).print.is_some());
        assert!(same(last(&chosen), last(&alone)), "channel {channel}");
    }
}

#[test]
fn two_channels_without_a_choice_are_refused() {
    let (left, right) = (tones(&[440.0], 0.3, 8_000), tones(&[1_000.0], 0.3, 8_000));
    let two_voices: Vec<f32> = left
        .iter()
        .zip(&right)
        .flat_map(|(left, right)| [*left, *right])
        .collect();
    let fault = hear(
        &mut analyst(),
        wav(16_000, 2, &two_voices),
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
    let reference = whole(analyst, wav(16_000, 1, &speech), &[]);
    for rate in [22_050, 44_100, 48_000] {
        let heard = whole(analyst, wav(rate, 1, &at_rate(&speech, rate)), &[]);
        let cosine = cosine(&print(last(&heard)).embedding, &print(last(&reference)).embedding);
        assert!(cosine >= 0.99, "{rate} Hz: {cosine}");
    }
}

/// As old tools bring eight kilohertz to sixteen: what lies above four kilohertz is then an image of what is below.
#[test]
fn a_cheaply_upsampled_telephone_call_keeps_its_voice() {
    let analyst = &mut analyst();
    let narrow = decoded(octets(&read(CALL)));
    let mut voice = |rate, samples: &[f32]| {
        print(last(&whole(analyst, wav(rate, 1, samples), &[])))
            .embedding
            .clone()
    };
    let (own, another) = (voice(8_000, &narrow), voice(16_000, &clip(SIGNUP)));
    let next = narrow.iter().skip(1).chain(narrow.last());
    let linear: Vec<f32> = narrow
        .iter()
        .zip(next)
        .flat_map(|(here, next)| [*here, (here + next) / 2.0])
        .collect();
    let repeated: Vec<f32> = narrow.iter().flat_map(|sample| [*sample; 2]).collect();
    let coarse: Vec<f32> = linear
        .iter()
        .map(|sample| (sample * 127.0).round() / 127.0)
        .collect();
    for (way, samples) in [("linear", linear), ("repeated", repeated), ("eight bits", coarse)] {
        let heard = voice(16_000, &samples);
        let (kept, other) = (cosine(&own, &heard), cosine(&another, &heard));
        assert!(
            kept > 0.8 && kept > other + 0.4,
            "{way}: {kept} to itself, {other} to another"
        );
    }
}

#[test]
fn a_voice_is_the_same_however_loud_it_was_recorded() {
    let analyst = &mut analyst();
    let speech = clip(SIGNUP);
    let mut heard = |gain: f32| {
        let quieter: Vec<f32> = speech.iter().map(|sample| sample * gain).collect();
        whole(analyst, wav(16_000, 1, &quieter), &[])
    };
    let reference = heard(1.0);
    for gain in [0.5, 0.2] {
        let heard = heard(gain);
        let cosine = cosine(&print(last(&heard)).embedding, &print(last(&reference)).embedding);
        assert!(cosine >= 0.99, "at {gain}: {cosine}");
    }
}

/// Converters and cheap microphones add an offset. (Not from 16-bit files of upsampled telephone audio: above 4 kHz
/// those hold nothing but their own rounding, which an offset changes and the model hears.)
#[test]
fn an_offset_changes_neither_the_voice_nor_what_is_said_of_its_noise() {
    let analyst = &mut analyst();
    for (path, rate) in [(CALL, 8_000), (SIGNUP, 16_000)] {
        let speech = at_rate(&clip(path), rate);
        let mut heard = |offset: f32| {
            let moved: Vec<f32> = speech.iter().map(|sample| 0.9 * sample + offset).collect();
            let mut listener = StreamSession::new(Hertz(rate), 1, None, &[]).unwrap();
            listener.push(analyst, &moved).unwrap();
            listener.finish(analyst).unwrap()
        };
        let without = heard(0.0);
        for offset in [0.005, 0.0075, -0.0075] {
            let with = heard(offset);
            let cosine = cosine(&print(&with).embedding, &print(&without).embedding);
            assert!(1.0 - cosine < 1e-3, "{path}, an offset of {offset}: {cosine}");
            let snr =
                |checkpoint: &Checkpoint| checkpoint.quality.and_then(|quality| quality.snr_db).unwrap();
            let apart = (snr(&with) - snr(&without)).abs();
            assert!(apart < 1.0, "{path}, an offset of {offset}: {apart} dB");
        }
    }
}

/// Hum and the rumble of a road lie below what a voice has.
#[test]
fn rumble_leaves_the_voice_where_it_was() {
    let analyst = &mut analyst();
    let call = clip(CALL);
    let rumble = tones(&[20.0], 0.05, call.len());
    let quiet = whole(analyst, wav(16_000, 1, &call), &[]);
    let loud = whole(analyst, wav(16_000, 1, &mix(&call, &rumble)), &[]);
    let cosine = cosine(&print(last(&quiet)).embedding, &print(last(&loud)).embedding);
    assert!(cosine >= 0.98, "{cosine}");
}

#[test]
fn too_little_speech_gives_a_checkpoint_without_a_voice() {
    let analyst = &mut analyst();
    let word = whole(
        analyst,
        read("enrollment_samples/calls/one-word.wav"),
        CHECKPOINTS,
    );
    assert!(word.checkpoints.len() == 1 && last(&word).print.is_none());
    assert!(last(&word).net_speech.get() > 0.2 && last(&word).quality.is_some());
    let nobody = whole(analyst, wav(8_000, 1, &[0.0; 40_000]), CHECKPOINTS);
    assert!(last(&nobody).print.is_none() && last(&nobody).quality.is_none());
}

#[test]
fn checkpoints_follow_within_half_the_speech_and_ten_seconds() {
    let steps = CHECKPOINTS.windows(2).map(|pair| (pair[0], pair[1]));
    for (before, after) in steps {
        assert!(
            after > before && after - before <= 10.0 && after <= 1.5 * before,
            "{before} and {after}"
        );
    }
    assert_eq!(CHECKPOINTS.last(), Some(&120.0));
}
