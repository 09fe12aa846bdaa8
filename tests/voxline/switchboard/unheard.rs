//! Calls that nobody hears any more, or did not for a while, and words that were taken back.

use std::sync::Arc;
use std::time::Duration;

use voxline::decision::Reason;
use voxline::store::UserPatch;
use voxline::switchboard::{CallSession, LiveCall};
use voxline::verdict::OutcomeName;

use super::call_sessions::{case, heard, three};
use super::calls::{octets, start};
use super::{TestDeployment, number};

const ALICE: [&str; 2] = ["calls/alice-1.wav", "calls/alice-2.wav"];

/// A call that Alice was named on and that is silent now, so that its place is free.
async fn named_and_paused(deployment: &TestDeployment) -> (LiveCall, Arc<CallSession>) {
    let mut call = deployment.board.open_call(start(number(1)), None).await.unwrap();
    let call_session = Arc::clone(call.call_session());
    for file in ALICE {
        call.push(&octets(file)).await.unwrap();
    }
    let speaker = call_session.verdict().identity.speaker.user_id;
    assert_eq!(speaker, Some(deployment.people["alice"]));
    call.pause();
    (call, call_session)
}

#[tokio::test]
async fn who_was_named_is_not_while_nobody_hears_and_is_again_once_heard() {
    let deployment = TestDeployment::full_with(&[("inference.capacity", "1")]).await;
    let (board, alice) = (&deployment.board, Some(deployment.people["alice"]));
    let (mut call, call_session) = named_and_paused(&deployment).await;
    call_session.hold_open();
    let other = board.open_call(start(number(1)), None).await.unwrap();
    let speaker = || call_session.verdict().identity.speaker.user_id;
    assert_eq!(speaker(), alice, "silence takes no name back");

    board.resume(&mut call).await.unwrap();
    assert!(call.is_paused(), "there is no place");
    assert!(call.push(&octets(ALICE[0])).await.unwrap().is_empty());
    let mut latest = call_session.watch();
    let said = latest.wait_for(|said| said.identification.reason == Some(Reason::Unavailable));
    let said = said.await.unwrap().clone();
    assert_eq!(
        (said.identification.user_id, said.identity.speaker.user_id),
        (None, None)
    );
    let net = said.identification.net_speech_seconds;
    assert!(net > 3.0 && !said.ended, "what was measured stays: {net} s");

    drop(other);
    while call.is_paused() {
        tokio::time::sleep(Duration::from_millis(100)).await;
        board.resume(&mut call).await.unwrap();
    }
    // Whoever has the phone now is named by what they say.
    let again = octets(ALICE[0]);
    let (first, rest) = again.split_at(8_000);
    call.push(first).await.unwrap();
    assert_eq!(speaker(), None, "a second of it is too little");
    call.push(rest).await.unwrap();
    call.push(&octets(ALICE[1])).await.unwrap();
    assert_eq!(speaker(), alice);
}

#[tokio::test]
async fn a_call_whose_last_speech_nobody_heard_ends_without_a_name() {
    let deployment = TestDeployment::full_with(&[("inference.capacity", "1")]).await;
    let board = &deployment.board;
    let (mut call, _) = named_and_paused(&deployment).await;
    let other = board.open_call(start(number(1)), None).await.unwrap();
    board.resume(&mut call).await.unwrap();
    assert!(call.is_paused());
    // By its end there is a place again: to hear nothing but what was heard before.
    drop(other);
    let last = board.finish_call(call).await;
    assert!(last.ended);
    assert_eq!(last.identification.reason, Some(Reason::Unavailable));
    assert_eq!(last.identity.speaker.user_id, None);
    let record = board.call_record(&last.call_id).await.unwrap().unwrap();
    assert!(record.is_final && record.verdict["user_id"].is_null());
}

#[tokio::test]
async fn a_second_stream_that_finds_no_place_takes_the_name_back() {
    let deployment = TestDeployment::full_with(&[("inference.capacity", "1")]).await;
    let board = &deployment.board;
    let begun = start(number(1));
    let mut first = board.open_call(begun.clone(), None).await.unwrap();
    let call_session = Arc::clone(first.call_session());
    call_session.hold_open();
    for file in ALICE {
        first.push(&octets(file)).await.unwrap();
    }
    assert!(first.finish().await.identity.speaker.user_id.is_some());
    let _other = board.open_call(start(number(1)), None).await.unwrap();
    assert!(board.open_call(begun, None).await.is_err());
    let mut latest = call_session.watch();
    let said = latest.wait_for(|said| said.identification.reason == Some(Reason::Unavailable));
    assert_eq!(said.await.unwrap().identity.speaker.user_id, None);
}

#[tokio::test]
async fn nobody_is_named_where_a_later_stream_cannot_be_heard() {
    let (deployment, [alice, ..]) = three().await;
    let call = case(&deployment.board, &number(1)).await;
    let said = |outcome, user, seconds| {
        let mut said = heard(&number(1), outcome, user, 8.0);
        said.net_speech_seconds = seconds;
        said
    };
    let named = call
        .heard(said(OutcomeName::Identified, Some(alice), 600.0))
        .await;
    assert_eq!(named.identity.speaker.user_id, Some(alice));
    let mut unavailable = said(OutcomeName::Inconclusive, None, 3.0);
    unavailable.reason = Some(Reason::Unavailable);
    let unheard = call.heard(unavailable).await;
    assert_eq!(unheard.identity.speaker.user_id, None);
    let again = call.heard(said(OutcomeName::Identified, Some(alice), 4.0)).await;
    assert_eq!(again.identity.speaker.user_id, Some(alice));
}

/// After two minutes of speech there are no marks any more, and nothing but checks of windows.
#[tokio::test]
async fn who_is_taken_off_a_number_and_put_back_is_named_again() {
    let deployment = TestDeployment::full().await;
    let (board, alice) = (&deployment.board, deployment.people["alice"]);
    let mut call = board.open_call(start(number(1)), None).await.unwrap();
    let call_session = Arc::clone(call.call_session());
    for file in ALICE.repeat(16) {
        call.push(&octets(file)).await.unwrap();
    }
    let named = || {
        let said = call_session.verdict();
        (said.identification.user_id, said.identity.speaker.user_id)
    };
    assert_eq!(named(), (Some(alice), Some(alice)));
    for line in [2, 1] {
        let patch = UserPatch {
            numbers: Some(vec![number(line)]),
            ..UserPatch::default()
        };
        board.update_user(alice, patch).await.unwrap();
        assert_eq!(named(), (None, None), "on number {line}");
    }
    call.push(&octets(ALICE[0])).await.unwrap();
    assert_eq!(named(), (Some(alice), Some(alice)));
}
