//! The assistant's echo in the caller's channel: where the assistant's own channel is at hand, nobody is known by it.

use voxline::bytes::g711::mulaw_encode;
use voxline::decision::Reason;
use voxline::engine::Asker;
use voxline::switchboard::{CallStart, ClipBytes};
use voxline::verdict::OutcomeName;

use super::calls::start;
use super::{TestDeployment, number};
use crate::support::{Rng, clip, wav};

/// An assistant that has an enrolled user's voice speaks, and then a caller, if any: frames of the caller's channel, in which
/// the assistant comes back a quarter of a second later and 15 dB softer, and of the assistant's. 16 kHz.
fn call(caller: Option<&str>) -> [Vec<f32>; 2] {
    let mut assistant = clip("enrollment_samples/calls/alice-1.wav");
    let mut own = vec![0.0; assistant.len() + 12_000];
    own.extend(caller.map_or_else(Vec::new, |file| clip(&format!("enrollment_samples/{file}"))));
    assistant.resize(own.len(), 0.0);
    for (at, noise) in Rng::new(9).noise(-65.0, own.len()).into_iter().enumerate() {
        own[at] += noise + 0.18 * at.checked_sub(4_000).map_or(0.0, |before| assistant[before]);
    }
    [own, assistant]
}

fn interleaved([own, assistant]: &[Vec<f32>; 2]) -> Vec<f32> {
    own.iter()
        .zip(assistant)
        .flat_map(|(one, other)| [*one, *other])
        .collect()
}

#[tokio::test]
async fn the_echo_of_an_assistant_names_nobody_where_both_channels_are_at_hand() {
    let deployment = TestDeployment::full().await;
    let (alice, robert) = (deployment.people["alice"], deployment.people["robert"]);
    let identified = async |bytes: Vec<u8>, channel: Option<u16>| {
        let permit = deployment.board.admit(Asker::recording(None)).unwrap();
        let recording = ClipBytes::new("call.wav".to_owned(), bytes, None);
        let said = deployment
            .board
            .identify(&permit, &number(1), recording, channel, true)
            .await;
        said.unwrap()
    };
    let (alone, answered) = (call(None), call(Some("calls/robert-1.wav")));
    // Without the other channel it is her voice.
    let said = identified(wav(16_000, 1, &alone[0]), None).await;
    assert_eq!(said.last().unwrap().user_id, Some(alice));
    let said = identified(wav(16_000, 2, &interleaved(&alone)), Some(0)).await;
    let last = said.last().unwrap();
    assert_eq!(
        (last.outcome, last.reason),
        (OutcomeName::Inconclusive, Some(Reason::TooLittleSpeech))
    );
    let said = identified(wav(16_000, 2, &interleaved(&answered)), Some(0)).await;
    assert!(said.iter().all(|one| one.user_id != Some(alice)));
    let last = said.last().unwrap();
    assert_eq!((last.user_id, last.reason), (Some(robert), None));
}

#[tokio::test]
async fn two_channels_name_who_answers_the_assistant_and_not_its_echo() {
    let deployment = TestDeployment::full().await;
    let (alice, robert) = (deployment.people["alice"], deployment.people["robert"]);
    // Every other frame is telephone enough.
    let frames: Vec<f32> = interleaved(&call(Some("calls/robert-1.wav")));
    let octets: Vec<u8> = frames
        .chunks_exact(4)
        .flat_map(|two| [two[0], two[1]])
        .map(|sample| mulaw_encode((sample * 32_767.0) as i16))
        .collect();
    let start = CallStart {
        channels: 2,
        caller_channel: Some(0),
        ..start(number(1))
    };
    let mut call = deployment.board.open_call(start, None).await.unwrap();
    for piece in octets.chunks(1_601) {
        for said in call.push(piece).await.unwrap() {
            assert_ne!(said.identification.user_id, Some(alice));
        }
    }
    assert_eq!(call.finish().await.identification.user_id, Some(robert));
}
