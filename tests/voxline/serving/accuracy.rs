//! Reports of benchmarks, drift of calls, and how far a deployment has come.

use std::path::Path;

use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};
use voxline::store::{CallRecord, Scope};

use super::harness::{NUMBER, Service, json as body, problem};

fn report(folder: &Path, details: &Value) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(
        folder.join("metrics.json"),
        json!({"eer": 0.02, "model": "m"}).to_string(),
    )
    .unwrap();
    std::fs::write(folder.join("details.json"), details.to_string()).unwrap();
}

#[tokio::test]
async fn reports_are_found_without_a_restart_and_name_no_recording() {
    let service = Service::start().await;
    let key = &service.key(&[Scope::Identify]).await;
    let none = service.shown(key, "/v1/accuracy/reports").await;
    assert_eq!(none["reports"], json!([]));
    assert!(none["accept"].as_f64().unwrap() > 0.0 && none["max_false_accept"].is_null());

    let folder = service.folder.path().join("accuracy");
    let details = json!({"run": {"protocol": "usa"}, "picks": [{"accept": 0.9}], "most_alike": [{"test": "alice.wav"}]});
    report(&folder.join("usa calls"), &details);
    let listed = service.shown(key, "/v1/accuracy/reports").await;
    assert_eq!(
        (
            &listed["reports"][0]["id"],
            &listed["reports"][0]["protocol"],
            &listed["reports"][0]["fault"]
        ),
        (&json!("usa calls"), &json!("usa"), &Value::Null)
    );
    let shown = service.shown(key, "/v1/accuracy/reports/usa%20calls").await;
    assert_eq!(
        (&shown["metrics"]["eer"], &shown["curves"]),
        (&json!(0.02), &Value::Null)
    );
    assert_eq!(shown["details"]["picks"][0]["accept"], 0.9);
    assert!(!shown.to_string().contains("alice.wav"), "{shown}");
}

#[tokio::test]
async fn nothing_but_a_report_of_the_folder_is_opened() {
    let service = Service::start().await;
    let key = &service.key(&[Scope::Identify]).await;
    let folder = service.folder.path().join("accuracy");
    report(folder.parent().unwrap(), &json!({}));
    for id in ["..", "none", "..%2F..", "%2Fetc", "usa"] {
        let path = format!("/v1/accuracy/reports/{id}");
        let status = service.asked(key, &path).await.status().as_u16();
        assert!(matches!(status, 400 | 404), "{id}: {status}");
    }
    report(&folder.join("torn"), &json!([]));
    let torn = service
        .refuses(key, "/v1/accuracy/reports/torn", 422, "invalid")
        .await;
    assert!(
        torn["detail"].as_str().unwrap().contains("details.json"),
        "{torn}"
    );
    let listed = service.shown(key, "/v1/accuracy/reports").await;
    assert!(
        listed["reports"][0]["fault"]
            .as_str()
            .unwrap()
            .contains("details.json"),
        "{listed}"
    );
}

/// Ten weeks of ten calls a day; after the first four weeks their ratios are lower by `lower`.
async fn calls(service: &Service, lower: f64) {
    let begin = OffsetDateTime::now_utc() - Duration::days(70);
    for at in 0..700 {
        let late = at >= 280;
        // An even spread that is the same for both.
        let llr = f64::from(at % 20) / 4.0 - if late { lower } else { 0.0 };
        let record = CallRecord {
            call_id: format!("call-{at}").parse().unwrap(),
            number: NUMBER.parse().unwrap(),
            started_at: begin + Duration::minutes(144 * i64::from(at)),
            updated_at: begin + Duration::minutes(144 * i64::from(at) + 1),
            version: 1,
            is_final: true,
            verdict: json!({"outcome": if at % 3 == 0 { "unknown" } else { "inconclusive" }, "llr": llr}),
            evidence: None,
        };
        assert!(service.board.store().put_verdict(&record).await.unwrap());
    }
}

#[tokio::test]
async fn a_drift_of_scores_is_told_to_who_may_see_scores() {
    let service = Service::start().await;
    service.number().await;
    calls(&service, 2.0).await;
    let analyst = &service.key(&[Scope::Identify, Scope::Scores]).await;
    let found = service.shown(analyst, "/v1/accuracy/drift").await;
    assert_eq!(
        (&found["moved"], &found["ratios"]["moved"]),
        (&json!(true), &json!(true)),
        "{found}"
    );
    assert_eq!(found["outcomes"]["moved"], false);
    assert!(
        found["sentence"]
            .as_str()
            .unwrap()
            .contains("lower than in the first 28 days"),
        "{found}"
    );
    let weeks = found["spans"].as_array().unwrap();
    assert!((10..=11).contains(&weeks.len()), "{}", weeks.len());
    assert_eq!(
        weeks
            .iter()
            .map(|week| week["calls"].as_u64().unwrap())
            .sum::<u64>(),
        700
    );

    let plain = &service.key(&[Scope::Identify]).await;
    let hidden = service.shown(plain, "/v1/accuracy/drift?by=day").await;
    assert_eq!(
        (&hidden["ratios"], &hidden["moved"]),
        (&Value::Null, &json!(false))
    );
    assert!(
        hidden["spans"]
            .as_array()
            .unwrap()
            .iter()
            .all(|day| day["ratios"].is_null())
    );
    let of_number = service
        .shown(plain, "/v1/accuracy/drift?number=%2B12025550101")
        .await;
    assert_eq!(of_number["first"]["calls"], hidden["first"]["calls"]);
    service
        .refuses(
            plain,
            "/v1/accuracy/drift?number=%2B12025550198",
            404,
            "unknown_number",
        )
        .await;
    service
        .refuses(plain, "/v1/accuracy/drift?by=year", 400, "bad_request")
        .await;
}

#[tokio::test]
async fn without_calls_there_is_no_drift_and_that_is_said() {
    let service = Service::start().await;
    let key = &service.key(&[Scope::Identify]).await;
    let none = service.shown(key, "/v1/accuracy/drift").await;
    assert_eq!((&none["moved"], &none["spans"]), (&Value::Null, &json!([])));
    assert!(none["sentence"].as_str().unwrap().contains("No call"), "{none}");
}

#[tokio::test]
async fn how_far_the_set_up_has_come_is_told_without_a_secret() {
    let secret = "a-secret-of-twilio-that-nobody-sees";
    let service = Service::with(&[
        ("public_url", "https://id.example.com"),
        ("twilio.auth_token", "a-secret-of-twilio-that-nobody-sees"),
    ])
    .await;
    let key = &service.key(&[Scope::Admin]).await;
    let empty = service.shown(key, "/v1/setup").await;
    assert_eq!(
        (&empty["numbers"], &empty["enrolled"], &empty["has_calls"]),
        (&json!(0), &json!(0), &json!(false))
    );
    service.enrolled().await;
    let whole = service.shown(key, "/v1/setup").await;
    assert_eq!(
        (&whole["numbers"], &whole["users"], &whole["enrolled"]),
        (&json!(1), &json!(2), &json!(2))
    );
    assert_eq!(whole["public_url"], "https://id.example.com");
    assert!(!whole.to_string().contains(secret));
    let names: Vec<&Value> = whole["carriers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["carrier"])
        .collect();
    assert_eq!(
        names,
        [
            "twilio",
            "telnyx",
            "vonage",
            "bandwidth",
            "plivo",
            "asterisk",
            "jambonz"
        ]
    );
}

#[tokio::test]
async fn a_captured_test_call_is_judged_as_by_the_command() {
    let service = Service::start().await;
    service.number().await;
    let key = &service.key(&[Scope::Admin]).await;
    let check = |text: &'static str| {
        let request = service.post("/v1/carriers/check").bearer_auth(key);
        request
            .header("content-type", "application/octet-stream")
            .body(text)
            .send()
    };
    let told = "INVITE sip:+12025550101@h SIP/2.0\r\nCall-ID: c\r\nDiversion: <sip:+12025550143@h>;reason=unconditional\r\n\r\n";
    let told = body(check(told).await.unwrap(), 200).await;
    assert_eq!(told["carriers"][0]["verdict"], "forwards", "{told}");
    assert_eq!(told["calls"][0]["forwarder"], "+12025550143");
    let silent = "INVITE sip:+12025550101@h SIP/2.0\r\nCall-ID: c\r\nFrom: <sip:+12025550144@h>\r\n\r\n";
    let silent = body(check(silent).await.unwrap(), 200).await;
    assert_eq!(silent["carriers"][0]["verdict"], "none", "{silent}");
    problem(
        check("nothing of the kind").await.unwrap(),
        415,
        "unsupported_media",
    )
    .await;
}
