//! Every system of the problem statement, one by one: each alone finds the user it is for.

use std::sync::Arc;

use voxline::evidence::{Attestation, AttestationLevel, CallFacts, CallerNumber, Headers, Place, Source};
use voxline::store::{NewUser, Pin};
use voxline::switchboard::{CallSession, PinAnswer, Switchboard};
use voxline::units::{DialedNumber, UserId};
use voxline::verdict::OutcomeName;
use voxline::verdict::chain::EvidenceSource::Tool;
use voxline::verdict::chain::{OwnerStatus, SpeakerStatus, Tier};

use super::call_sessions::{called_by, case, forwarded_by, heard, person, phone, three};
use super::{TestDeployment, number};

const ALICE: &str = "+12025550143";

/// What a call of Alice's brings.
enum Brings {
    /// Headers of the INVITE, by this carrier.
    Headers(Source, &'static [(&'static str, &'static str)]),
    /// Her own number as the caller's.
    Caller,
    Pin,
    Voice,
    /// Nothing: the number is hers alone.
    Nothing,
}

/// The systems, with the tier of their evidence. The headers are as telephony.md 6 has them of each carrier.
const SYSTEMS: &[(&str, Tier, Brings)] = &[
    (
        "Diversion, Twilio",
        Tier::T1,
        Brings::Headers(
            Source::Twilio,
            &[("Diversion", "<sip:+12025550143@twilio.com>;reason=unconditional")],
        ),
    ),
    (
        "Diversion, Vonage",
        Tier::T1,
        Brings::Headers(
            Source::Vonage,
            &[(
                "diversion",
                "<sip:12025550143@sip.nexmo.com>;reason=no-answer;counter=1",
            )],
        ),
    ),
    (
        "Diversion, Bandwidth",
        Tier::T1,
        Brings::Headers(
            Source::Bandwidth,
            &[(
                "Diversion",
                "<sip:+12025550143@192.0.2.1;user=phone>;privacy=off;reason=unknown",
            )],
        ),
    ),
    (
        "Diversion, Telnyx",
        Tier::T1,
        Brings::Headers(
            Source::Telnyx,
            &[(
                "DIVERSION",
                "\"Alice\" <tel:+1-202-555-0143>;reason=user-busy;screen=no",
            )],
        ),
    ),
    (
        "History-Info",
        Tier::T1,
        Brings::Headers(
            Source::Sip,
            &[(
                "History-Info",
                "<sip:+12025550143@h>;index=1, <sip:+12025550101@h;cause=302>;index=1.1",
            )],
        ),
    ),
    ("caller's number", Tier::T2, Brings::Caller),
    ("assigned number", Tier::T0, Brings::Nothing),
    ("PIN", Tier::T4, Brings::Pin),
    ("voice", Tier::T5, Brings::Voice),
];

/// Alice on a number, alone if it is assigned to her, else with Bob.
async fn roster(board: &Switchboard, dialed: &DialedNumber, assigned: bool) -> UserId {
    let person = |name: &str, phone: &str, pin: &str| NewUser {
        name: name.to_owned(),
        number: dialed.clone(),
        phones: vec![phone.parse().unwrap()],
        pin: Some(pin.parse::<Pin>().unwrap()),
        exclusive: assigned,
    };
    let alice = board
        .store()
        .add_user(person("Alice", ALICE, "4821"))
        .await
        .unwrap()
        .id;
    if !assigned {
        let bob = person("Bob", "+12025550144", "7305");
        board.store().add_user(bob).await.unwrap();
    }
    alice
}

async fn bring(case: &Arc<CallSession>, brings: &Brings, alice: UserId) {
    let mut facts = CallFacts {
        trusted: true,
        ..CallFacts::default()
    };
    match brings {
        Brings::Headers(source, headers) => {
            facts = CallFacts::from_sip(*source, &Headers::from_pairs(headers.iter().copied()), true);
        }
        Brings::Caller => facts.caller = Some(CallerNumber::Known(ALICE.parse().unwrap())),
        Brings::Pin => {
            let answer = case.try_pin("four eight two one", Tool).await;
            assert_eq!(answer, PinAnswer::Accepted { user: alice });
        }
        Brings::Voice => {
            case.heard(heard(case.number(), OutcomeName::Identified, Some(alice), 9.0))
                .await;
        }
        Brings::Nothing => {}
    }
    case.learn(&facts).await;
}

#[tokio::test]
async fn each_system_of_the_problem_finds_the_user_it_is_for_and_says_by_what() {
    let deployment = TestDeployment::empty().await;
    let shared = roster(&deployment.board, &number(1), false).await;
    let assigned = roster(&deployment.board, &number(2), true).await;
    for (system, tier, brings) in SYSTEMS {
        let (dialed, alice) = match tier {
            Tier::T0 => (number(2), assigned),
            _ => (number(1), shared),
        };
        let case = case(&deployment.board, &dialed).await;
        bring(&case, brings, alice).await;
        let identity = &case.verdict().identity;
        assert_eq!(identity.line_owner.user_id, Some(alice), "{system}: {identity:?}");
        assert_ne!(identity.line_owner.status, OwnerStatus::Unknown, "{system}");
        // Headers and numbers name a line, and nobody who speaks on it as heard.
        let spoke = identity.speaker.status == SpeakerStatus::Identified;
        assert_eq!(spoke, matches!(brings, Brings::Voice), "{system}: {identity:?}");
        let hers = identity
            .evidence
            .iter()
            .filter(|item| item.user_id == Some(alice));
        assert!(
            hers.into_iter().all(|item| item.tier == *tier),
            "{system}: {identity:?}"
        );
        assert!(
            identity.evidence.iter().any(|item| item.tier == *tier),
            "{system}: {identity:?}"
        );
        assert!(identity.contradictions.is_empty(), "{system}: {identity:?}");
    }
}

#[tokio::test]
async fn each_carriers_header_names_the_line_of_a_strangers_call() {
    let deployment = TestDeployment::empty().await;
    let alice = roster(&deployment.board, &number(1), false).await;
    for (system, tier, brings) in SYSTEMS.iter().filter(|(_, tier, _)| *tier == Tier::T1) {
        let case = case(&deployment.board, &number(1)).await;
        bring(&case, brings, alice).await;
        case.heard(heard(&number(1), OutcomeName::Unknown, None, 0.0))
            .await;
        let identity = &case.verdict().identity;
        assert_eq!(identity.line_owner.user_id, Some(alice), "{system} {tier:?}");
        assert_eq!(identity.speaker.user_id, None, "{system}: {identity:?}");
        assert!(identity.contradictions.is_empty(), "{system}: {identity:?}");
    }
}

#[tokio::test]
async fn a_private_forwarder_is_weighed_and_not_handed_on() {
    let (deployment, [alice, ..]) = three().await;
    let call = case(&deployment.board, &number(1)).await;
    let mut facts = forwarded_by(1);
    call.learn(&facts).await;
    assert_eq!(call.forwarder().await, Some(phone(1)));
    facts.forwarding[0].text.push_str(";privacy=full");
    let call = case(&deployment.board, &number(1)).await;
    call.learn(&facts).await;
    assert_eq!(call.forwarder().await, None);
    assert_eq!(call.verdict().identity.line_owner.user_id, Some(alice));
}

#[tokio::test]
async fn a_later_hint_erases_no_forwarder_and_a_private_one_does() {
    let (deployment, _) = three().await;
    let call = case(&deployment.board, &number(1)).await;
    call.learn(&forwarded_by(1)).await;
    let mut hint = forwarded_by(2);
    hint.forwarding[0].place = Place::ReferredBy;
    call.learn(&hint).await;
    assert_eq!(call.forwarder().await, Some(phone(1)));
    let mut private = forwarded_by(1);
    private.forwarding[0].text.push_str(";privacy=full");
    call.learn(&private).await;
    assert_eq!(call.forwarder().await, None);
}

/// The INVITE of an open SIP address: whoever sends it writes all of it, and the carrier passes it on.
#[tokio::test]
async fn an_invite_that_says_one_thing_twice_identifies_no_line() {
    let (deployment, [alice, ..]) = three().await;
    for at in 4..9 {
        let one_more = person(&format!("User {at}"), &number(1), at, None);
        deployment.board.store().add_user(one_more).await.unwrap();
    }
    let number_of_alice = phone(1);
    let address = format!("<sip:{}@h>", number_of_alice.as_e164());
    let pairs = [("From", address.clone()), ("Diversion", address)];
    let invite = |trusted| CallFacts::from_sip(Source::Vapi, &Headers::from_pairs(pairs.clone()), trusted);
    let stated = |level| CallFacts {
        attestation: Some(Attestation {
            level,
            verified: true,
        }),
        ..called_by(1)
    };
    let (probable, identified) = (OwnerStatus::Probable, OwnerStatus::Identified);
    for (what, facts, status) in [
        ("an INVITE", vec![invite(false)], probable),
        (
            "and the caller's number of it",
            vec![invite(false), called_by(1)],
            probable,
        ),
        (
            "whose verification failed",
            vec![invite(false), stated(AttestationLevel::Failed)],
            probable,
        ),
        (
            "attested by who knows no number",
            vec![invite(false), stated(AttestationLevel::B)],
            probable,
        ),
        ("of a known peer", vec![invite(true)], identified),
        (
            "that a known peer repeats",
            vec![invite(false), forwarded_by(1)],
            identified,
        ),
        (
            "whose number is attested",
            vec![invite(false), stated(AttestationLevel::A)],
            identified,
        ),
    ] {
        let call = case(&deployment.board, &number(1)).await;
        for facts in facts {
            call.learn(&facts).await;
        }
        let owner = &call.verdict().identity.line_owner;
        assert_eq!(
            (owner.status, owner.user_id),
            (status, Some(alice)),
            "{what}: {owner:?}"
        );
    }
}
