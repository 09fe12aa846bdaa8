//! Four numbers, four hundred users: everybody is found by some kind of evidence, nobody across numbers.

use std::sync::Arc;

use voxline::evidence::{CallFacts, Place};
use voxline::store::{Access, ImportRow};
use voxline::switchboard::{CallVerdict, Switchboard};
use voxline::units::{DialedNumber, UserId};
use voxline::verdict::OutcomeName;
use voxline::verdict::chain::EvidenceSource::Keypad;
use voxline::verdict::chain::OwnerStatus;

use super::call_sessions::{called_by, case, forwarded_by, heard, person, phone};
use super::{number, open};
use crate::support::Rng;

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
            case.try_pin(&user.pin, Keypad).await;
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
