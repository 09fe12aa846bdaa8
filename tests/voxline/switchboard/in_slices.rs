//! Nobody on the line waits for all that somebody else sent at once.

use std::sync::{Arc, Mutex};

use tokio::task::JoinHandle;
use voxline::bytes::Encoding;
use voxline::switchboard::{Agreement, EnrolmentStart, LiveCall};
use voxline::units::{Hertz, UserId};

use super::calls::start;
use super::{TestDeployment, number};
use crate::support::clip;

/// What has come to an end, in order.
type Ended = Arc<Mutex<Vec<&'static str>>>;

/// Begins some work beside the test. The test's one thread begins what was given to it first, so its job is queued first.
fn beside(
    ended: &Ended,
    name: &'static str,
    work: impl Future<Output = ()> + Send + 'static,
) -> JoinHandle<()> {
    let ended = Arc::clone(ended);
    tokio::spawn(async move {
        work.await;
        ended.lock().unwrap().push(name);
    })
}

fn enrolment(user: UserId, encoding: Encoding, rate: u32) -> EnrolmentStart {
    EnrolmentStart {
        user,
        // With this nothing is read from the store after the recording was heard.
        agreement: Agreement {
            allow_other_voice: true,
            ..Agreement::from("I agree.")
        },
        encoding,
        rate: Hertz(rate),
        channels: 1,
        channel: None,
    }
}

/// Has a tenth of a second pushed into a call beside minutes that are pushed elsewhere, and that the call does not wait for these.
async fn a_piece_is_heard_before(mut call: LiveCall, minutes: impl Future<Output = ()> + Send + 'static) {
    let ended = Ended::default();
    let works = [
        beside(&ended, "minutes", minutes),
        beside(&ended, "a piece", async move {
            call.push(&[0xFF; 800]).await.unwrap();
        }),
    ];
    for work in works {
        work.await.unwrap();
    }
    assert_eq!(*ended.lock().unwrap(), ["a piece", "minutes"]);
}

/// Two minutes of nothing, as mu-law.
fn minutes() -> Vec<u8> {
    vec![0xFF; 1 << 20]
}

#[tokio::test]
async fn a_frame_of_minutes_keeps_no_other_call_waiting() {
    let deployment = TestDeployment::empty().await;
    let mut long = deployment.board.open_call(start(number(1)), None).await.unwrap();
    let short = deployment.board.open_call(start(number(1)), None).await.unwrap();
    a_piece_is_heard_before(short, async move {
        long.push(&minutes()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn nor_does_one_of_somebody_who_enrols() {
    let mut deployment = TestDeployment::empty().await;
    let alice = deployment.add("alice").await;
    let started = enrolment(alice, Encoding::Mulaw, 8_000);
    let mut long = deployment.board.open_enrolment(started, None).await.unwrap();
    let short = deployment.board.open_call(start(number(1)), None).await.unwrap();
    a_piece_is_heard_before(short, async move {
        long.push(&minutes()).await.unwrap();
    })
    .await;
}

#[tokio::test]
async fn the_end_of_a_long_enrolment_keeps_no_call_waiting() {
    let mut deployment = TestDeployment::empty().await;
    let alice = deployment.add("alice").await;
    let started = enrolment(alice, Encoding::PcmS16le, 16_000);
    let mut long = deployment.board.open_enrolment(started, None).await.unwrap();
    // A minute and a half of speech, of which the speaker model hears half a minute at a time; several people are refused
    // without a look at anybody else's voice.
    for voice in ["alice", "robert", "walter", "nuria", "fergus", "helmi"] {
        for take in 1..=3 {
            let spoken = clip(&format!("enrollment_samples/signup/{voice}/{take}.flac"));
            let words = spoken.iter().map(|sample| (sample * 32_767.0) as i16);
            let bytes: Vec<u8> = words.flat_map(i16::to_le_bytes).collect();
            long.push(&bytes).await.unwrap();
        }
    }
    let mut short = deployment.board.open_call(start(number(1)), None).await.unwrap();
    let ended = Ended::default();
    let works = [
        beside(&ended, "enrolment", async move {
            assert!(!long.judge().await.unwrap().accepted);
        }),
        beside(&ended, "two pieces", async move {
            for _ in 0..2 {
                short.push(&[0xFF; 800]).await.unwrap();
            }
        }),
    ];
    for work in works {
        work.await.unwrap();
    }
    assert_eq!(*ended.lock().unwrap(), ["two pieces", "enrolment"]);
}
