//! Numbers, users and their voices.

use reqwest::Response;
use serde_json::{Value, json};
use voxline::store::{Access, Scope};
use voxline::switchboard::Update;

use super::harness::{CONSENT, NUMBER, Service, call_form, form, json as body, problem, sample, signup};

async fn send(service: &Service, key: &str, method: &str, path: &str, json: Option<Value>) -> Response {
    let request = service.request(method, path).bearer_auth(key);
    let request = match json {
        Some(json) => request.json(&json),
        None => request,
    };
    request.send().await.unwrap()
}

#[tokio::test]
async fn a_user_is_added_changed_listed_and_removed_with_a_receipt() {
    let service = Service::start().await;
    let key = &service.key(&[Scope::Admin]).await;
    let number = json!({"number": NUMBER, "region": "us", "name": "Garden shop"});
    let number = body(
        send(&service, key, "POST", "/v1/numbers", Some(number)).await,
        201,
    )
    .await;
    assert_eq!((&number["region"], &number["users"]), (&json!("US"), &json!(0)));

    let alice = json!({"name": "Alice", "number": NUMBER, "phones": ["+12025550143"], "pin": "4821"});
    let alice = body(send(&service, key, "POST", "/v1/users", Some(alice)).await, 201).await;
    assert_eq!(alice["numbers"], json!([NUMBER]));
    assert_eq!((&alice["enrolled"], alice.get("pin")), (&json!(false), None));
    let path = format!("/v1/users/{}", alice["id"].as_str().unwrap());

    for (other, code) in [
        (
            json!({"name": "Bob", "number": NUMBER, "pin": "4821"}),
            "pin_taken",
        ),
        (
            json!({"name": "Bob", "number": NUMBER, "phones": ["+12025550143"]}),
            "phone_taken",
        ),
        (
            json!({"name": "Bob", "number": NUMBER, "exclusive": true}),
            "number_in_use",
        ),
    ] {
        problem(
            send(&service, key, "POST", "/v1/users", Some(other)).await,
            409,
            code,
        )
        .await;
    }

    let patch = json!({"name": "Alice B.", "pin": null});
    let changed = body(send(&service, key, "PATCH", &path, Some(patch)).await, 200).await;
    assert_eq!(
        (&changed["name"], &changed["phones"]),
        (&json!("Alice B."), &alice["phones"])
    );
    assert_eq!(
        body(send(&service, key, "GET", &path, None).await, 200).await,
        changed
    );
    let listed = send(&service, key, "GET", "/v1/users?number=%2B12025550101", None).await;
    assert_eq!(body(listed, 200).await, json!([changed]));
    let numbers = body(send(&service, key, "GET", "/v1/numbers", None).await, 200).await;
    assert_eq!(numbers[0]["users"], 1);

    let path_of_number = format!("/v1/numbers/{}", NUMBER.replace('+', "%2B"));
    let set = |share: serde_json::Value| {
        send(
            &service,
            key,
            "PATCH",
            &path_of_number,
            Some(json!({"max_false_accept": share})),
        )
    };
    let stricter = body(set(json!(0.005)).await, 200).await;
    assert_eq!(
        (
            &stricter["max_false_accept"],
            &stricter["max_wrong_name"],
            &stricter["users"]
        ),
        (&json!(0.005), &json!(null), &json!(1))
    );
    problem(set(json!(0.7)).await, 422, "invalid").await;
    problem(set(json!(0.000_001)).await, 422, "invalid").await;
    let usual = body(set(json!(null)).await, 200).await;
    assert_eq!(usual["max_false_accept"], json!(null));

    let shown = send(&service, key, "GET", &path_of_number, None).await;
    assert_eq!(body(shown, 200).await, usual);
    let elsewhere = "/v1/numbers/%2B12025550198";
    problem(
        send(&service, key, "GET", elsewhere, None).await,
        404,
        "unknown_number",
    )
    .await;

    let receipt = body(send(&service, key, "DELETE", &path, None).await, 200).await;
    assert_eq!(
        (&receipt["user_id"], &receipt["voiceprints_erased"]),
        (&alice["id"], &json!(0))
    );
    problem(send(&service, key, "GET", &path, None).await, 404, "unknown_user").await;
}

#[tokio::test]
async fn an_enrolled_voice_is_found_until_it_is_erased() {
    let service = Service::start().await;
    service.number().await;
    let alice = service.user("Alice").await;
    let key = &service.key(&[Scope::Enroll, Scope::Identify]).await;
    let path = format!("/v1/users/{alice}/enrollments");
    let identify = async || {
        let request = service
            .post("/v1/identify")
            .bearer_auth(key)
            .multipart(call_form("alice-1"));
        body(request.send().await.unwrap(), 200).await
    };
    assert_eq!(identify().await["reason"], "empty_roster");

    let filled = form(signup("alice"), &[("consent", CONSENT)]);
    let enrol = service.post(&path).bearer_auth(key).multipart(filled);
    let report = body(enrol.send().await.unwrap(), 201).await;
    assert_eq!(
        (&report["accepted"], &report["issues"]),
        (&json!(true), &json!([]))
    );
    assert_eq!(identify().await["user_id"], alice.to_string());

    let listed = body(send(&service, key, "GET", &path, None).await, 200).await;
    assert_eq!(
        (&listed[0]["id"], &listed[0]["clips"]),
        (&report["enrollment_id"], &json!(3))
    );
    let one = format!("{path}/{}", report["enrollment_id"].as_str().unwrap());
    let receipt = body(send(&service, key, "DELETE", &one, None).await, 200).await;
    assert_eq!(receipt["enrollments_erased"], 1);
    assert!(receipt["voiceprints_erased"].as_u64().unwrap() >= 3);
    assert_eq!(identify().await["reason"], "empty_roster");
    problem(
        send(&service, key, "DELETE", &one, None).await,
        404,
        "unknown_enrollment",
    )
    .await;
    let receipt = body(send(&service, key, "DELETE", &path, None).await, 200).await;
    assert_eq!(receipt["enrollments_erased"], 0);
}

#[tokio::test]
async fn recordings_that_are_not_good_enough_are_refused_with_the_report() {
    let service = Service::start().await;
    let alice = service.enrolled().await;
    let key = &service.key(&[Scope::Enroll]).await;
    let path = format!("/v1/users/{alice}/enrollments");
    let one_word = || vec![("word.wav".to_owned(), sample("calls/one-word.wav"))];
    let two_people = vec![signup("walter")[0].clone(), signup("nuria")[0].clone()];
    for (recordings, status, code, issue) in [
        (one_word(), 422, "enrollment_refused", "too_little_speech"),
        (two_people, 422, "enrollment_refused", "different_voices"),
        (
            signup("robert"),
            422,
            "enrollment_refused",
            "not_the_voice_before",
        ),
        (signup("alice"), 409, "duplicate_recording", "duplicate_clip"),
        (
            [signup("alice"), signup("alice")].concat(),
            409,
            "duplicate_recording",
            "duplicate_clip",
        ),
    ] {
        let request = service.post(&path).bearer_auth(key);
        let request = request.multipart(form(recordings, &[("consent", CONSENT)]));
        let refused = problem(request.send().await.unwrap(), status, code).await;
        let report = &refused["report"];
        assert_eq!(
            (&report["accepted"], &report["enrollment_id"]),
            (&json!(false), &Value::Null)
        );
        let issues = report["issues"].as_array().unwrap();
        let named = issues.iter().find(|known| known["code"] == issue);
        let named = named.unwrap_or_else(|| panic!("{issue} is not in {issues:?}"));
        assert!(
            refused["detail"]
                .as_str()
                .unwrap()
                .contains(named["message"].as_str().unwrap())
        );
    }
    for (filled, status, code) in [
        (form(one_word(), &[]), 400, "bad_request"),
        (form(one_word(), &[("consent", "  ")]), 422, "invalid"),
        (form(Vec::new(), &[("consent", CONSENT)]), 422, "invalid"),
        (
            form(vec![one_word()[0].clone(); 17], &[("consent", CONSENT)]),
            422,
            "invalid",
        ),
        (
            form(vec![one_word()[0].clone(); 32], &[("consent", CONSENT)]),
            400,
            "bad_request",
        ),
    ] {
        let request = service.post(&path).bearer_auth(key).multipart(filled);
        problem(request.send().await.unwrap(), status, code).await;
    }
    assert_eq!(
        body(send(&service, key, "GET", &path, None).await, 200).await[0]["clips"],
        3
    );
}

#[tokio::test]
async fn another_voice_is_enrolled_by_an_administrator_and_never_unseen() {
    let service = Service::start().await;
    let alice = service.enrolled().await;
    let (enroll, admin) = (
        service.key(&[Scope::Enroll]).await,
        service.key(&[Scope::Admin]).await,
    );
    let operator = Access::operator();
    let mut updates = service.board.view(&operator).updates();
    let path = format!("/v1/users/{alice}/enrollments");
    let send = async |key: &str, voice: &str| {
        let texts = [
            ("consent", CONSENT),
            ("allow_other_voice", "true"),
            ("allow_duplicate", "true"),
        ];
        let request = service.post(&path).bearer_auth(key);
        request
            .multipart(form(signup(voice), &texts))
            .send()
            .await
            .unwrap()
    };
    problem(send(&enroll, "robert").await, 403, "forbidden").await;
    let report = body(send(&admin, "robert").await, 201).await;
    let Update::Enrolled(told) = updates.next().await.unwrap() else {
        panic!("nobody called")
    };
    assert_eq!((told.user_id, told.again), (alice, true));
    assert_eq!(json!(told.enrollment_id), report["enrollment_id"]);
}
