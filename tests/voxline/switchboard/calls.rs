//! Live calls: the same word as on the recording, versions that only rise, and no door left open.

use voxline::bytes::Encoding;
use voxline::bytes::g711::mulaw_encode;
use voxline::decision::Reason;
use voxline::store::Access;
use voxline::switchboard::{BoardError, CallStart, CallVerdict, Update};
use voxline::units::{CallId, DialedNumber, Hertz};
use voxline::verdict::chain::SpeakerReason;
use voxline::verdict::{CHECKPOINTS, OutcomeName};

use super::identifying::{untimed, word};
use super::{TestDeployment, number};
use crate::support::{Rng, at_rate, read, tones};

pub fn start(number: DialedNumber) -> CallStart {
    CallStart {
        call_id: CallId::fresh(),
        number,
        encoding: Encoding::Mulaw,
        rate: Hertz(8_000),
        channels: 1,
        caller_channel: None,
    }
}

/// The octets of a call's WAV file, behind its header.
pub fn octets(file: &str) -> Vec<u8> {
    let bytes = read(&format!("enrollment_samples/{file}"));
    let data = bytes.windows(4).position(|four| four == b"data").unwrap();
    let size = u32::from_le_bytes(bytes[data + 4..data + 8].try_into().unwrap());
    bytes[data + 8..][..size as usize].to_vec()
}

/// Everything that is said of a call whose octets come in pieces.
async fn live(
    deployment: &TestDeployment,
    number: DialedNumber,
    file: &str,
    rng: &mut Rng,
    longest: usize,
) -> Vec<CallVerdict> {
    let mut call = deployment.board.open_call(start(number), None).await.unwrap();
    let mut updates = Vec::new();
    for piece in rng.cut(&octets(file), longest) {
        updates.extend(call.push(piece).await.unwrap());
    }
    updates.push(call.finish().await);
    updates
}

#[tokio::test]
async fn a_live_call_in_any_pieces_ends_in_the_word_on_its_recording() {
    let deployment = TestDeployment::full().await;
    for (line, file) in [
        (1, "calls/alice-1.wav"),
        (2, "calls/helmi-2.wav"),
        (1, "calls/stranger-man.wav"),
        (1, "calls/one-word.wav"),
        (2, "calls/ringback-and-keypad.wav"),
    ] {
        let recorded = word(&deployment.identify(&number(line), file).await);
        let mut first = None;
        for (seed, longest) in [(1, 320), (2, 5_000), (3, 200_000)] {
            let updates = live(&deployment, number(line), file, &mut Rng::new(seed), longest).await;
            let said = untimed(&updates.last().unwrap().identification);
            let first = first.get_or_insert_with(|| said.clone());
            assert_eq!(&said, first, "{file}, pieces to {longest}");
            assert_eq!(word(&updates.last().unwrap().identification), recorded, "{file}");
        }
    }
}

#[tokio::test]
async fn versions_rise_by_one_and_only_the_last_is_final_and_recorded() {
    let deployment = TestDeployment::full().await;
    let operator = Access::operator();
    let mut watched = deployment.board.view(&operator).updates();
    let updates = live(&deployment, number(2), "calls/ivy-1.wav", &mut Rng::new(4), 320).await;
    let versions = updates.iter().map(|update| update.version);
    assert!(updates.len() > 8 && versions.eq(1..=updates.len() as u64));
    let finals = updates.iter().filter(|update| update.identification.is_final);
    assert_eq!(finals.count(), 1);
    let last = updates.last().unwrap();
    assert!(
        last.identification.is_final
            && last.identification.outcome == voxline::verdict::OutcomeName::Identified
    );
    for update in &updates {
        let Update::Call(told) = watched.next().await.unwrap() else {
            panic!("nobody was enrolled")
        };
        assert_eq!(told.version, update.version);
    }
    let record = deployment
        .board
        .store()
        .call(&last.call_id)
        .await
        .unwrap()
        .unwrap();
    assert!(record.is_final && record.version == last.version);
    // Figures went through text and may differ in their last digit.
    let said = serde_json::to_value(&last.identification).unwrap();
    for key in ["outcome", "user_id", "user_name", "net_speech_seconds", "final"] {
        assert_eq!(record.verdict[key], said[key], "{key}");
    }
}

#[tokio::test]
async fn a_phone_handed_over_takes_the_name_along_or_back_and_no_name_flickers() {
    let deployment = TestDeployment::full().await;
    for second in ["robert", "stranger-man"] {
        let files = ["calls/alice-1.wav", "calls/alice-2.wav"];
        let after = match second {
            "robert" => ["calls/robert-1.wav", "calls/robert-2.wav"],
            _ => ["calls/stranger-man.wav"; 2],
        };
        let mut call = deployment.board.open_call(start(number(1)), None).await.unwrap();
        let mut updates = Vec::new();
        for file in files.iter().chain(&after) {
            updates.extend(call.push(&octets(file)).await.unwrap());
        }
        updates.push(call.finish().await);
        let named: Vec<_> = updates
            .iter()
            .map(|update| update.identification.user_id)
            .collect();
        let alice = Some(deployment.people["alice"]);
        assert!(named.contains(&alice), "{second}: the first voice was named");
        let last = &updates.last().unwrap().identification;
        let robert = Some(deployment.people["robert"]);
        let told =
            last.reason == Some(Reason::SeveralVoices) || (second == "robert" && last.user_id == robert);
        assert!(told, "{second}: {:?} {:?}", last.outcome, last.reason);
        assert_eq!(last.quality.unwrap().overlap, Some(true));
        // Once gone, she does not come back.
        let gone = named
            .iter()
            .skip_while(|user| **user != alice)
            .skip_while(|user| **user == alice);
        assert!(!gone.copied().any(|user| user == alice), "{second}: {named:?}");
    }
}

/// Six keys, as a caller presses them.
fn keys() -> Vec<u8> {
    let key = [tones(&[770.0, 1_336.0], 0.2, 3_200), vec![0.0; 1_920]].concat();
    let narrow = at_rate(&key.repeat(6), 8_000);
    let octet = |sample: &f32| mulaw_encode((sample * 32_767.0) as i16);
    narrow.iter().map(octet).collect()
}

/// Everything that is said of a call that begins with some octets, which Alice speaks on for so many rounds of two
/// recordings, and that another may go on with.
async fn long_call(
    deployment: &TestDeployment,
    before: &[u8],
    rounds: usize,
    then: &[&str],
) -> Vec<CallVerdict> {
    let mut call = deployment.board.open_call(start(number(1)), None).await.unwrap();
    let mut updates = call.push(before).await.unwrap();
    let alice = ["calls/alice-1.wav", "calls/alice-2.wav"].repeat(rounds);
    for file in alice.iter().chain(then) {
        updates.extend(call.push(&octets(file)).await.unwrap());
    }
    updates.push(call.finish().await);
    updates
}

#[tokio::test]
async fn after_a_handover_the_first_name_falls_within_seven_seconds() {
    let deployment = TestDeployment::full().await;
    let alice = Some(deployment.people["alice"]);
    for (before, rounds) in [(Vec::new(), 2), (Vec::new(), 12), (keys(), 2)] {
        let net = |update: &CallVerdict| update.identification.net_speech_seconds;
        let alone = long_call(&deployment, &before, rounds, &[]).await;
        let handed_on = net(alone.last().unwrap());
        let stranger = ["calls/stranger-man.wav"; 2];
        let said = long_call(&deployment, &before, rounds, &stranger).await;
        let snr = |update: &CallVerdict| update.identification.quality.and_then(|heard| heard.snr_db);
        assert!(
            said.iter().filter_map(snr).all(|snr| snr > 15.0),
            "keys are no noise"
        );
        let hers = |update: &&CallVerdict| update.identification.user_id == alice;
        let still = said.iter().rposition(|update| hers(&update)).unwrap();
        let fell = net(&said[still + 1]);
        assert!(
            handed_on < fell && fell <= handed_on + 7.0,
            "{rounds} rounds: {handed_on}, {fell}"
        );
    }
}

#[tokio::test]
async fn one_voice_keeps_its_name_for_minutes_and_idle_checks_say_nothing() {
    let deployment = TestDeployment::full().await;
    let updates = long_call(&deployment, &[], 16, &[]).await;
    let alice = Some(deployment.people["alice"]);
    let mut named = updates
        .iter()
        .skip_while(|update| update.identification.outcome != OutcomeName::Identified);
    assert!(named.clone().count() > 10 && named.all(|update| update.identification.user_id == alice));
    assert!(updates.last().unwrap().identification.net_speech_seconds > 150.0);
    assert!(updates.len() <= CHECKPOINTS.len() + 3, "{} words", updates.len());
}

#[tokio::test]
async fn an_open_call_holds_a_permit_and_a_finished_or_dropped_one_does_not() {
    let deployment = TestDeployment::full_with(&[("inference.capacity", "1")]).await;
    let open = deployment.board.open_call(start(number(1)), None).await.unwrap();
    let refused = deployment.board.open_call(start(number(1)), None).await;
    let Err(fault @ BoardError::Busy(_)) = refused else {
        panic!("a call beyond the capacity was opened")
    };
    assert!(fault.retry_after().is_some());
    let said = open.finish().await;
    assert_eq!(said.identification.reason, Some(Reason::TooLittleSpeech));
    let open = deployment.board.open_call(start(number(1)), None).await.unwrap();
    drop(open);
    assert!(deployment.board.open_call(start(number(1)), None).await.is_ok());
}

#[tokio::test]
async fn a_pause_gives_the_place_back_and_changes_no_word() {
    let deployment = TestDeployment::full_with(&[("inference.capacity", "1")]).await;
    let board = &deployment.board;
    let octets = octets("calls/alice-1.wav");
    for heard in [16_000, octets.len()] {
        let (before, after) = octets[..heard].split_at(heard - 4_000);
        let mut whole = board.open_call(start(number(1)), None).await.unwrap();
        whole.push(before).await.unwrap();
        whole.push(after).await.unwrap();
        let whole = whole.finish().await.identification;

        let mut paused = board.open_call(start(number(1)), None).await.unwrap();
        paused.push(before).await.unwrap();
        paused.pause();
        assert!(paused.push(after).await.unwrap().is_empty(), "nobody listens");
        drop(board.open_call(start(number(1)), None).await.unwrap());
        board.resume(&mut paused).await.unwrap();
        paused.push(after).await.unwrap();
        // And the caller hangs up while on hold.
        paused.pause();
        let last = board.finish_call(paused).await;
        assert!(last.ended);
        let last = last.identification;
        assert_eq!(
            (last.outcome, last.user_id, last.net_speech_seconds),
            (whole.outcome, whole.user_id, whole.net_speech_seconds)
        );
    }
    let mut paused = board.open_call(start(number(1)), None).await.unwrap();
    paused.push(&octets).await.unwrap();
    paused.pause();
    // The caller hangs up, and there is no place.
    let _other = board.open_call(start(number(1)), None).await.unwrap();
    let last = board.finish_call(paused).await;
    assert_eq!(
        last.identification.user_id,
        Some(deployment.people["alice"]),
        "the latest word is the last"
    );
    assert!(last.ended);
}

#[tokio::test]
async fn a_call_with_no_place_is_unavailable_until_there_is_one() {
    let deployment = TestDeployment::full_with(&[("inference.capacity", "1")]).await;
    let board = &deployment.board;
    let open = board.open_call(start(number(1)), None).await.unwrap();
    let announced = start(number(1));
    let known = board.call_session(&announced.call_id, &number(1)).await.unwrap();
    known.hold_open();
    assert_eq!(
        known.verdict().identification.reason,
        Some(Reason::TooLittleSpeech)
    );
    let elsewhere = CallStart {
        number: number(2),
        ..announced.clone()
    };
    assert!(matches!(
        board.open_call(elsewhere, None).await,
        Err(BoardError::Busy(_))
    ));
    assert_eq!(
        known.verdict().version,
        0,
        "who names another number says nothing of it"
    );
    for _ in 0..2 {
        let refused = board.open_call(announced.clone(), None).await;
        assert!(matches!(refused, Err(BoardError::Busy(_))));
        let mut latest = known.watch();
        let said = latest.wait_for(|said| said.version > 0).await.unwrap().clone();
        assert_eq!((said.version, said.ended), (1, false), "said once");
        assert_eq!(said.identification.outcome, OutcomeName::Inconclusive);
        assert_eq!(said.identification.reason, Some(Reason::Unavailable));
        let unavailable = Some(SpeakerReason::Voice(Reason::Unavailable));
        assert_eq!(said.identity.speaker.reason, unavailable);
    }
    open.finish().await;
    let mut opened = board.open_call(announced, None).await.unwrap();
    assert_eq!(known.verdict().version, 1, "said once");
    let mut said = Vec::new();
    for second in octets("calls/alice-1.wav").chunks(8_000) {
        said.extend(opened.push(second).await.unwrap());
    }
    said.push(opened.finish().await);
    assert_eq!(
        known.verdict().identification.user_id,
        Some(deployment.people["alice"])
    );
}

#[tokio::test]
async fn a_call_to_no_number_of_ours_or_in_no_shape_is_not_opened() {
    let deployment = TestDeployment::full().await;
    let nowhere = deployment.board.open_call(start(number(9)), None).await;
    assert!(matches!(nowhere, Err(BoardError::UnknownNumber(_))));
    let stereo = CallStart {
        channels: 2,
        ..start(number(1))
    };
    let unsaid = deployment.board.open_call(stereo, None).await;
    assert!(matches!(unsaid, Err(BoardError::Shape { .. })));
    let slow = CallStart {
        rate: Hertz(4_000),
        ..start(number(1))
    };
    assert!(matches!(
        deployment.board.open_call(slow, None).await,
        Err(BoardError::Shape { .. })
    ));
    assert_eq!(
        deployment.board.engine().load().0,
        0,
        "a refused call keeps no permit"
    );
}

#[tokio::test]
async fn a_call_that_outlasts_the_limit_is_ended_with_the_limit_named() {
    let deployment = TestDeployment::full_with(&[("limits.call_minutes", "0.1")]).await;
    let mut call = deployment.board.open_call(start(number(1)), None).await.unwrap();
    let second = [0xFF; 8_000];
    let mut fault = None;
    for _ in 0..10 {
        fault = call.push(&second).await.err();
        if fault.is_some() {
            break;
        }
    }
    assert!(matches!(fault, Some(BoardError::CallTooLong { .. })));
}

#[tokio::test]
async fn a_gallery_out_of_reach_ends_no_live_call() {
    let deployment = TestDeployment::full_with(&[
        ("gallery.backend", "qdrant"),
        ("gallery.qdrant_url", "http://127.0.0.1:9"),
        ("gallery.qdrant_timeout_seconds", "0.2"),
    ])
    .await;
    let updates = live(
        &deployment,
        number(1),
        "calls/alice-1.wav",
        &mut Rng::new(6),
        8_000,
    )
    .await;
    assert!(updates.len() > 3);
    for update in updates {
        let said = update.identification;
        assert_eq!(said.outcome, OutcomeName::Inconclusive);
        assert_eq!((said.reason, said.user_id), (Some(Reason::Unavailable), None));
    }
}
