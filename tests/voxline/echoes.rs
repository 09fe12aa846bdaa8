//! Laws of the echo's gate: what comes back of the other side is silenced, and nothing else is.

use voxline::samples::EchoGate;

use crate::support::{Rng, at_16k, clip};

/// What comes out of the gate of two channels that come in pieces.
fn gated(caller: &[f32], other: &[f32], rng: &mut Rng, longest: usize) -> Vec<f32> {
    let (mut gate, mut out) = (EchoGate::new(), Vec::new());
    let mut others = other;
    for piece in rng.cut(caller, longest) {
        let (next, rest) = others.split_at(piece.len());
        gate.push(piece, next, &mut out);
        others = rest;
    }
    gate.finish(&mut out);
    assert_eq!(out.len(), caller.len(), "nothing is dropped");
    out
}

/// Somebody's speech, as long as this.
fn speech(file: &str, seconds: f64) -> Vec<f32> {
    let whole = clip(&format!("enrollment_samples/{file}"));
    whole.into_iter().cycle().take(at_16k(seconds)).collect()
}

/// `sound` so much later and softer, with what a small room adds.
fn echo(sound: &[f32], milliseconds: usize, decibels: f32) -> Vec<f32> {
    let gain = 10f32.powf(decibels / 20.0);
    let mut out = vec![0.0; sound.len()];
    for (late, share) in [(0, 1.0), (37, -0.4), (91, 0.3), (160, 0.2)] {
        let delay = milliseconds * 16 + late;
        for (at, sample) in sound.iter().enumerate().take(sound.len() - delay) {
            out[at + delay] += gain * share * sample;
        }
    }
    out
}

fn sum(channels: &[&[f32]]) -> Vec<f32> {
    let at = |at: usize| channels.iter().map(|channel| channel[at]).sum();
    (0..channels[0].len()).map(at).collect()
}

fn energy(samples: &[f32]) -> f64 {
    samples.iter().map(|sample| f64::from(*sample).powi(2)).sum()
}

#[test]
fn an_echo_is_silenced_and_what_follows_it_stays_to_the_bit() {
    let mut rng = Rng::new(3);
    for (assistant, caller) in [
        ("calls/walter-1.wav", "calls/alice-1.wav"),
        ("calls/helmi-1.wav", "calls/robert-1.wav"),
    ] {
        for (milliseconds, decibels) in [(100, -10.0), (250, -20.0), (400, -20.0), (180, -30.0)] {
            // The assistant speaks for 8 s, and after a second the caller does.
            let silence = vec![0.0; at_16k(9.0)];
            let other = [&speech(assistant, 8.0)[..], &vec![0.0; at_16k(9.0)]].concat();
            let own = [&silence[..], &speech(caller, 8.0)].concat();
            let noise = rng.noise(-70.0, own.len());
            let back = echo(&other, milliseconds, decibels);
            let heard = sum(&[&own, &noise, &back]);
            let out = gated(&heard, &other, &mut rng, 5_000);
            let turn = at_16k(9.5);
            assert_eq!(out[turn..], heard[turn..], "{milliseconds} ms, {decibels} dB");
            // After the half second in which it is found.
            let (from, until) = (at_16k(1.0), at_16k(8.5));
            let left = energy(&out[from..until]) / energy(&heard[from..until]);
            assert!(left < 0.2, "{milliseconds} ms, {decibels} dB: {left} is left");
        }
    }
}

#[test]
fn two_who_speak_at_once_and_one_sound_on_both_channels_stay_as_they_are() {
    let mut rng = Rng::new(4);
    let (own, other) = (
        speech("calls/alice-1.wav", 12.0),
        speech("calls/walter-1.wav", 12.0),
    );
    let out = gated(&own, &other, &mut rng, 5_000);
    let silenced = energy(&sum(&[
        &own,
        &out.iter().map(|sample| -sample).collect::<Vec<_>>(),
    ]));
    assert!(silenced < 0.02 * energy(&own), "{}", silenced / energy(&own));
    for gain in [1.0, 0.1] {
        let noise = rng.noise(-75.0, own.len());
        let copy: Vec<f32> = own.iter().map(|sample| gain * sample).collect();
        let copy = sum(&[&copy, &noise]);
        assert_eq!(gated(&copy, &own, &mut rng, 5_000), copy, "{gain}");
    }
    // The caller's echo in the other channel is not the other's in the caller's.
    let back = echo(&own, 200, -15.0);
    assert_eq!(gated(&own, &back, &mut rng, 5_000), own);
}

#[test]
fn what_comes_out_is_the_same_however_it_was_cut() {
    let mut rng = Rng::new(5);
    let other = speech("calls/walter-1.wav", 6.0);
    let heard = sum(&[&echo(&other, 150, -12.0), &rng.noise(-70.0, other.len())]);
    let whole = gated(&heard, &other, &mut rng, usize::MAX / 2);
    for longest in [37, 1_600, 40_000] {
        assert_eq!(gated(&heard, &other, &mut rng, longest), whole);
    }
    for length in [0, 1, 2_047, 2_048, 6_143, 6_144, 6_145] {
        assert_eq!(
            gated(&heard[..length], &other[..length], &mut rng, 500).len(),
            length
        );
    }
}
