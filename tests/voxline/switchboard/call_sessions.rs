//! Cases: one verdict a call, whatever brings the news and in whichever order.

use std::sync::Arc;
use std::time::Duration;

use voxline::decision::Reason;
use voxline::evidence::{CallFacts, CallerNumber, Place, Source};
use voxline::store::{Access, ImportRow, NewUser, Pin, Store};
use voxline::switchboard::{
    BoardError, CallSession, CallVerdict, Identification, PinAnswer, PinWay, Switchboard,
};
use voxline::units::{CallId, DialedNumber, Llr, PhoneNumber, UserId};
use voxline::verdict::OutcomeName;
use voxline::verdict::chain::{OwnerStatus, SpeakerAgreement, SpeakerReason, SpeakerStatus, Tier};
use voxline::voiceprint::ModelId;

use super::{TestDeployment, number, open};
use crate::support::Rng;

fn phone(line: usize) -> PhoneNumber {
    format!("+1415555{:04}", 2_000 + line).parse().unwrap()
}

fn person(name: &str, number: &DialedNumber, line: usize, pin: Option<&str>) -> NewUser {
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
fn word(verdict: &CallVerdict) -> (OwnerStatus, Option<UserId>, SpeakerStatus, Option<UserId>) {
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
async fn a_pin_names_its_user_and_is_nowhere_to_be_read() {
    let (deployment, [alice, ..]) = three().await;
    let case = case(&deployment.board, &number(1)).await;
    assert_eq!(case.try_pin("hello", PinWay::Spoken).await, PinAnswer::NotAPin);
    assert_eq!(
        case.try_pin("1234", PinWay::Tool).await,
        PinAnswer::Wrong { left: 2 }
    );
    let mut typed: Vec<_> = "48214".chars().filter_map(|key| case.keypad(key)).collect();
    assert_eq!(
        (typed.len(), format!("{typed:?}")),
        (1, "[Typed(***)]".to_owned())
    );
    assert_eq!(
        case.try_typed(typed.remove(0)).await,
        PinAnswer::Accepted { user: alice }
    );
    let verdict = case.verdict();
    assert_eq!(
        word(&verdict),
        (
            OwnerStatus::Identified,
            Some(alice),
            SpeakerStatus::Claimed,
            Some(alice)
        )
    );
    let item = &verdict.identity.evidence[0];
    assert_eq!(
        (item.tier, item.source.name(), &item.value_hash),
        (Tier::T4, "keypad", &None)
    );
    let store = deployment.board.store();
    let dora = person("Dora", &number(1), 4, Some("48213579"));
    let dora = store.add_user(dora).await.unwrap().id;
    let said = "four eight two one three five seven nine";
    assert_eq!(
        case.try_pin(said, PinWay::Spoken).await,
        PinAnswer::Accepted { user: dora }
    );
    // Eight digits: four stand in many an id or a time.
    let verdict = case.verdict();
    let shown = format!("{verdict:?}{}", serde_json::to_string(&*verdict).unwrap());
    assert!(!shown.contains("48213579"));
}

#[tokio::test]
async fn wrong_pins_lock_out_the_caller_alone_also_after_a_restart() {
    let (deployment, [alice, ..]) = three().await;
    let callers_call = case(&deployment.board, &number(1)).await;
    callers_call.learn(&called_by(77)).await;
    for left in [2, 1, 0] {
        assert_eq!(
            callers_call.try_pin("1111", PinWay::Tool).await,
            PinAnswer::Wrong { left }
        );
    }
    let locked = |answer| matches!(answer, PinAnswer::LockedOut { .. });
    assert!(
        locked(callers_call.try_pin("4821", PinWay::Tool).await),
        "the right one, too late"
    );
    let folder = deployment.folder;
    deployment.board.store().close().await;
    let board = open(&folder, &[]).await;
    let later = case(&board, &number(1)).await;
    later.learn(&called_by(77)).await;
    assert!(locked(later.try_pin("4821", PinWay::Keypad).await));
    let elsewhere = case(&board, &number(1)).await;
    elsewhere.learn(&called_by(78)).await;
    assert_eq!(
        elsewhere.try_pin("4821", PinWay::Keypad).await,
        PinAnswer::Accepted { user: alice }
    );
}

#[tokio::test]
async fn guesses_lock_a_users_pin_and_many_callers_the_number() {
    let (deployment, _) = three().await;
    for caller in [81, 82, 83] {
        let call = case(&deployment.board, &number(1)).await;
        call.learn(&called_by(caller)).await;
        call.learn(&forwarded_by(1)).await;
        call.try_pin("1111", PinWay::Tool).await;
    }
    let from_elsewhere = case(&deployment.board, &number(1)).await;
    let answer = from_elsewhere.try_pin("4821", PinWay::Tool).await;
    assert!(matches!(answer, PinAnswer::LockedOut { .. }), "{answer:?}");

    let narrow = open(&deployment.folder, &[("identity.pin_number_attempts", "2")]).await;
    for caller in [91, 92] {
        let call = case(&narrow, &number(2)).await;
        call.learn(&called_by(caller)).await;
        assert!(matches!(
            call.try_pin("9999", PinWay::Tool).await,
            PinAnswer::Wrong { .. }
        ));
    }
    let third = case(&narrow, &number(2)).await;
    third.learn(&called_by(93)).await;
    assert!(matches!(
        third.try_pin("9999", PinWay::Tool).await,
        PinAnswer::LockedOut { .. }
    ));
}

#[tokio::test]
async fn tries_side_by_side_are_counted_one_by_one() {
    let (deployment, _) = three().await;
    let call = case(&deployment.board, &number(1)).await;
    call.learn(&called_by(77)).await;
    let tries = (0..12).map(|_| {
        let call = Arc::clone(&call);
        tokio::spawn(async move { call.try_pin("1111", PinWay::Tool).await })
    });
    let mut wrong = 0;
    for attempt in tries.collect::<Vec<_>>() {
        wrong += usize::from(matches!(attempt.await.unwrap(), PinAnswer::Wrong { .. }));
    }
    assert_eq!(wrong, 3);
}

#[tokio::test]
async fn a_pin_counts_before_the_end_of_the_call_and_not_after_it() {
    let (deployment, [alice, ..]) = three().await;
    let call = case(&deployment.board, &number(1)).await;
    let mut typed: Vec<_> = "48214821".chars().filter_map(|key| call.keypad(key)).collect();
    drop(typed.pop());
    let typed = typed.remove(0);
    // The end is said first, and waits for what was typed before it.
    let ending = {
        let call = Arc::clone(&call);
        tokio::spawn(async move { call.finish().await })
    };
    tokio::task::yield_now().await;
    assert!(!call.verdict().ended);
    assert_eq!(call.try_typed(typed).await, PinAnswer::Accepted { user: alice });
    let last = ending.await.unwrap();
    assert!(last.ended);
    assert_eq!(last.identity.line_owner.user_id, Some(alice));
    assert_eq!(call.try_pin("4821", PinWay::Tool).await, PinAnswer::Unavailable);
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
    assert_eq!(plain.try_pin("4821", PinWay::Tool).await, PinAnswer::Unavailable);

    let held = case(&deployment.board, &number(1)).await;
    held.hold_open();
    held.heard(last(Some(alice))).await;
    assert!(!held.verdict().ended);
    assert_eq!(
        held.try_pin("4821", PinWay::Tool).await,
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
    assert_eq!(
        before.try_pin("1111", PinWay::Tool).await,
        PinAnswer::Wrong { left: 2 }
    );
    assert_eq!(
        before.try_pin("48213579", PinWay::Keypad).await,
        PinAnswer::Accepted { user: dora }
    );
    let word_before = before.verdict();
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
    assert!(taken_up.version > word_before.version);
    assert_eq!(
        taken_up.identity, word_before.identity,
        "figures, times and hashes too"
    );
    assert_eq!(taken_up.identification.outcome, OutcomeName::Identified);
    assert_eq!(taken_up.identification.user_id, Some(bob));
    assert_eq!(after.pin_user().await, Some(dora));
    // The same news again are none, and wrong PINs of the same caller go on being counted as theirs.
    assert_eq!(after.learn(&forwarded_by(1)).await.version, taken_up.version);
    assert_eq!(
        after.try_pin("2222", PinWay::Tool).await,
        PinAnswer::Wrong { left: 1 }
    );
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
async fn a_shared_pin_is_answered_as_such_and_names_whom_the_voice_leaves() {
    let folder = tempfile::tempdir().unwrap();
    let board = open(&folder, &[("identity.pins_unique", "false")]).await;
    board.store().add_number(&number(1), None, None).await.unwrap();
    let mut users = Vec::new();
    for (line, name) in ["Alice", "Bob", "Carl"].into_iter().enumerate() {
        let pin = if line < 2 { "4821" } else { "1234" };
        let new = person(name, &number(1), line, Some(pin));
        users.push(board.store().add_user(new).await.unwrap().id);
    }
    let call = case(&board, &number(1)).await;
    assert_eq!(
        call.try_pin("4821", PinWay::Tool).await,
        PinAnswer::Shared { user: None }
    );
    let identity = &call.verdict().identity;
    assert_eq!(
        (identity.line_owner.user_id, identity.speaker.user_id),
        (None, None)
    );
    assert_eq!(
        identity.evidence.iter().map(|item| item.tier).collect::<Vec<_>>(),
        [Tier::T4, Tier::T4]
    );
    call.heard(heard(&number(1), OutcomeName::Identified, Some(users[1]), 8.0))
        .await;
    assert_eq!(
        call.try_pin("4821", PinWay::Tool).await,
        PinAnswer::Shared { user: Some(users[1]) }
    );
    assert_eq!(call.verdict().identity.line_owner.user_id, Some(users[1]));
    assert_eq!(call.pin_user().await, None, "it proves nobody to be who they are");
    assert_eq!(
        case(&board, &number(1)).await.try_pin("1234", PinWay::Tool).await,
        PinAnswer::Accepted { user: users[2] }
    );
}

#[tokio::test]
async fn a_prankster_without_a_number_locks_nobody_else_out() {
    let (deployment, [alice, ..]) = three().await;
    let wrong = async |call: &CallSession| {
        matches!(call.try_pin("1111", PinWay::Tool).await, PinAnswer::Wrong { .. })
    };
    let board = open(&deployment.folder, &[("identity.pin_number_attempts", "12")]).await;
    let prankster = case(&board, &number(1)).await;
    for _ in 0..3 {
        assert!(wrong(&prankster).await);
    }
    assert!(!wrong(&prankster).await, "locked out on this call");
    let other = case(&board, &number(1)).await;
    assert_eq!(
        other.try_pin("4821", PinWay::Tool).await,
        PinAnswer::Accepted { user: alice }
    );
    // New calls give new tries, up to half of what the dialed number has.
    let again = case(&board, &number(1)).await;
    for _ in 0..3 {
        assert!(wrong(&again).await);
    }
    let withheld = case(&board, &number(1)).await;
    assert!(!wrong(&withheld).await, "all without a number are locked out");
    let known = case(&board, &number(1)).await;
    known.learn(&called_by(77)).await;
    assert_eq!(
        known.try_pin("4821", PinWay::Tool).await,
        PinAnswer::Accepted { user: alice }
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
        assert_eq!(case.try_pin("4821", PinWay::Tool).await, PinAnswer::Unavailable);
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

/// The way in which a user of the random rosters can be found.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Way {
    Diversion,
    History,
    Caller,
    Passport,
    Pin,
    Voice,
}

const WAYS: [Way; 6] = [
    Way::Diversion,
    Way::History,
    Way::Caller,
    Way::Passport,
    Way::Pin,
    Way::Voice,
];

struct Somebody {
    id: UserId,
    line: usize,
    home: usize,
    way: Way,
    pin: String,
}

/// What a call of `user` brings.
async fn call(board: &Arc<Switchboard>, at: &DialedNumber, user: &Somebody) -> Arc<CallVerdict> {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;

    let case = case(board, at).await;
    let e164 = phone(user.line).as_e164().to_owned();
    let mut facts = CallFacts {
        trusted: true,
        ..CallFacts::default()
    };
    match user.way {
        Way::Diversion => facts = forwarded_by(user.line),
        Way::Caller => facts = called_by(user.line),
        Way::History => {
            let history = format!(
                "<sip:{e164}@h>;index=1, <sip:{}@h;cause=302>;index=1.1",
                at.as_e164()
            );
            facts.add_forwarding(Place::HistoryInfo, history);
        }
        Way::Passport => {
            let claims = format!(
                r#"{{"iat":1,"div":{{"tn":"{e164}"}},"dest":{{"tn":["{}"]}}}}"#,
                at.as_e164()
            );
            let part = |text: &str| URL_SAFE_NO_PAD.encode(text);
            facts.identity = Some(format!(
                "{}.{}.AA",
                part(r#"{"alg":"ES256","ppt":"div"}"#),
                part(&claims)
            ));
        }
        Way::Pin => {
            case.try_pin(&user.pin, PinWay::Keypad).await;
        }
        Way::Voice => {
            case.heard(heard(at, OutcomeName::Identified, Some(user.id), 9.0))
                .await;
        }
    }
    case.learn(&facts).await;
    case.finish().await
}

#[tokio::test]
async fn of_400_users_all_are_found_by_some_tier_and_none_across_numbers() {
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).unwrap();
    let seed = u64::from_le_bytes(seed);
    println!("seed {seed}");
    let mut rng = Rng::new(seed);
    let folder = tempfile::tempdir().unwrap();
    let board = open(
        &folder,
        &[
            ("identity.pin_number_attempts", "10000"),
            ("identity.pin_attempts", "10000"),
        ],
    )
    .await;
    let numbers: Vec<DialedNumber> = (1..5).map(number).collect();
    let mut everybody = Vec::new();
    let mut rows = Vec::new();
    for line in 0..100 {
        // PINs are slow to hash on purpose: five users have nothing else.
        let way = if line < 5 {
            Way::Pin
        } else {
            WAYS[[0, 1, 2, 3, 5][rng.throw(5)]]
        };
        let (home, pin) = (rng.throw(4), format!("{:04}", 1_000 + line * 7));
        rows.push(ImportRow {
            line: line as u64,
            user: person(
                &format!("user {line}"),
                &numbers[home],
                line,
                (way == Way::Pin).then_some(&pin),
            ),
            region: None,
        });
        everybody.push((line, home, way, pin));
    }
    let report = board
        .store()
        .import_users(&Access::operator(), &rows, false)
        .await
        .unwrap();
    assert_eq!((report.added, &report.faults[..]), (100, &[][..]));
    let mut people = Vec::new();
    for (line, home, way, pin) in everybody {
        let id = board
            .store()
            .user_by_phone(&numbers[home], &phone(line))
            .await
            .unwrap()
            .unwrap();
        people.push(Somebody {
            id,
            line,
            home,
            way,
            pin,
        });
    }
    for user in &people {
        for (at, dialed) in numbers.iter().enumerate() {
            let verdict = call(&board, dialed, user).await;
            let identity = &verdict.identity;
            let named = [identity.line_owner.user_id, identity.speaker.user_id];
            if at == user.home {
                assert!(
                    named.contains(&Some(user.id)),
                    "seed {seed}: {:?} {identity:?}",
                    user.way
                );
                assert_ne!(
                    identity.line_owner.status,
                    OwnerStatus::Unknown,
                    "seed {seed}: {:?}",
                    user.way
                );
            } else {
                // A number may be the home of nobody, and a single user of one is likely its lines' owner.
                let here = |id: &UserId| people.iter().any(|one| one.id == *id && one.home == at);
                assert!(
                    named.iter().flatten().all(here),
                    "seed {seed}: {:?} {identity:?}",
                    user.way
                );
            }
        }
    }
}
