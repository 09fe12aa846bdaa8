//! A call under way while the model is exchanged: what was last heard counts, and what was said long ago does not come back.

use voxline::engine::Analyst;
use voxline::units::Hertz;
use voxline::verdict::{CHECKPOINTS, StreamSession};
use voxline::voiceprint::ModelId;

use super::{cosine, last, print, whole};
use crate::support::{clip, provisioned, runtime, wav};

const FIRST: &str = "enrollment_samples/calls/alice-1.wav";
const SECOND: &str = "enrollment_samples/calls/robert-1.wav";

/// The models of one thread with this speaker model.
fn analyst_of(model: &str) -> Analyst {
    let found = provisioned();
    let card = found.card(&ModelId::new(model)).unwrap();
    Analyst::load(&runtime(), &found.models(&card).unwrap()).unwrap()
}

/// Has so many seconds of speech more be said, the same words again and again.
fn say(session: &mut StreamSession, analyst: &mut Analyst, file: &str, seconds: f64) {
    let until = session.net_speech().get() + seconds;
    while session.net_speech().get() < until {
        session.push(analyst, &clip(file)).unwrap();
    }
}

#[test]
fn by_another_model_the_latest_speech_is_heard_and_not_the_first() {
    let (mut before, mut after) = (analyst_of("voxline-phone-2"), analyst_of("voxline-phone-3"));
    let voices = [FIRST, SECOND].map(|file| {
        let heard = whole(&mut after, wav(16_000, 1, &clip(file)), &[]);
        print(last(&heard)).embedding.clone()
    });
    for goes_on in [false, true] {
        let mut session = StreamSession::new(Hertz(16_000), 1, None, CHECKPOINTS).unwrap();
        say(&mut session, &mut before, FIRST, 25.0);
        say(&mut session, &mut before, SECOND, 30.0);
        let (heard, embedded) = (session.net_speech().get(), after.extractor.embedded().get());
        let mut checkpoints = Vec::new();
        if goes_on {
            for second in clip(SECOND).chunks(16_000) {
                checkpoints.extend(session.push(&mut after, second).unwrap());
            }
            assert!(!checkpoints.is_empty());
        }
        checkpoints.push(session.finish(&mut after).unwrap());
        for checkpoint in &checkpoints {
            let print = print(checkpoint);
            assert_eq!(print.model, *after.extractor.card().id());
            let [first, second] = voices.each_ref().map(|voice| cosine(&print.embedding, voice));
            assert!(
                second > first + 0.2,
                "{first} to the first, {second} to the second"
            );
            let of = print.net_speech.get();
            assert!(
                of <= checkpoint.net_speech.get() - heard + 2.0 * 1.6 + 1.6,
                "of {of} s"
            );
        }
        let embedded = after.extractor.embedded().get() - embedded;
        assert!(embedded < 20.8, "{embedded} s: what is kept is not embedded anew");
    }
}

#[test]
fn a_call_that_is_all_kept_is_heard_again_by_another_model() {
    let (mut before, mut after) = (analyst_of("voxline-phone-2"), analyst_of("voxline-phone-3"));
    let mut session = StreamSession::new(Hertz(16_000), 1, None, CHECKPOINTS).unwrap();
    say(&mut session, &mut before, FIRST, 8.0);
    let exchanged = session.finish(&mut after).unwrap();
    let mut session = StreamSession::new(Hertz(16_000), 1, None, CHECKPOINTS).unwrap();
    say(&mut session, &mut after, FIRST, 8.0);
    let alone = session.finish(&mut after).unwrap();
    assert_eq!(exchanged.windows, alone.windows);
    let cosine = cosine(&print(&exchanged).embedding, &print(&alone).embedding);
    assert!(cosine > 0.97, "{cosine}");
}
