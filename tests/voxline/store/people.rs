//! What a person may ask for: everything that is kept on them, not to be compared, and proof of an erasure.

use super::*;
use voxline::store::{AuditSearch, ErasedWhat, Receipt, ReceiptFault, Recording};

async fn opt_out(store: &Store, user: UserId, opted_out: bool) -> User {
    let patch = UserPatch {
        opted_out: Some(opted_out),
        ..UserPatch::default()
    };
    store.update_user(user, patch).await.unwrap()
}

/// How many voiceprints of each user of the number a gallery is given.
async fn given(store: &Store, number: &DialedNumber) -> Vec<usize> {
    let roster = store.roster(number, &model()).await.unwrap();
    roster.iter().map(|entry| entry.clips.len()).collect()
}

#[tokio::test]
async fn who_has_opted_out_is_in_no_gallery_and_is_again_who_takes_it_back() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    let bob = deployment.user("Bob", &number).await.id;
    deployment.enrol(ana, 1).await;
    deployment.enrol(bob, 2).await;
    let store = &deployment.store;
    assert_eq!(given(store, &number).await, [2, 2]);
    let before = store.roster_version(&number).await.unwrap();
    assert!(opt_out(store, ana, true).await.opted_out);
    // The other node's gallery is brought up to date by the version, which has risen.
    let other = deployment.another().await;
    assert!(other.roster_version(&number).await.unwrap() > before);
    assert_eq!(given(&other, &number).await, [0, 2]);
    assert!(store.user(ana).await.unwrap().unwrap().enrolled);
    let refused = store.add_enrolment(enrolment(ana, 3)).await.unwrap_err();
    assert!(
        matches!(refused, StoreError::OptedOut(user) if user == ana),
        "{refused:?}"
    );
    opt_out(store, ana, true).await;
    opt_out(store, ana, false).await;
    assert_eq!(given(store, &number).await, [2, 2]);
    deployment.enrol(ana, 3).await;
    let search = AuditSearch {
        act: Some("user.opt_out".to_owned()),
        ..AuditSearch::default()
    };
    let told = store.audit_entries(&search, 10, None).await.unwrap();
    let told: Vec<&str> = told.iter().map(|entry| entry.outcome.as_str()).collect();
    assert_eq!(told, ["opted in", "opted out"]);
}

#[tokio::test]
async fn an_export_has_all_that_is_kept_on_a_person_and_nothing_on_others() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let store = &deployment.store;
    let new = NewUser {
        phones: vec![phone(1)],
        pin: Some(pin("48213579")),
        ..new_user("Ana", &number)
    };
    let ana = store.add_user(new).await.unwrap().id;
    let bob = deployment.user("Bob", &number).await.id;
    let recording = Recording {
        bytes: b"the recording".to_vec().into(),
        channel: None,
    };
    store
        .add_enrolment_keeping(enrolment(ana, 1), vec![recording])
        .await
        .unwrap();
    deployment.enrol(bob, 2).await;
    for (id, user) in [("c-ana", ana), ("c-bob", bob)] {
        let verdict = json!({
            "outcome": "identified", "user_id": user,
            "candidates": [{"user_id": ana, "llr": 1.5}, {"user_id": bob, "llr": 1.257_812_5}],
        });
        let record = CallRecord {
            verdict,
            ..call(id, 1, 0)
        };
        store.put_verdict(&record).await.unwrap();
    }
    let person = store.export_user(ana, false).await.unwrap();
    let person = serde_json::to_value(&person).unwrap();
    assert_eq!(person["user"]["name"], "Ana");
    assert_eq!(person["user"]["phones"], json!([phone(1).as_e164()]));
    assert_eq!(person["pin_is_set"], true);
    assert_eq!(person["identified_on"], "1970-01-01T00:00:00Z");
    assert_eq!(person["consents"][0]["text"], "I agree that my voice is stored");
    let print = voiceprint(1, Bandwidth::Narrow);
    let expected = json!({
        "model": "test-model", "bandwidth": "narrow", "net_speech_seconds": 4.5,
        "dimensions": print.embedding.dim(),
        "embedding": base64::Engine::encode(
            &base64::engine::general_purpose::STANDARD, print.embedding.to_bytes()),
    });
    assert_eq!(person["voiceprints"][0], expected);
    assert_eq!(person["voiceprints"].as_array().unwrap().len(), 2);
    assert_eq!(person["calls"].as_array().unwrap().len(), 2);
    assert!(person["recordings"][0].get("audio").is_none());
    let acts: Vec<_> = person["audit"]
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| &entry["act"])
        .collect();
    assert_eq!(acts, ["user.export", "enrolment.add", "pin.set", "user.add"]);
    let text = person.to_string();
    for others in [
        bob.to_string().as_str(),
        "Bob",
        "1.2578125",
        "48213579",
        "$argon2",
    ] {
        assert!(!text.contains(others), "{others} in {text}");
    }
    let with_audio = serde_json::to_value(store.export_user(ana, true).await.unwrap()).unwrap();
    assert_eq!(with_audio["recordings"][0]["audio"], "dGhlIHJlY29yZGluZw==");
    let nobody = store.export_user(UserId::fresh(), false).await;
    assert!(matches!(nobody, Err(StoreError::UnknownUser(_))));
}

#[tokio::test]
async fn a_receipt_is_signed_with_a_key_of_the_deployment_and_survives_as_json() {
    let deployment = TestDeployment::new().await;
    let number = deployment.number(1).await;
    let ana = deployment.user("Ana", &number).await.id;
    deployment.enrol(ana, 1).await;
    let store = &deployment.store;
    let first = store.remove_enrolments(ana).await.unwrap();
    // Another process of the same machine signs with the same key.
    let second = deployment.another().await.remove_user(ana).await.unwrap();
    assert_eq!(
        [first.erased, second.erased],
        [Some(ErasedWhat::Enrolments), Some(ErasedWhat::User)]
    );
    let keys = store.receipt_keys().await.unwrap();
    assert_eq!(keys.len(), 1);
    let key = keys[0].public_key.as_str();
    for receipt in [first, second] {
        let text = serde_json::to_string(&receipt).unwrap();
        let read: Receipt = serde_json::from_str(&text).unwrap();
        assert_eq!(read.verify([key]), Ok(()));
        let forged = Receipt {
            voiceprints_erased: read.voiceprints_erased + 1,
            ..read.clone()
        };
        assert_eq!(forged.verify([key]), Err(ReceiptFault::Changed));
        let of_other = Receipt {
            user_id: UserId::fresh(),
            ..read
        };
        assert_eq!(of_other.verify([key]), Err(ReceiptFault::Changed));
    }
    let file = deployment.file().with_file_name("receipts.key");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0);
    // A key that is lost is made anew; what the old one signed can still be verified.
    std::fs::remove_file(&file).unwrap();
    assert_eq!(store.receipt_keys().await.unwrap().len(), 2);
}
