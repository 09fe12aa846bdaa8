//! Cases: one verdict a call, whatever brings the news and in whichever order.

use std::sync::Arc;
use std::time::Duration;

use voxline::decision::Reason;
use voxline::evidence::{CallFacts, CallerNumber, Place, Source};
use voxline::store::{NewUser, Pin, Store};
use voxline::switchboard::{BoardError, CallSession, CallVerdict, Identification, PinAnswer, Switchboard};
use voxline::units::{CallId, DialedNumber, Llr, PhoneNumber, UserId};
use voxline::verdict::OutcomeName;
use voxline::verdict::chain::EvidenceSource::{Keypad, Tool};
use voxline::verdict::chain::{OwnerStatus, SpeakerAgreement, SpeakerReason, SpeakerStatus, Tier};
use voxline::voiceprint::ModelId;

use super::{TestDeployment, number, open};

pub fn phone(line: usize) -> PhoneNumber {
    format!("+1415555{:04}", 2_000 + line).parse().unwrap()
}

pub fn person(name: &str, number: &DialedNumber, line: usize, pin: Option<&str>) -> NewUser {
    NewUser {
        name: name.to_owned(),
        number: number.clone(),
        phones: vec![phone(line)],
        pin: pin.map(|digits| digits.parse::<Pin>().unwrap()),
        exclusive: false,
    }
}

pub fn forwarded_by(line: usize) -> CallFacts {
    let mut facts = CallFacts {
        source: Source::Telnyx,
        trusted: true,
        ..CallFacts::default()
    };
    facts.add_forwarding(
        Place::Diversion,
        format!("<sip:{}@h>;reason=unconditional", phone(line).as_e164()),
    );
    facts
}

pub fn called_by(line: usize) -> CallFacts {
    CallFacts {
        source: Source::Twilio,
        trusted: true,
        caller: Some(CallerNumber::Known(phone(line))),
        ..CallFacts::default()
    }
}

pub async fn case(board: &Arc<Switchboard>, number: &DialedNumber) -> Arc<CallSession> {
    board.call_session(&CallId::fresh(), number).await.unwrap()
}

pub fn heard(number: &DialedNumber, outcome: OutcomeName, user: Option<UserId>, llr: f64) -> Identification {
    let mut said = Identification::inconclusive(
        number.clone(),
        ModelId::new("m"),
        "c".to_owned(),
        Reason::TooLittleSpeech,
    );
    (said.outcome, said.user_id, said.reason) = (outcome, user, None);
    said.net_speech_seconds = 3.0;
    said.llrs = user
        .map(|user| (user, Llr::new(llr).unwrap()))
        .into_iter()
        .collect();
    said
}

/// What a verdict comes to, without times and versions.
pub fn word(verdict: &CallVerdict) -> (OwnerStatus, Option<UserId>, SpeakerStatus, Option<UserId>) {
    let identity = &verdict.identity;
    (
        identity.line_owner.status,
        identity.line_owner.user_id,
        identity.speaker.status,
        identity.speaker.user_id,
    )
}

/// A house with Alice (phone 1, PIN 4821) and Bob (phone 2) on the first number, and Carl (phone 3) on the second.
pub async fn three() -> (TestDeployment, [UserId; 3]) {
    let deployment = TestDeployment::empty().await;
    let store = deployment.board.store();
    let alice = store
        .add_user(person("Alice", &number(1), 1, Some("4821")))
        .await
        .unwrap()
        .id;
    let bob = store
        .add_user(person("Bob", &number(1), 2, None))
        .await
        .unwrap()
        .id;
    let carl = store
        .add_user(person("Carl", &number(2), 3, None))
        .await
        .unwrap()
        .id;
    (deployment, [alice, bob, carl])
}

#[tokio::test]
async fn news_in_any_order_come_to_one_word_and_versions_only_rise() {
    let (deployment, [alice, bob, _]) = three().await;
    let one = case(&deployment.board, &number(1)).await;
    one.learn(&forwarded_by(1)).await;
    one.learn(&called_by(2)).await;
    one.heard(heard(&number(1), OutcomeName::Identified, Some(bob), 8.0))
        .await;
    let other = case(&deployment.board, &number(1)).await;
    let mut versions = vec![other.verdict().version];
    versions.push(
        other
            .heard(heard(&number(1), OutcomeName::Identified, Some(bob), 8.0))
            .await
            .version,
    );
    versions.push(other.learn(&called_by(2)).await.version);
    versions.push(other.learn(&forwarded_by(1)).await.version);
    let again = other.learn(&forwarded_by(1)).await;
    assert_eq!(again.version, versions[3], "the same news a second time are none");
    assert!(versions.windows(2).all(|pair| pair[0] < pair[1]), "{versions:?}");
    assert_eq!(word(&one.verdict()), word(&other.verdict()));
    assert_eq!(one.verdict().identity.line_owner.user_id, Some(alice));
    assert_eq!(one.verdict().identity.agreement, SpeakerAgreement::Different);
    let kinds: Vec<_> = again
        .identity
        .evidence
        .iter()
        .map(|item| (item.tier, item.kind.name()))
        .collect();
    assert_eq!(
        kinds,
        [
            (Tier::T1, "diversion"),
            (Tier::T2, "caller_number"),
            (Tier::T5, "voice")
        ]
    );
}

/// After a restart, a carrier's reconnect, or at another node: the phone may have been handed on meanwhile.
#[tokio::test]
async fn a_stream_opened_again_takes_an_older_ones_name_back_once_it_is_sure() {
    let (deployment, [alice, bob, _]) = three().await;
    let number = number(1);
    let said = |outcome, user, seconds, llr| {
        let mut said = heard(&number, outcome, user, 8.0);
        said.net_speech_seconds = seconds;
        if outcome == OutcomeName::Inconclusive {
            said.reason = Some(Reason::Ambiguous);
            said.llrs = vec![(alice, Llr::new(llr).unwrap())];
        }
        said
    };
    let (inconclusive, named) = (OutcomeName::Inconclusive, OutcomeName::Identified);
    for (next, name) in [
        (said(inconclusive, None, 3.0, -2.0), Some(alice)),
        (said(inconclusive, None, 12.0, 2.0), Some(alice)),
        (said(inconclusive, None, 12.0, -2.0), None),
        (said(OutcomeName::Unknown, None, 3.0, 0.0), None),
        (said(named, Some(bob), 4.0, 0.0), Some(bob)),
    ] {
        let call = case(&deployment.board, &number).await;
        call.heard(said(named, Some(alice), 600.0, 0.0)).await;
        let (_, _, _, speaker) = word(&call.heard(next.clone()).await);
        assert_eq!(
            speaker, name,
            "{:?} after {} s",
            next.outcome, next.net_speech_seconds
        );
    }
    let spoofed = Identification {
        reason: Some(Reason::Spoofed),
        llrs: Vec::new(),
        ..said(inconclusive, None, 3.0, 0.0)
    };
    let call = case(&deployment.board, &number).await;
    call.heard(said(named, Some(alice), 600.0, 0.0)).await;
    assert_eq!(word(&call.heard(spoofed).await).3, None);
    // A name that a PIN made together with the voice.
    for next in [
        said(OutcomeName::Unknown, None, 3.0, 0.0),
        said(inconclusive, None, 12.0, -4.0),
    ] {
        let call = case(&deployment.board, &number).await;
        call.heard(said(inconclusive, None, 600.0, 3.0)).await;
        call.try_pin("4821", Tool).await;
        let before = word(&call.verdict());
        assert_eq!((before.2, before.3), (SpeakerStatus::Identified, Some(alice)));
        let after = word(&call.heard(next.clone()).await);
        assert_ne!(after.2, SpeakerStatus::Identified, "{:?}", next.outcome);
    }
}

#[tokio::test]
async fn evidence_shows_no_number_and_equal_numbers_have_equal_hashes() {
    let (deployment, _) = three().await;
    let (one, other) = (
        case(&deployment.board, &number(1)).await,
        case(&deployment.board, &number(1)).await,
    );
    let first = one.learn(&forwarded_by(1)).await;
    let second = other.learn(&called_by(1)).await;
    let hash = |verdict: &CallVerdict| verdict.identity.evidence[0].value_hash.clone().unwrap();
    assert_eq!((hash(&first), hash(&first).len()), (hash(&second), 32));
    assert!(!serde_json::to_string(&*first).unwrap().contains("5552001"));
}

#[tokio::test]
async fn a_users_number_is_nobodys_on_another_number() {
    let (deployment, _) = three().await;
    let case = case(&deployment.board, &number(1)).await;
    let verdict = case.learn(&forwarded_by(3)).await;
    assert_eq!(verdict.identity.line_owner.status, OwnerStatus::Unknown);
    let item = &verdict.identity.evidence[0];
    assert_eq!(item.user_id, None);
    assert!(item.note.as_deref().unwrap().contains("nobody's on the roster"));
}

#[tokio::test]
async fn the_end_of_the_audio_ends_the_call_unless_it_is_held_open() {
    let (deployment, [alice, ..]) = three().await;
    let last = |user| Identification {
        is_final: true,
        ..heard(&number(1), OutcomeName::Identified, user, 8.0)
    };
    let plain = case(&deployment.board, &number(1)).await;
    plain.heard(last(Some(alice))).await;
    let ended = plain.verdict();
    assert!(ended.ended);
    assert_eq!(plain.learn(&forwarded_by(2)).await.version, ended.version);
    assert_eq!(plain.try_pin("4821", Tool).await, PinAnswer::Unavailable);

    let held = case(&deployment.board, &number(1)).await;
    held.hold_open();
    held.heard(last(Some(alice))).await;
    assert!(!held.verdict().ended);
    assert_eq!(
        held.try_pin("4821", Tool).await,
        PinAnswer::Accepted { user: alice }
    );
    let verdict = held.finish().await;
    assert!(verdict.ended && held.finish().await.version == verdict.version);
    deployment.board.recorded().await;
    let record = deployment.board.store().call(held.id()).await.unwrap().unwrap();
    assert!(record.is_final && record.version == verdict.version);
    assert_eq!(record.verdict["line_owner"]["user_id"], alice.to_string());
    let over = deployment.board.call_session(plain.id(), &number(1)).await;
    assert!(over.is_ok(), "it is remembered for a while");
}

#[tokio::test]
async fn a_call_goes_on_after_a_restart_and_an_ended_one_does_not() {
    let (deployment, _) = three().await;
    let (open_call, ended) = (
        case(&deployment.board, &number(1)).await,
        case(&deployment.board, &number(1)).await,
    );
    let before = open_call.learn(&forwarded_by(1)).await.version;
    ended.learn(&forwarded_by(1)).await;
    ended.finish().await;
    deployment.board.recorded().await;
    let board = open(&deployment.folder, &[]).await;
    let again = board.call_session(open_call.id(), &number(1)).await.unwrap();
    assert!(again.learn(&forwarded_by(1)).await.version > before);
    assert!(matches!(
        board.call_session(ended.id(), &number(1)).await,
        Err(BoardError::CallEnded(_))
    ));
    assert!(matches!(
        board.call_session(open_call.id(), &number(2)).await,
        Err(BoardError::OtherNumber(_))
    ));
    assert!(matches!(
        board.call_session(&CallId::fresh(), &number(9)).await,
        Err(BoardError::UnknownNumber(_))
    ));
}

#[tokio::test]
async fn a_call_that_goes_on_after_a_restart_keeps_its_evidence() {
    let (deployment, [alice, bob, _]) = three().await;
    // Long enough to stand in no id, hash or time by chance.
    let dora = person("Dora", &number(1), 4, Some("48213579"));
    let dora = deployment.board.store().add_user(dora).await.unwrap().id;
    let before = case(&deployment.board, &number(1)).await;
    before.learn(&called_by(77)).await;
    before.learn(&forwarded_by(1)).await;
    before
        .heard(heard(&number(1), OutcomeName::Identified, Some(bob), 8.0))
        .await;
    assert_eq!(before.try_pin("1111", Tool).await, PinAnswer::Wrong { left: 2 });
    assert_eq!(
        before.try_pin("48213579", Keypad).await,
        PinAnswer::Accepted { user: dora }
    );
    let word_before = before.verdict();
    // Words that say nothing new are given out, and not recorded.
    for seconds in [9.0, 10.0, 11.0] {
        let mut said = heard(&number(1), OutcomeName::Identified, Some(bob), 8.0);
        said.net_speech_seconds = seconds;
        before.heard(said).await;
    }
    let given_out = before.verdict().version;
    assert!(given_out > word_before.version);
    assert!(!word_before.identity.contradictions.is_empty());
    assert_eq!(before.pin_user().await, Some(dora));
    deployment.board.recorded().await;
    let folder = deployment.folder;
    deployment.board.store().close().await;
    let kept = {
        let store = Store::open(&folder.path().join("voxline.db")).await.unwrap();
        let record = store.call(before.id()).await.unwrap().unwrap();
        store.close().await;
        record.evidence.unwrap().to_string()
    };
    let users = [alice, bob, dora].map(|user| user.to_string());
    assert!(users.iter().all(|user| kept.contains(user)), "{kept}");
    for secret in ["48213579", &phone(1).as_e164()[1..], &phone(77).as_e164()[1..]] {
        assert!(!kept.contains(secret), "{kept}");
    }

    let board = open(&folder, &[]).await;
    let after = board.call_session(before.id(), &number(1)).await.unwrap();
    let taken_up = after.verdict();
    assert!(taken_up.version > given_out);
    assert_eq!(
        taken_up.identity, word_before.identity,
        "figures, times and hashes too"
    );
    assert_eq!(taken_up.identification.outcome, OutcomeName::Identified);
    assert_eq!(taken_up.identification.user_id, Some(bob));
    assert_eq!(after.pin_user().await, Some(dora));
    // The same news again are none, and wrong PINs of the same caller go on being counted as theirs.
    assert_eq!(after.learn(&forwarded_by(1)).await.version, taken_up.version);
    assert_eq!(after.try_pin("2222", Tool).await, PinAnswer::Wrong { left: 1 });
    let last = after.finish().await;
    assert_eq!(last.identity, word_before.identity);
    assert_eq!(last.identification.outcome, OutcomeName::Identified);
    let record = board.store().call(before.id()).await.unwrap().unwrap();
    assert!(record.is_final && record.evidence.is_none());
}

#[tokio::test]
async fn who_was_removed_between_two_starts_is_not_taken_up() {
    let (deployment, [alice, bob, _]) = three().await;
    let before = case(&deployment.board, &number(1)).await;
    before.learn(&forwarded_by(1)).await;
    before
        .heard(heard(&number(1), OutcomeName::Identified, Some(bob), 8.0))
        .await;
    deployment.board.recorded().await;
    deployment.board.store().remove_user(alice).await.unwrap();
    let board = open(&deployment.folder, &[]).await;
    let after = board.call_session(before.id(), &number(1)).await.unwrap();
    let identity = &after.verdict().identity;
    assert_eq!(identity.speaker.user_id, Some(bob));
    assert!(
        !serde_json::to_string(identity)
            .unwrap()
            .contains(&alice.to_string())
    );
}

#[tokio::test]
async fn a_store_out_of_reach_makes_a_case_that_says_so() {
    let (deployment, _) = three().await;
    let known = case(&deployment.board, &number(1)).await;
    deployment.board.store().close().await;
    let new = deployment
        .board
        .call_session(&CallId::fresh(), &number(1))
        .await
        .unwrap();
    for case in [known, new] {
        let verdict = case.learn(&forwarded_by(1)).await;
        assert_eq!(verdict.identity.line_owner.status, OwnerStatus::Unknown);
        assert_eq!(
            verdict.identity.speaker.reason,
            Some(SpeakerReason::Voice(Reason::Unavailable))
        );
        assert_eq!(case.try_pin("4821", Tool).await, PinAnswer::Unavailable);
    }
}

#[tokio::test]
async fn whoever_watches_a_case_sees_every_word() {
    let (deployment, [alice, ..]) = three().await;
    let case = case(&deployment.board, &number(1)).await;
    let mut watching = case.watch();
    case.learn(&forwarded_by(1)).await;
    tokio::time::timeout(Duration::from_secs(60), watching.changed())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(watching.borrow().identity.line_owner.user_id, Some(alice));
}

#[tokio::test]
async fn who_is_erased_is_in_no_verdict_that_is_given_out_afterwards() {
    let (deployment, [_, bob, _]) = three().await;
    let board = &deployment.board;
    for way in ["learn", "finish"] {
        let carol = board
            .store()
            .add_user(person("Carol", &number(1), 7, None))
            .await
            .unwrap()
            .id;
        let call = case(board, &number(1)).await;
        call.hold_open();
        let mut said = heard(&number(1), OutcomeName::Identified, Some(carol), 12.0);
        said.user_name = Some("Carol".to_owned());
        said.llrs.push((bob, Llr::new(-4.0).unwrap()));
        let named = call.heard(said).await;
        assert_eq!(named.identification.user_id, Some(carol));
        board.remove_user(carol).await.unwrap();
        // At once, without any news of the call.
        let at_once = call.verdict();
        let then = match way {
            "learn" => call.learn(&forwarded_by(2)).await,
            _ => call.finish().await,
        };
        assert!(at_once.version > named.version && then.version > at_once.version);
        for verdict in [at_once, then] {
            let shown = serde_json::to_string(&*verdict).unwrap();
            assert!(
                !shown.contains("Carol") && !shown.contains(&carol.to_string()),
                "{shown}"
            );
            assert_eq!(verdict.identification.outcome, OutcomeName::Inconclusive);
            assert!(verdict.identification.llrs.iter().all(|(user, _)| *user != carol));
        }
    }
}
