//! Laws of the store.

use std::collections::BTreeSet;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::prelude::*;
use serde_json::json;
use tempfile::TempDir;
use time::{Duration, OffsetDateTime};
use voxline::store::{
    CallRecord, NewClip, NewEnrollment, NewUser, Pin, PinChange, Scope, Store, StoreError, Token, User,
    UserPatch,
};
use voxline::units::{CallId, DialedNumber, EnrollmentId, PhoneNumber, Seconds, UserId};
use voxline::voiceprint::{Bandwidth, Embedding, ModelId, Voiceprint};

/// Components of the embeddings here, as many as a common speaker model gives.
const DIM: usize = 256;

struct House {
    store: Store,
    folder: TempDir,
}

impl House {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&file_in(&folder)).await.unwrap();
        Self { store, folder }
    }

    fn file(&self) -> PathBuf {
        file_in(&self.folder)
    }

    async fn number(&self, line: u32) -> DialedNumber {
        let number = number(line);
        self.store.add_number(&number, Some("US"), None).await.unwrap();
        number
    }

    async fn user(&self, name: &str, number: &DialedNumber) -> User {
        self.store.add_user(new_user(name, number)).await.unwrap()
    }

    async fn enrol(&self, user: UserId, seed: u64) -> EnrollmentId {
        self.store.add_enrollment(enrolment(user, seed)).await.unwrap()
    }

    async fn versions(&self, numbers: &[DialedNumber]) -> Vec<u64> {
        let mut versions = Vec::new();
        for number in numbers {
            versions.push(self.store.roster_version(number).await.unwrap());
        }
        versions
    }
}

fn file_in(folder: &TempDir) -> PathBuf {
    folder.path().join("data").join("voxline.db")
}

fn number(line: u32) -> DialedNumber {
    format!("+1202555{:04}", 100 + line).parse().unwrap()
}

fn phone(line: u32) -> PhoneNumber {
    format!("+1415555{:04}", 2000 + line).parse().unwrap()
}

fn pin(digits: &str) -> Pin {
    digits.parse().unwrap()
}

fn model() -> ModelId {
    ModelId::new("test-model")
}

fn new_user(name: &str, number: &DialedNumber) -> NewUser {
    NewUser {
        name: name.into(),
        number: number.clone(),
        phones: vec![],
        pin: None,
        exclusive: false,
    }
}

/// A voiceprint that no other seed gives (splitmix64, Steele et al. 2014).
fn voiceprint(seed: u64, bandwidth: Bandwidth) -> Voiceprint {
    let mut state = seed ^ ((bandwidth as u64) << 63);
    let values = (0..DIM).map(|_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 40) as f32 / 16_777_216.0 - 0.5
    });
    Voiceprint {
        embedding: Embedding::from_direction(values.collect()).unwrap(),
        model: model(),
        bandwidth,
        net_speech: Seconds::new(4.5),
    }
}

fn clip(seed: u64) -> NewClip {
    let mut content_sha256 = [0; 32];
    content_sha256[..8].copy_from_slice(&seed.to_le_bytes());
    NewClip {
        content_sha256,
        net_speech: Seconds::new(4.5),
        snr_db: Some(21.5),
        source: "wav 16000 Hz".into(),
        prints: vec![
            voiceprint(seed, Bandwidth::Narrow),
            voiceprint(seed, Bandwidth::Wide),
        ],
    }
}

fn enrolment(user: UserId, seed: u64) -> NewEnrollment {
    NewEnrollment {
        user,
        consent: "I agree that my voice is stored".into(),
        clips: vec![clip(seed)],
    }
}

fn call(id: &str, version: u64, began: i64) -> CallRecord {
    let started_at = OffsetDateTime::UNIX_EPOCH + Duration::seconds(began);
    CallRecord {
        call_id: id.parse().unwrap(),
        number: number(1),
        started_at,
        updated_at: started_at + Duration::seconds(i64::try_from(version).unwrap()),
        version,
        is_final: false,
        verdict: json!({ "version": version }),
    }
}

/// The database file and those beside it, whole.
fn bytes_on_disk(file: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(file.parent().unwrap()).unwrap() {
        all.extend(std::fs::read(entry.unwrap().path()).unwrap());
    }
    all
}

/// How many of the embedding's 64-byte pieces are in `bytes`: a torn copy counts too.
fn pieces_found(bytes: &[u8], print: &Voiceprint) -> usize {
    let raw = print.embedding.to_bytes();
    let windows: std::collections::HashSet<&[u8]> = raw.chunks_exact(64).collect();
    bytes
        .windows(64)
        .filter(|window| windows.contains(window))
        .count()
}

mod numbers {
    use super::*;

    #[tokio::test]
    async fn a_number_is_added_once_and_shown_with_its_users() {
        let house = House::new().await;
        let number = house.number(1).await;
        let again = house.store.add_number(&number, None, None).await;
        assert!(matches!(again, Err(StoreError::NumberExists(_))));
        house.user("Ana", &number).await;
        let shown = serde_json::to_value(house.store.number(&number).await.unwrap().unwrap()).unwrap();
        assert_eq!(shown["number"], "+12025550101");
        assert_eq!(
            (&shown["region"], &shown["name"], &shown["users"]),
            (&json!("US"), &json!(null), &json!(1))
        );
        assert_eq!(house.store.numbers().await.unwrap().len(), 1);
        assert!(house.store.number(&super::number(2)).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn an_unknown_number_is_refused_with_how_to_add_it_and_not_in_full() {
        let house = House::new().await;
        let refusal = house
            .store
            .add_user(new_user("Ana", &number(7)))
            .await
            .unwrap_err()
            .to_string();
        assert!(refusal.contains("voxline number add"), "{refusal}");
        assert!(!refusal.contains("+12025550107"), "{refusal}");
        for result in [
            house.store.roster(&number(7), &model()).await.map(drop),
            house.store.roster_version(&number(7)).await.map(drop),
            house.store.users_of(&number(7)).await.map(drop),
        ] {
            assert!(matches!(result, Err(StoreError::UnknownNumber(_))));
        }
    }
}

mod users {
    use super::*;

    #[tokio::test]
    async fn a_user_is_shown_as_the_contract_says_and_without_the_pin() {
        let house = House::new().await;
        let number = house.number(1).await;
        let new = NewUser {
            phones: vec![phone(2), phone(1), phone(2)],
            pin: Some(pin("4821")),
            ..new_user("  Ana ", &number)
        };
        let user = house.store.add_user(new).await.unwrap();
        let shown = serde_json::to_value(&user).unwrap();
        assert_eq!(shown["name"], "Ana");
        assert_eq!(shown["numbers"], json!(["+12025550101"]));
        assert_eq!(shown["phones"], json!(["+14155552002", "+14155552001"]));
        assert_eq!(
            (&shown["exclusive"], &shown["enrolled"]),
            (&json!(false), &json!(false))
        );
        assert!(shown["created_at"].as_str().unwrap().ends_with('Z'));
        assert!(!shown.to_string().contains("4821") && !shown.to_string().contains("argon2"));
        house.enrol(user.id, 1).await;
        assert!(house.store.user(user.id).await.unwrap().unwrap().enrolled);
        assert_eq!(
            house.store.users_of(&number).await.unwrap()[0].created_at,
            user.created_at
        );
    }

    #[tokio::test]
    async fn an_exclusive_number_belongs_to_exactly_one_user() {
        let house = House::new().await;
        let (own, shared) = (house.number(1).await, house.number(2).await);
        let alone = |name, number: &DialedNumber| NewUser {
            exclusive: true,
            ..new_user(name, number)
        };
        let ana = house.store.add_user(alone("Ana", &own)).await.unwrap();
        assert!(ana.exclusive);
        for intruder in [new_user("Bob", &own), alone("Bob", &own)] {
            let refused = house.store.add_user(intruder).await;
            assert!(matches!(refused, Err(StoreError::NumberIsExclusive(_))));
        }
        let bob = house.user("Bob", &shared).await;
        let refused = house.store.add_user(alone("Carl", &shared)).await;
        assert!(matches!(refused, Err(StoreError::NumberHasUsers(_))));
        let patch = UserPatch {
            numbers: Some(vec![shared.clone(), own.clone()]),
            ..UserPatch::default()
        };
        let refused = house.store.update_user(bob.id, patch).await;
        assert!(matches!(refused, Err(StoreError::NumberIsExclusive(_))));
        // Nothing of what was refused is there, and a number left is free again.
        assert_eq!(house.store.user(bob.id).await.unwrap().unwrap().numbers, [shared]);
        house.store.remove_user(ana.id).await.unwrap();
        house.store.add_user(alone("Dora", &own)).await.unwrap();
    }

    #[tokio::test]
    async fn a_phone_points_to_one_user_of_a_number_and_may_be_anothers_elsewhere() {
        let house = House::new().await;
        let (one, two) = (house.number(1).await, house.number(2).await);
        let with_phone = |name, number: &DialedNumber| NewUser {
            phones: vec![phone(1)],
            ..new_user(name, number)
        };
        let ana = house.store.add_user(with_phone("Ana", &one)).await.unwrap();
        let refused = house.store.add_user(with_phone("Bob", &one)).await;
        assert!(matches!(refused, Err(StoreError::PhoneTaken { .. })));
        let bob = house.store.add_user(with_phone("Bob", &two)).await.unwrap();
        assert_eq!(
            house.store.user_by_phone(&one, &phone(1)).await.unwrap(),
            Some(ana.id)
        );
        assert_eq!(
            house.store.user_by_phone(&two, &phone(1)).await.unwrap(),
            Some(bob.id)
        );
        let patch = UserPatch {
            numbers: Some(vec![one.clone(), two.clone()]),
            ..UserPatch::default()
        };
        let refused = house.store.update_user(bob.id, patch).await;
        assert!(matches!(refused, Err(StoreError::PhoneTaken { .. })));
        let patch = UserPatch {
            numbers: Some(vec![two.clone(), one.clone()]),
            phones: Some(vec![phone(3)]),
            ..UserPatch::default()
        };
        let moved = house.store.update_user(bob.id, patch).await.unwrap();
        assert_eq!((moved.numbers, moved.phones), (vec![one, two], vec![phone(3)]));
    }

    #[tokio::test]
    async fn names_phones_and_numbers_have_bounds() {
        let house = House::new().await;
        let number = house.number(1).await;
        for name in ["", "  ", "a\tb", &"x".repeat(201)] {
            let refused = house.store.add_user(new_user(name, &number)).await;
            assert!(
                matches!(refused, Err(StoreError::BadText { .. })),
                "{name:?} passed"
            );
        }
        house.user(&"é".repeat(200), &number).await;
        let many = NewUser {
            phones: (0..21).map(phone).collect(),
            ..new_user("Ana", &number)
        };
        assert!(matches!(
            house.store.add_user(many).await,
            Err(StoreError::TooMany { max: 20, .. })
        ));
        let ana = house.user("Ana", &number).await;
        let nowhere = UserPatch {
            numbers: Some(vec![]),
            ..UserPatch::default()
        };
        assert!(matches!(
            house.store.update_user(ana.id, nowhere).await,
            Err(StoreError::NoNumber)
        ));
        let nobody = house
            .store
            .update_user(UserId::fresh(), UserPatch::default())
            .await;
        assert!(matches!(nobody, Err(StoreError::UnknownUser(_))));
    }
}

mod pins {
    use super::*;

    fn with_pin(name: &str, number: &DialedNumber, digits: &str) -> NewUser {
        NewUser {
            pin: Some(pin(digits)),
            ..new_user(name, number)
        }
    }

    #[tokio::test]
    async fn a_pin_is_one_users_on_a_number_and_the_refusal_does_not_say_whose() {
        let house = House::new().await;
        let (one, two) = (house.number(1).await, house.number(2).await);
        let ana = house.store.add_user(with_pin("Ana", &one, "4821")).await.unwrap();
        let refusal = house
            .store
            .add_user(with_pin("Bob", &one, "4821"))
            .await
            .unwrap_err();
        assert!(matches!(refusal, StoreError::PinTaken));
        assert!(!refusal.to_string().contains("Ana") && !refusal.to_string().contains(&ana.id.to_string()));
        let bob = house.store.add_user(with_pin("Bob", &one, "4822")).await.unwrap();
        let carl = house
            .store
            .add_user(with_pin("Carl", &two, "4821"))
            .await
            .unwrap();
        assert_eq!(
            house.store.user_by_pin(&one, &pin("4821")).await.unwrap(),
            Some(ana.id)
        );
        assert_eq!(
            house.store.user_by_pin(&one, &pin("4822")).await.unwrap(),
            Some(bob.id)
        );
        assert_eq!(
            house.store.user_by_pin(&two, &pin("4821")).await.unwrap(),
            Some(carl.id)
        );
        assert_eq!(house.store.user_by_pin(&two, &pin("4822")).await.unwrap(), None);
        assert!(house.store.pin_is_of(ana.id, &pin("4821")).await.unwrap());
        assert!(!house.store.pin_is_of(ana.id, &pin("4822")).await.unwrap());
    }

    #[tokio::test]
    async fn a_pin_stays_unique_when_users_change_and_move() {
        let house = House::new().await;
        let (one, two) = (house.number(1).await, house.number(2).await);
        let ana = house.store.add_user(with_pin("Ana", &one, "1111")).await.unwrap();
        let bob = house.store.add_user(with_pin("Bob", &two, "1111")).await.unwrap();
        let patch = |pin: PinChange| UserPatch {
            numbers: Some(vec![one.clone(), two.clone()]),
            pin,
            ..UserPatch::default()
        };
        let kept = house.store.update_user(bob.id, patch(PinChange::Keep)).await;
        assert!(matches!(kept, Err(StoreError::PinNeeded)));
        let equal = house
            .store
            .update_user(bob.id, patch(PinChange::Set(pin("1111"))))
            .await;
        assert!(matches!(equal, Err(StoreError::PinTaken)));
        house
            .store
            .update_user(bob.id, patch(PinChange::Set(pin("2222"))))
            .await
            .unwrap();
        assert_eq!(
            house.store.user_by_pin(&one, &pin("2222")).await.unwrap(),
            Some(bob.id)
        );
        // One's own PIN may be set again, and be given up.
        let again = UserPatch {
            pin: PinChange::Set(pin("1111")),
            ..UserPatch::default()
        };
        house.store.update_user(ana.id, again).await.unwrap();
        let none = UserPatch {
            pin: PinChange::Clear,
            ..UserPatch::default()
        };
        house.store.update_user(ana.id, none).await.unwrap();
        assert_eq!(house.store.user_by_pin(&one, &pin("1111")).await.unwrap(), None);
    }

    #[tokio::test]
    async fn two_handles_cannot_give_one_pin_to_two_users_at_once() {
        let house = House::new().await;
        let number = house.number(1).await;
        let other = Store::open(&house.file()).await.unwrap();
        let (one, two) = tokio::join!(
            house.store.add_user(with_pin("Ana", &number, "4821")),
            other.add_user(with_pin("Bob", &number, "4821")),
        );
        assert_eq!(
            usize::from(one.is_ok()) + usize::from(two.is_ok()),
            1,
            "{one:?} {two:?}"
        );
    }

    #[tokio::test]
    async fn the_key_file_is_private_and_never_made_anew_while_a_pin_needs_it() {
        let house = House::new().await;
        let number = house.number(1).await;
        let ana = house
            .store
            .add_user(with_pin("Ana", &number, "4821"))
            .await
            .unwrap();
        let key = house.file().with_file_name("pepper.key");
        let right = std::fs::read(&key).unwrap();
        assert_eq!(right.len(), 32);
        assert_eq!(
            std::fs::metadata(&key).unwrap().permissions().mode() & 0o777,
            0o600
        );

        std::fs::remove_file(&key).unwrap();
        let lost = house.store.add_user(with_pin("Bob", &number, "4822")).await;
        assert!(matches!(lost, Err(StoreError::Pepper(_))));
        assert!(!key.exists());
        assert!(matches!(house.store.check().await, Err(StoreError::Pepper(_))));

        std::fs::write(&key, [9; 32]).unwrap();
        let wrong = house.store.pin_is_of(ana.id, &pin("4821")).await;
        assert!(matches!(wrong, Err(StoreError::Pepper(_))));

        std::fs::write(&key, right).unwrap();
        assert!(house.store.pin_is_of(ana.id, &pin("4821")).await.unwrap());
        house.store.check().await.unwrap();
    }
}

mod enrolments {
    use super::*;

    #[tokio::test]
    async fn what_is_enrolled_comes_back_with_everything_that_was_said_of_it() {
        let house = House::new().await;
        let number = house.number(1).await;
        let ana = house.user("Ana", &number).await;
        let new = NewEnrollment {
            clips: vec![clip(1), clip(2)],
            ..enrolment(ana.id, 1)
        };
        let id = house.store.add_enrollment(new).await.unwrap();
        let listed = house.store.enrollments_of(ana.id).await.unwrap();
        assert_eq!(listed.len(), 1);
        assert_eq!((listed[0].id, listed[0].user_id), (id, ana.id));
        assert_eq!((listed[0].clips, listed[0].voiceprints), (2, 4));
        assert_eq!(listed[0].net_speech_seconds, Seconds::new(9.0));
        assert_eq!(listed[0].models, [model()]);
        let consents = house.store.consents_of(ana.id).await.unwrap();
        assert_eq!(consents[0].id, listed[0].consent_id);
        assert_eq!(
            consents[0].text.as_deref(),
            Some("I agree that my voice is stored")
        );
        // printf '%s' 'I agree that my voice is stored' | sha256sum
        assert_eq!(consents[0].sha256, CONSENT_SHA256);
        let roster = house.store.roster(&number, &model()).await.unwrap();
        let wanted =
            [1, 2].map(|seed| [Bandwidth::Narrow, Bandwidth::Wide].map(|band| voiceprint(seed, band)));
        for (stored, made) in roster[0].clips.iter().zip(wanted.as_flattened()) {
            assert!(stored.embedding.cosine(&made.embedding).unwrap().get() > 0.999_999);
            assert_eq!(
                (stored.bandwidth, stored.net_speech),
                (made.bandwidth, made.net_speech)
            );
        }
        assert_eq!(roster[0].clips.len(), 4);
        assert!(
            house.store.roster(&number, &ModelId::new("other")).await.unwrap()[0]
                .clips
                .is_empty()
        );
    }

    #[tokio::test]
    async fn a_duplicate_clip_is_refused_with_the_earlier_time_and_nothing_is_stored() {
        let house = House::new().await;
        let number = house.number(1).await;
        let (ana, bob) = (house.user("Ana", &number).await, house.user("Bob", &number).await);
        house.enrol(ana.id, 1).await;
        let enrolled = house.store.enrollments_of(ana.id).await.unwrap();
        let again = NewEnrollment {
            clips: vec![clip(2), clip(1)],
            ..enrolment(ana.id, 1)
        };
        match house.store.add_enrollment(again).await {
            Err(StoreError::DuplicateClip { clip: 2, enrolled_at }) => {
                assert_eq!(enrolled_at, enrolled[0].created_at);
            }
            other => panic!("{other:?}"),
        }
        assert_eq!(house.store.enrollments_of(ana.id).await.unwrap(), enrolled);
        assert_eq!(house.store.consents_of(ana.id).await.unwrap().len(), 1);
        let twice = NewEnrollment {
            clips: vec![clip(3), clip(3)],
            ..enrolment(ana.id, 1)
        };
        let refused = house.store.add_enrollment(twice).await;
        assert!(matches!(
            refused,
            Err(StoreError::RepeatedClip { clip: 2, earlier: 1 })
        ));
        house.enrol(bob.id, 1).await;
    }

    #[tokio::test]
    async fn no_voice_is_stored_without_consent_clips_and_a_user() {
        let house = House::new().await;
        let number = house.number(1).await;
        let ana = house.user("Ana", &number).await;
        let silent = NewEnrollment {
            consent: " \n".into(),
            ..enrolment(ana.id, 1)
        };
        assert!(matches!(
            house.store.add_enrollment(silent).await,
            Err(StoreError::NoConsent)
        ));
        let empty = NewEnrollment {
            clips: vec![],
            ..enrolment(ana.id, 1)
        };
        assert!(matches!(
            house.store.add_enrollment(empty).await,
            Err(StoreError::NothingToEnroll)
        ));
        let printless = NewEnrollment {
            clips: vec![NewClip {
                prints: vec![],
                ..clip(1)
            }],
            ..enrolment(ana.id, 1)
        };
        assert!(matches!(
            house.store.add_enrollment(printless).await,
            Err(StoreError::NothingToEnroll)
        ));
        let nan = NewEnrollment {
            clips: vec![NewClip {
                snr_db: Some(f64::NAN),
                ..clip(1)
            }],
            ..enrolment(ana.id, 1)
        };
        assert!(matches!(
            house.store.add_enrollment(nan).await,
            Err(StoreError::BadClip { clip: 1 })
        ));
        let nobody = house.store.add_enrollment(enrolment(UserId::fresh(), 1)).await;
        assert!(matches!(nobody, Err(StoreError::UnknownUser(_))));
        assert!(house.store.enrollments_of(ana.id).await.unwrap().is_empty());
    }
}

const CONSENT_SHA256: &str = "4e4f48bd6a1fc7f3ca22c28c939da57cd0f86f11ae3e78fa4b371d8856c85588";

mod rosters {
    use super::*;

    #[tokio::test]
    async fn the_version_rises_with_each_change_of_who_can_be_found_and_only_there() {
        let house = House::new().await;
        let numbers = [
            house.number(1).await,
            house.number(2).await,
            house.number(3).await,
        ];
        let [one, two, _] = &numbers;
        let mut before = house.versions(&numbers).await;
        let mut rose = async |what: &str, wanted: [bool; 3]| {
            let after = house.versions(&numbers).await;
            let found: Vec<bool> = before.iter().zip(&after).map(|(old, new)| new > old).collect();
            assert_eq!(found, wanted, "{what}");
            assert!(before.iter().zip(&after).all(|(old, new)| new >= old), "{what}");
            before = after;
        };
        let change = |id, patch| house.store.update_user(id, patch);

        let ana = house.user("Ana", one).await.id;
        rose("user added", [true, false, false]).await;
        house.user("Bob", two).await;
        rose("another number's user added", [false, true, false]).await;
        change(
            ana,
            UserPatch {
                name: Some("Anna".into()),
                ..UserPatch::default()
            },
        )
        .await
        .unwrap();
        rose("renamed", [true, false, false]).await;
        change(
            ana,
            UserPatch {
                numbers: Some(numbers[..2].to_vec()),
                ..UserPatch::default()
            },
        )
        .await
        .unwrap();
        rose("put on a second number", [false, true, false]).await;
        let id = house.enrol(ana, 1).await;
        rose("enrolled", [true, true, false]).await;
        house.enrol(ana, 2).await;
        rose("enrolled again", [true, true, false]).await;
        house.store.remove_enrollment(ana, id).await.unwrap();
        rose("an enrolment removed", [true, true, false]).await;
        house.store.remove_enrollments(ana).await.unwrap();
        rose("all enrolments removed", [true, true, false]).await;
        change(
            ana,
            UserPatch {
                numbers: Some(numbers[1..2].to_vec()),
                ..UserPatch::default()
            },
        )
        .await
        .unwrap();
        rose("moved away", [true, false, false]).await;
        house.store.remove_user(ana).await.unwrap();
        rose("removed", [false, true, false]).await;

        assert!(house.store.add_user(new_user("", one)).await.is_err());
        assert!(house.store.remove_user(ana).await.is_err());
        rose("refusals", [false, false, false]).await;
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        /// Users are put on numbers at random and enrolled or not: each number then shows exactly its
        /// own users with exactly their own voiceprints.
        #[test]
        fn nothing_asked_for_one_number_shows_a_user_of_another(
            plan in prop::collection::vec((prop::collection::btree_set(0_u32..4, 1..=4), 0_u64..3), 1..8),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let house = House::new().await;
                for line in 0..4 {
                    house.number(line).await;
                }
                let mut made = Vec::new();
                for (index, (lines, clips)) in (0_u64..).zip(&plan) {
                    let numbers: Vec<_> = lines.iter().map(|line| number(*line)).collect();
                    let user = house.user(&format!("User {index}"), &numbers[0]).await;
                    let patch = UserPatch { numbers: Some(numbers), ..UserPatch::default() };
                    house.store.update_user(user.id, patch).await.unwrap();
                    for clip in 0..*clips {
                        house.enrol(user.id, index * 10 + clip).await;
                    }
                    made.push((user.id, lines, *clips, index));
                }
                for line in 0..4 {
                    let roster = house.store.roster(&number(line), &model()).await.unwrap();
                    let wanted: BTreeSet<UserId> =
                        made.iter().filter(|(_, lines, ..)| lines.contains(&line)).map(|(id, ..)| *id).collect();
                    let found: BTreeSet<UserId> = roster.iter().map(|entry| entry.user).collect();
                    assert_eq!(found, wanted);
                    assert_eq!(found.len(), roster.len());
                    let listed: BTreeSet<UserId> =
                        house.store.users_of(&number(line)).await.unwrap().iter().map(|user| user.id).collect();
                    assert_eq!(listed, wanted);
                    for entry in roster {
                        let (_, _, clips, index) = made.iter().find(|(id, ..)| *id == entry.user).unwrap();
                        assert_eq!(entry.clips.len() as u64, clips * 2);
                        for (clip, prints) in (0..).zip(entry.clips.chunks(2)) {
                            let own = voiceprint(index * 10 + clip, Bandwidth::Narrow);
                            assert!(prints[0].embedding.cosine(&own.embedding).unwrap().get() > 0.999_999);
                        }
                    }
                }
            });
        }
    }
}

mod erasure {
    use super::*;

    #[tokio::test]
    async fn a_removed_user_leaves_nothing_but_the_proof_of_consent() {
        let house = House::new().await;
        let number = house.number(1).await;
        let new = NewUser {
            phones: vec![phone(1)],
            ..new_user("Ana Unmistakable", &number)
        };
        let ana = house.store.add_user(new).await.unwrap().id;
        house.enrol(ana, 1).await;
        house.enrol(ana, 2).await;
        let held = bytes_on_disk(&house.file());
        assert!(
            pieces_found(&held, &voiceprint(1, Bandwidth::Narrow)) >= 16,
            "the search finds what is there"
        );

        let receipt = house.store.remove_user(ana).await.unwrap();
        assert_eq!(
            (
                receipt.user_id,
                receipt.voiceprints_erased,
                receipt.enrollments_erased
            ),
            (ana, 4, 2)
        );
        assert!(receipt.overwritten);
        let left = bytes_on_disk(&house.file());
        for seed in [1, 2] {
            for band in [Bandwidth::Narrow, Bandwidth::Wide] {
                assert_eq!(pieces_found(&left, &voiceprint(seed, band)), 0);
            }
        }
        for text in [
            "Ana Unmistakable",
            "+14155552001",
            "I agree that my voice is stored",
        ] {
            assert!(
                !left.windows(text.len()).any(|window| window == text.as_bytes()),
                "{text} is still there"
            );
        }
        assert!(house.store.user(ana).await.unwrap().is_none());
        assert!(house.store.roster(&number, &model()).await.unwrap().is_empty());
        let proof = house.store.consents_of(ana).await.unwrap();
        assert_eq!(proof.len(), 2);
        for consent in proof {
            assert_eq!((consent.text, consent.sha256.as_str()), (None, CONSENT_SHA256));
            assert!(consent.erased_at.unwrap() >= consent.given_at);
        }
    }

    /// Many users, so that pages split and merge and cells move before they are deleted.
    #[tokio::test]
    async fn no_copy_stays_behind_in_a_page_whatever_was_added_and_removed_around_it() {
        let house = House::new().await;
        let number = house.number(1).await;
        let mut users = Vec::new();
        for seed in 0..24 {
            let user = house.user("User", &number).await;
            house.enrol(user.id, seed).await;
            users.push((seed, user.id));
        }
        // Every other first, then the rest but two.
        let order: Vec<_> = users
            .iter()
            .step_by(2)
            .chain(users.iter().skip(1).step_by(2))
            .copied()
            .take(22)
            .collect();
        for (_, user) in &order {
            house.store.remove_user(*user).await.unwrap();
        }
        let left = bytes_on_disk(&house.file());
        for (seed, _) in order {
            for band in [Bandwidth::Narrow, Bandwidth::Wide] {
                assert_eq!(pieces_found(&left, &voiceprint(seed, band)), 0, "seed {seed}");
            }
        }
        assert_eq!(house.store.roster(&number, &model()).await.unwrap().len(), 2);
        house.store.check_pages().await.unwrap();
    }

    #[tokio::test]
    async fn one_enrolment_goes_and_the_others_stay() {
        let house = House::new().await;
        let number = house.number(1).await;
        let (ana, bob) = (
            house.user("Ana", &number).await.id,
            house.user("Bob", &number).await.id,
        );
        let first = house.enrol(ana, 1).await;
        let second = house.enrol(ana, 2).await;
        let foreign = house.enrol(bob, 3).await;
        let refused = house.store.remove_enrollment(ana, foreign).await;
        assert!(matches!(refused, Err(StoreError::UnknownEnrollment { .. })));
        let receipt = house.store.remove_enrollment(ana, first).await.unwrap();
        assert_eq!((receipt.voiceprints_erased, receipt.enrollments_erased), (2, 1));
        let left = house.store.enrollments_of(ana).await.unwrap();
        assert_eq!(
            left.iter().map(|enrolment| enrolment.id).collect::<Vec<_>>(),
            [second]
        );
        let consents = house.store.consents_of(ana).await.unwrap();
        assert_eq!(
            consents.iter().filter(|consent| consent.text.is_some()).count(),
            1
        );
        // The same recording may be enrolled again after it was erased.
        house.enrol(ana, 1).await;
        assert_eq!(house.store.enrollments_of(bob).await.unwrap().len(), 1);
    }
}

mod keys {
    use super::*;

    #[tokio::test]
    async fn a_key_works_until_it_is_revoked_and_is_never_stored() {
        let house = House::new().await;
        let scopes = BTreeSet::from([Scope::Enroll, Scope::Identify]);
        let (token, info) = house.store.create_key(&scopes, Some("console")).await.unwrap();
        let grant = house.store.key_for(&token).await.unwrap().unwrap();
        assert_eq!((grant.id, &grant.scopes), (info.id, &scopes));
        assert!(grant.allows(Scope::Enroll) && !grant.allows(Scope::Scores) && !grant.allows(Scope::Admin));
        assert_eq!(house.store.keys().await.unwrap(), [info.clone()]);
        let disk = bytes_on_disk(&house.file());
        let secret = token.reveal().as_bytes();
        assert!(!disk.windows(secret.len()).any(|window| window == secret));

        house.store.revoke_key(info.id).await.unwrap();
        let first = house.store.keys().await.unwrap()[0].revoked_at;
        house.store.revoke_key(info.id).await.unwrap();
        assert!(first.is_some());
        assert_eq!(house.store.keys().await.unwrap()[0].revoked_at, first);
        assert_eq!(house.store.key_for(&token).await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_admin_key_may_do_everything_and_a_made_up_one_nothing() {
        let house = House::new().await;
        let (token, _) = house
            .store
            .create_key(&BTreeSet::from([Scope::Admin]), None)
            .await
            .unwrap();
        let grant = house.store.key_for(&token).await.unwrap().unwrap();
        assert!(
            [Scope::Enroll, Scope::Identify, Scope::Scores, Scope::Admin]
                .iter()
                .all(|s| grant.allows(*s))
        );
        let almost = format!("{}A", &token.reveal()[..45]);
        for text in [
            "",
            "vx_",
            "vx_'; DROP TABLE api_keys; --",
            &"vx_".repeat(100_000),
            &almost,
        ] {
            if text != token.reveal() {
                assert_eq!(house.store.key_for(&Token::received(text)).await.unwrap(), None);
            }
        }
        let none = house.store.create_key(&BTreeSet::new(), None).await;
        assert!(matches!(none, Err(StoreError::NoScope)));
        let unknown = house.store.revoke_key(voxline::units::KeyId::fresh()).await;
        assert!(matches!(unknown, Err(StoreError::UnknownKey(_))));
    }
}

mod calls {
    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(12))]

        #[test]
        fn in_whatever_order_verdicts_arrive_the_highest_version_stays(
            versions in prop::collection::vec(0_u64..20, 1..12),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let house = House::new().await;
                let mut highest = None;
                for version in versions {
                    let stored = house.store.put_verdict(&call("CA1", version, 10)).await.unwrap();
                    assert_eq!(stored, Some(version) > highest);
                    highest = highest.max(Some(version));
                    let kept = house.store.call(&"CA1".parse().unwrap()).await.unwrap().unwrap();
                    assert_eq!(kept, call("CA1", highest.unwrap(), 10));
                }
            });
        }
    }

    #[tokio::test]
    async fn nothing_follows_a_final_verdict() {
        let house = House::new().await;
        let last = CallRecord {
            is_final: true,
            ..call("CA1", 3, 10)
        };
        assert!(house.store.put_verdict(&last).await.unwrap());
        assert!(!house.store.put_verdict(&call("CA1", 4, 10)).await.unwrap());
        assert_eq!(house.store.call(&last.call_id).await.unwrap(), Some(last.clone()));
        let shown = serde_json::to_value(&last).unwrap();
        assert_eq!(shown["final"], true);
        assert_eq!(shown["started_at"], "1970-01-01T00:00:10Z");
    }

    #[tokio::test]
    async fn pages_show_every_call_once_newest_first() {
        let house = House::new().await;
        for (id, began) in [("a", 30), ("b", 10), ("c", 20), ("d", 20), ("e", 20)] {
            house.store.put_verdict(&call(id, 1, began)).await.unwrap();
        }
        let mut seen = Vec::new();
        let mut before: Option<CallId> = None;
        loop {
            let page = house.store.calls(2, before.as_ref()).await.unwrap();
            let Some(last) = page.last() else { break };
            before = Some(last.call_id.clone());
            seen.extend(page.into_iter().map(|record| record.call_id.to_string()));
        }
        assert_eq!(seen, ["a", "e", "d", "c", "b"]);
        assert!(
            house
                .store
                .calls(5, Some(&"never".parse().unwrap()))
                .await
                .unwrap()
                .is_empty()
        );
    }

    #[tokio::test]
    async fn a_verdict_has_bounds() {
        let house = House::new().await;
        let huge = CallRecord {
            verdict: json!("x".repeat(300_000)),
            ..call("CA1", 1, 10)
        };
        assert!(matches!(
            house.store.put_verdict(&huge).await,
            Err(StoreError::VerdictTooLarge { .. })
        ));
        let far = CallRecord {
            version: u64::MAX,
            ..call("CA1", 1, 10)
        };
        assert!(matches!(
            house.store.put_verdict(&far).await,
            Err(StoreError::OutOfRange { .. })
        ));
    }
}

mod file {
    use super::*;

    #[tokio::test]
    async fn the_files_and_the_folder_are_the_owners_alone() {
        let house = House::new().await;
        house.number(1).await;
        let folder = house.file().parent().unwrap().to_owned();
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&folder), 0o700);
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            assert_eq!(mode(&path), 0o600, "{}", path.display());
        }
        house.store.close().await;
        std::fs::set_permissions(house.file(), std::fs::Permissions::from_mode(0o644)).unwrap();
        Store::open(&house.file()).await.unwrap();
        assert_eq!(mode(&house.file()), 0o600);
    }

    #[tokio::test]
    async fn reopening_keeps_everything() {
        let house = House::new().await;
        let number = house.number(1).await;
        let ana = house.user("Ana", &number).await;
        house.enrol(ana.id, 1).await;
        house.store.put_verdict(&call("CA1", 1, 10)).await.unwrap();
        let (token, _) = house
            .store
            .create_key(&BTreeSet::from([Scope::Admin]), None)
            .await
            .unwrap();
        let roster = house.store.roster(&number, &model()).await.unwrap();
        let version = house.store.roster_version(&number).await.unwrap();
        house.store.close().await;
        let again = Store::open(&house.file()).await.unwrap();
        assert_eq!(again.roster(&number, &model()).await.unwrap(), roster);
        assert_eq!(again.roster_version(&number).await.unwrap(), version);
        assert!(again.call(&"CA1".parse().unwrap()).await.unwrap().is_some());
        assert!(again.key_for(&token).await.unwrap().is_some());
        assert_eq!(again.check().await.unwrap().path, house.file());
        again.check_pages().await.unwrap();
    }

    #[tokio::test]
    async fn two_handles_on_one_file_see_each_others_writes() {
        let house = House::new().await;
        let other = Store::open(&house.file()).await.unwrap();
        let number = house.number(1).await;
        let ana = other.add_user(new_user("Ana", &number)).await.unwrap();
        let before = house.store.roster_version(&number).await.unwrap();
        other.add_enrollment(enrolment(ana.id, 1)).await.unwrap();
        assert!(house.store.roster_version(&number).await.unwrap() > before);
        assert_eq!(
            house.store.roster(&number, &model()).await.unwrap()[0]
                .clips
                .len(),
            2
        );
        assert!(house.store.remove_user(ana.id).await.unwrap().overwritten);
        assert!(other.user(ana.id).await.unwrap().is_none());
    }

    #[tokio::test]
    async fn many_writers_at_once_all_succeed_and_lose_nothing() {
        let house = House::new().await;
        let number = house.number(1).await;
        let other = Store::open(&house.file()).await.unwrap();
        let before = house.store.roster_version(&number).await.unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for index in 0..24_u32 {
            let store = if index % 2 == 0 {
                house.store.clone()
            } else {
                other.clone()
            };
            let new = new_user(&format!("User {index}"), &number);
            tasks.spawn(async move { store.add_user(new).await.unwrap() });
        }
        tasks.join_all().await;
        assert_eq!(house.store.users_of(&number).await.unwrap().len(), 24);
        assert_eq!(house.store.roster_version(&number).await.unwrap(), before + 24);
    }

    #[tokio::test]
    async fn several_processes_may_make_the_store_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..6 {
            let path = file_in(&folder);
            tasks.spawn(async move {
                Store::open(&path)
                    .await
                    .unwrap()
                    .check()
                    .await
                    .unwrap()
                    .migrations
            });
        }
        assert!(
            tasks
                .join_all()
                .await
                .into_iter()
                .all(|migrations| migrations >= 1)
        );
    }

    #[tokio::test]
    async fn a_file_that_is_no_store_is_left_alone_and_said_to_be_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("voxline.db");
        let text = b"Dear diary, this is not a database. ".repeat(200);
        std::fs::write(&path, &text).unwrap();
        let refusal = Store::open(&path).await.unwrap_err();
        assert!(matches!(refusal, StoreError::Damaged { .. }), "{refusal:?}");
        assert!(refusal.to_string().contains("voxline.db") && refusal.to_string().contains("backup"));
        assert_eq!(std::fs::read(&path).unwrap(), text);
    }

    #[tokio::test]
    async fn destroyed_pages_are_found() {
        let house = House::new().await;
        let number = house.number(1).await;
        let ana = house.user("Ana", &number).await;
        for seed in 0..20 {
            house.enrol(ana.id, seed).await;
        }
        house.store.close().await;
        let mut bytes = std::fs::read(house.file()).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle..].fill(0x5a);
        std::fs::write(house.file(), bytes).unwrap();
        let outcome = match Store::open(&house.file()).await {
            Ok(store) => store.check_pages().await,
            Err(error) => Err(error),
        };
        assert!(matches!(outcome, Err(StoreError::Damaged { .. })), "{outcome:?}");
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_said_to_be_so() {
        let folder = tempfile::tempdir().unwrap();
        let as_folder = folder.path().join("folder.db");
        std::fs::create_dir(&as_folder).unwrap();
        let under_file = folder.path().join("file");
        std::fs::write(&under_file, "x").unwrap();
        for path in [
            as_folder,
            under_file.join("voxline.db"),
            "/proc/voxline/voxline.db".into(),
        ] {
            let refusal = Store::open(&path).await.unwrap_err();
            assert!(matches!(refusal, StoreError::Unwritable { .. }), "{refusal:?}");
        }
    }

    #[tokio::test]
    async fn a_read_only_file_is_said_to_be_so() {
        let house = House::new().await;
        house.store.close().await;
        std::fs::set_permissions(house.file(), std::fs::Permissions::from_mode(0o400)).unwrap();
        if std::fs::OpenOptions::new().write(true).open(house.file()).is_ok() {
            eprintln!("skipped: this user (root?) may write read-only files");
            return;
        }
        let refusal = Store::open(&house.file()).await.unwrap_err();
        assert!(matches!(refusal, StoreError::Unwritable { .. }), "{refusal:?}");
    }

    const CHILD_STORE: &str = "VOXLINE_TEST_STORE_FOR_CHILD";

    /// The child of the test below: enrols without end, and says each acknowledged enrolment.
    #[tokio::test]
    async fn child_that_enrols_until_it_is_killed() {
        let Some(path) = std::env::var_os(CHILD_STORE) else {
            return;
        };
        let store = Store::open(Path::new(&path)).await.unwrap();
        let ana = store.users_of(&number(1)).await.unwrap().remove(0);
        for seed in 0.. {
            let id = store.add_enrollment(enrolment(ana.id, seed)).await.unwrap();
            println!("acknowledged {id}");
        }
    }

    #[tokio::test]
    async fn an_acknowledged_enrolment_survives_kill_9() {
        use std::io::BufRead;

        let house = House::new().await;
        let number = house.number(1).await;
        let ana = house.user("Ana", &number).await;
        house.store.close().await;
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "store::file::child_that_enrols_until_it_is_killed",
                "--nocapture",
            ])
            .env(CHILD_STORE, house.file())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = std::io::BufReader::new(child.stdout.take().unwrap()).lines();
        let mut acknowledged = Vec::new();
        let mut note = |line: String| {
            if let Some((_, id)) = line.split_once("acknowledged ") {
                acknowledged.push(id.parse::<EnrollmentId>().unwrap());
            }
            acknowledged.len()
        };
        while note(lines.next().unwrap().unwrap()) < 10 {}
        child.kill().unwrap();
        child.wait().unwrap();
        for line in lines.map_while(Result::ok) {
            note(line);
        }
        let store = Store::open(&house.file()).await.unwrap();
        store.check_pages().await.unwrap();
        let kept: BTreeSet<_> = store
            .enrollments_of(ana.id)
            .await
            .unwrap()
            .iter()
            .map(|e| e.id)
            .collect();
        assert!(
            acknowledged.iter().all(|id| kept.contains(id)),
            "an acknowledged enrolment was lost"
        );
        let prints = store
            .roster(&number, &model())
            .await
            .unwrap()
            .remove(0)
            .clips
            .len();
        assert_eq!(prints, kept.len() * 2, "an enrolment was stored in part");
    }
}
