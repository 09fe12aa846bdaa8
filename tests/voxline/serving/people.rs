//! How well people are enrolled, whose voices are alike, consents, and people out of a table.

use std::collections::BTreeSet;

use reqwest::Response;
use serde_json::{Value, json};
use voxline::engine::Asker;
use voxline::store::{NewKey, NewUser, Scope};
use voxline::switchboard::{Agreement, ClipBytes};
use voxline::units::{TenantId, UserId};

use super::harness::{CONSENT, NUMBER, Service, json as body, problem, signup};

const OTHER: &str = "+12025550102";

/// A user of a number with a voice of the samples, whoever else has it.
async fn voiced(service: &Service, name: &str, number: &str, folder: &str) -> UserId {
    let new = NewUser {
        name: name.to_owned(),
        number: number.parse().unwrap(),
        phones: Vec::new(),
        pin: None,
        exclusive: false,
    };
    let user = service.board.store().add_user(new).await.unwrap().id;
    let clips = signup(folder)
        .into_iter()
        .map(|(name, bytes)| ClipBytes { name, bytes });
    let agreement = Agreement {
        allow_duplicate: true,
        allow_other_voice: false,
        ..Agreement::from(CONSENT)
    };
    let admitted = service.board.admit(Asker::recording(None)).unwrap();
    let report = service
        .board
        .enrol(&admitted, user, agreement, clips.collect(), None)
        .await
        .unwrap();
    assert!(report.accepted, "{report:?}");
    user
}

#[tokio::test]
async fn who_is_enrolled_how_well_is_told_page_by_page_and_found_by_name() {
    let service = Service::start().await;
    let alice = service.enrolled().await;
    // As some keyboards and files have it, a letter and its accent apart.
    let zoe = service.user("Zoe\u{301}  E\u{301}clair").await;
    let key = &service.key(&[Scope::Enroll]).await;
    let all = service.shown(key, "/v1/enrollments").await;
    assert_eq!(all["more"], false);
    let [first, _, last] = all["users"].as_array().unwrap().as_slice() else {
        panic!("{all}");
    };
    assert_eq!((&first["id"], &first["name"]), (&json!(alice), &json!("Alice")));
    assert!(
        matches!(first["state"].as_str(), Some("good" | "advised")),
        "{first}"
    );
    assert!(
        first["net_speech_seconds"].as_f64().unwrap() > 12.0 && first["clips"] == 3,
        "{first}"
    );
    assert_eq!(first["models"], json!([first["model_in_use"]]));
    assert_eq!(
        (&last["state"], &last["enrolled_at"]),
        (&json!("not_enrolled"), &Value::Null)
    );
    assert_eq!(last["remarks"][0]["code"], "not_enrolled");
    assert!(
        !all.to_string().contains("embedding") && !all.to_string().contains("llr"),
        "{all}"
    );

    for spelling in ["%C3%A9CLAIR", "zoe%CC%81%20e%CC%81", "Zo%C3%A9%20%20%C3%89clair"] {
        let path = format!("/v1/enrollments?name={spelling}");
        let found = service.shown(key, &path).await;
        assert_eq!(
            (&found["users"][0]["id"], found["users"].as_array().unwrap().len()),
            (&json!(zoe), 1),
            "{spelling}"
        );
        assert_eq!(found["users"][0]["name"], "Zoé Éclair");
    }
    let page = service.shown(key, "/v1/enrollments?limit=2").await;
    assert_eq!(
        (page["users"].as_array().unwrap().len(), &page["more"]),
        (2, &json!(true))
    );
    let after = page["users"][1]["id"].as_str().unwrap();
    let rest = service
        .shown(key, &format!("/v1/enrollments?after={after}"))
        .await;
    assert_eq!(
        (&rest["users"][0]["id"], &rest["more"]),
        (&json!(zoe), &json!(false))
    );
    let own = service.shown(key, &format!("/v1/users/{alice}/health")).await;
    assert_eq!(&own, first);
}

#[tokio::test]
async fn a_page_of_people_is_bounded_and_of_a_number_that_is_here() {
    let service = Service::start().await;
    service.number().await;
    let key = &service.key(&[Scope::Enroll]).await;
    for limit in ["0", "201"] {
        service
            .refuses(key, &format!("/v1/enrollments?limit={limit}"), 400, "bad_request")
            .await;
    }
    let long = format!("/v1/enrollments?name={}", "a".repeat(201));
    service.refuses(key, &long, 400, "bad_request").await;
    service
        .refuses(
            key,
            "/v1/enrollments?number=%2B12025550198",
            404,
            "unknown_number",
        )
        .await;
    service
        .refuses(
            key,
            &format!("/v1/users/{}/health", UserId::fresh()),
            404,
            "unknown_user",
        )
        .await;
}

#[tokio::test]
async fn two_entries_of_one_voice_are_alike_on_their_number_and_nowhere_else() {
    let service = Service::start().await;
    let alice = service.enrolled().await;
    let again = voiced(&service, "Alice again", NUMBER, "alice").await;
    let other = OTHER.parse().unwrap();
    service
        .board
        .store()
        .add_number(&other, None, None)
        .await
        .unwrap();
    voiced(&service, "Alice elsewhere", OTHER, "alice").await;
    let admin = &service.key(&[Scope::Admin]).await;
    let path = "/v1/numbers/%2B12025550101/alike";
    let found = service.shown(admin, path).await;
    assert_eq!(
        (&found["enrolled"], &found["compared"], &found["next"]),
        (&json!(3), &json!(3), &Value::Null)
    );
    let pairs = found["pairs"].as_array().unwrap();
    assert_eq!(pairs.len(), 1, "{found}");
    let ids: Vec<&Value> = pairs[0]["users"]
        .as_array()
        .unwrap()
        .iter()
        .map(|user| &user["id"])
        .collect();
    assert_eq!(ids, [&json!(alice), &json!(again)]);
    assert_eq!(pairs[0]["alike"], "one_person");
    assert!(pairs[0]["llr"].as_f64().unwrap() > 0.0);
    assert!(
        found.to_string().len() < 1_000,
        "there is room for no embedding: {found}"
    );

    let after = service.shown(admin, &format!("{path}?after={again}")).await;
    assert_eq!((&after["compared"], &after["pairs"]), (&json!(0), &json!([])));
    let nameless = service.key(&[Scope::Scores]).await;
    let nameless = service.shown(&nameless, path).await;
    assert_eq!(nameless["pairs"][0]["users"][0]["name"], Value::Null);
    let gallery_cache = service.key(&[Scope::Enroll, Scope::Identify]).await;
    service.refuses(&gallery_cache, path, 403, "forbidden").await;
    service
        .refuses(admin, "/v1/numbers/%2B12025550198/alike", 404, "unknown_number")
        .await;
}

#[tokio::test]
async fn consents_are_told_with_their_words_until_these_are_erased() {
    let service = Service::start().await;
    let alice = service.enrolled().await;
    let key = &service.key(&[Scope::Enroll]).await;
    let path = format!("/v1/users/{alice}/consents");
    let given = service.shown(key, &path).await;
    assert_eq!(
        (
            &given[0]["text"],
            &given[0]["version"],
            &given[0]["language"],
            &given[0]["keep_audio"]
        ),
        (&json!(CONSENT), &Value::Null, &Value::Null, &json!(false))
    );
    let erase = service.request("DELETE", &format!("/v1/users/{alice}/enrollments"));
    body(erase.bearer_auth(key).send().await.unwrap(), 200).await;
    let erased = service.shown(key, &path).await;
    assert_eq!(
        (&erased[0]["text"], &erased[0]["sha256"]),
        (&Value::Null, &given[0]["sha256"])
    );
    assert!(erased[0]["erased_at"].is_string());
    let nobody = format!("/v1/users/{}/consents", UserId::fresh());
    service.refuses(key, &nobody, 404, "unknown_user").await;
}

#[tokio::test]
async fn a_narrowed_key_reads_no_consent_that_may_name_another_number() {
    let service = Service::start().await;
    let alice = service.enrolled().await;
    let path = format!("/v1/users/{alice}/consents");
    let mut read = Vec::new();
    for narrowed in [false, true] {
        let new = NewKey {
            tenant: TenantId::DEFAULT,
            scopes: [Scope::Enroll].into(),
            numbers: narrowed.then(|| BTreeSet::from([NUMBER.parse().unwrap()])),
            name: None,
        };
        let (token, _) = service.board.store().create_key(new).await.unwrap();
        read.push(service.shown(token.reveal(), &path).await);
    }
    let words = read.iter().map(|given| &given[0]["text"]);
    assert_eq!(words.collect::<Vec<_>>(), [&json!(CONSENT), &Value::Null]);
    assert_eq!(read[0][0]["sha256"], read[1][0]["sha256"]);
}

const TABLE: &str = "name,phone_number,assigned_vapi_number,pin\n\
                     Ana,+12025550143,,4821\nBen,(202) 555-0144,,\nCleo,+12025550145,+12025550103,\n";

async fn import(service: &Service, key: &str, query: &str, table: impl Into<reqwest::Body>) -> Response {
    let request = service
        .post(&format!("/v1/users/import?{query}"))
        .bearer_auth(key);
    request
        .header("content-type", "text/csv")
        .body(table)
        .send()
        .await
        .unwrap()
}

#[tokio::test]
async fn a_table_is_looked_at_first_and_then_taken_over_whole() {
    let service = Service::start().await;
    service.number().await;
    let key = &service.key(&[Scope::Admin]).await;
    let shared = "number=%2B12025550101";
    let looked = body(
        import(&service, key, &format!("{shared}&dry_run=true"), TABLE).await,
        200,
    )
    .await;
    assert_eq!(
        (&looked["added"], &looked["numbers_added"], &looked["written"]),
        (&json!(3), &json!(1), &json!(false))
    );
    let nobody = service.shown(key, "/v1/enrollments").await;
    assert_eq!(nobody["users"], json!([]));

    let bad = format!("{TABLE}Dan,12,,\nEve,+12025550146\n");
    let refused = body(import(&service, key, shared, bad).await, 200).await;
    assert_eq!(
        (&refused["written"], &refused["faulty"]),
        (&json!(false), &json!(2))
    );
    let lines: Vec<u64> = refused["faults"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["line"].as_u64().unwrap())
        .collect();
    assert_eq!(lines, [5, 6]);

    let done = body(import(&service, key, shared, TABLE).await, 200).await;
    assert_eq!((&done["added"], &done["written"]), (&json!(3), &json!(true)));
    let again = body(import(&service, key, shared, TABLE).await, 200).await;
    assert_eq!((&again["added"], &again["unchanged"]), (&json!(0), &json!(3)));
}

#[tokio::test]
async fn what_is_no_table_or_too_large_is_refused_with_what_to_do() {
    let service = Service::start().await;
    let key = &service.key(&[Scope::Admin]).await;
    problem(
        import(&service, key, "", vec![0xff, 0xfe, 0]).await,
        415,
        "unsupported_media",
    )
    .await;
    let no_table = problem(import(&service, key, "", "a,b\n1,2\n").await, 422, "invalid").await;
    assert!(
        no_table["detail"].as_str().unwrap().contains("`name`"),
        "{no_table}"
    );
    problem(import(&service, key, "region=XYZ", TABLE).await, 422, "invalid").await;
    problem(
        import(&service, key, "", vec![b'a'; 1024 * 1024 + 1]).await,
        413,
        "too_large",
    )
    .await;
}
