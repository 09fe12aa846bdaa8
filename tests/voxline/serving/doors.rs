//! Keys and scopes: who is let in where.

use reqwest::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use serde_json::{Value, json};
use voxline::reply::{ServeError, ServeSettings, serve};
use voxline::store::Scope;

use super::document::{filled, operations};
use super::harness::{self, Service, call_form, problem};

const ALL: [Scope; 4] = [Scope::Enroll, Scope::Identify, Scope::Scores, Scope::Admin];

/// The scope that an operation of the document needs.
fn scope(operation: &Value) -> Option<Scope> {
    let scope = operation.pointer("/security/0/bearer/0")?.as_str()?;
    Some(scope.parse().unwrap())
}

#[tokio::test]
async fn without_a_key_nothing_but_operations_is_open() {
    let service = Service::start().await;
    let mut open = Vec::new();
    for (method, path, operation) in operations() {
        let response = service.request(&method, &filled(&path)).send().await.unwrap();
        // Carriers have signatures instead of keys.
        if operation["tags"][0] == "carriers" {
            problem(response, 401, "unauthorized").await;
            continue;
        }
        // Vapi has its own proofs too, and this service no Vapi side.
        if operation["tags"][0] == "vapi" {
            problem(response, 503, "unavailable").await;
            continue;
        }
        if scope(&operation).is_none() {
            assert_eq!(response.status(), 200, "{method} {path}");
            open.push(path);
            continue;
        }
        // These bring a login where they are asked for it.
        let by_login = ["/media/bandwidth", "/media/asterisk", "/media/jambonz"].contains(&path.as_str());
        let asked = response.headers()[WWW_AUTHENTICATE].to_str().unwrap();
        assert!(
            asked.starts_with(if by_login { "Basic" } else { "Bearer" }),
            "{path}: {asked}"
        );
        problem(response, 401, "unauthorized").await;
    }
    let expected = [
        "/healthz",
        "/metrics",
        "/openapi.json",
        "/readyz",
        "/v1/receipts/keys",
    ];
    assert_eq!(open, expected);
}

#[tokio::test]
async fn every_operation_is_allowed_to_its_scope_and_names_it_to_others() {
    let service = Service::start().await;
    for (method, path, operation) in operations() {
        let Some(needed) = scope(&operation) else { continue };
        let send = async |key: String| {
            let request = service.request(&method, &filled(&path)).bearer_auth(key);
            request.send().await.unwrap()
        };
        let others: Vec<Scope> = ALL
            .into_iter()
            .filter(|scope| *scope != needed && *scope != Scope::Admin)
            .collect();
        let refused = problem(send(service.key(&others).await).await, 403, "forbidden").await;
        let detail = refused["detail"].as_str().unwrap();
        assert!(
            detail.contains(&format!("`{needed}`")),
            "{method} {path}: {detail}"
        );
        for enough in [needed, Scope::Admin] {
            let status = send(service.key(&[enough]).await).await.status().as_u16();
            assert!(
                !matches!(status, 401 | 403),
                "{method} {path} with {enough}: {status}"
            );
        }
    }
}

#[tokio::test]
async fn what_is_no_key_of_ours_is_refused_with_the_reason() {
    let service = Service::start().await;
    let revoked = service.key(&[Scope::Admin]).await;
    let id = service.board.store().keys().await.unwrap()[0].id;
    service.board.store().revoke_key(id).await.unwrap();
    for (header, said) in [
        (format!("Bearer {revoked}"), "revoked"),
        (format!("Bearer vx_{}", "A".repeat(43)), "not known here"),
        ("Bearer".to_owned(), "not of the form"),
        ("Basic dXNlcjpwYXNz".to_owned(), "another scheme"),
    ] {
        let request = service.get("/v1/numbers").header(AUTHORIZATION, &header);
        let document = problem(request.send().await.unwrap(), 401, "unauthorized").await;
        assert!(document["detail"].as_str().unwrap().contains(said), "{document}");
    }
}

#[tokio::test]
async fn scores_are_shown_only_to_those_who_may_see_them() {
    let service = Service::start().await;
    let alice = service.enrolled().await;
    for (scopes, shown) in [
        (&[Scope::Identify][..], false),
        (&[Scope::Identify, Scope::Scores], true),
        (&[Scope::Admin], true),
    ] {
        let request = service
            .post("/v1/identify")
            .bearer_auth(service.key(scopes).await);
        let response = request.multipart(call_form("alice-1")).send().await.unwrap();
        let said = harness::json(response, 200).await;
        assert_eq!(said["outcome"], "identified");
        assert_eq!(said["user_id"], alice.to_string());
        assert_eq!(said["posterior"].is_number(), shown, "{said}");
        assert_eq!(said["llr"].is_number(), shown, "{said}");
        assert_eq!(said["candidates"] == json!([]), !shown, "{said}");
    }
}

#[tokio::test]
async fn insecure_dev_asks_nobody_on_this_machine_and_says_so_in_every_answer() {
    let service = Service::changed(|settings| settings.app.insecure_dev = true).await;
    for path in ["/v1/numbers", "/healthz", "/nowhere"] {
        let response = service.get(path).send().await.unwrap();
        assert_eq!(response.headers()["x-voxline-insecure-dev"], "true", "{path}");
        assert_ne!(response.status(), 401, "{path}");
    }
    let elsewhere = service
        .get("/v1/numbers")
        .header("origin", "https://evil.example");
    problem(elsewhere.send().await.unwrap(), 403, "forbidden").await;
}

#[tokio::test]
async fn insecure_dev_is_refused_where_other_machines_can_reach() {
    let service = Service::start().await;
    let everywhere = tokio::net::TcpListener::bind("0.0.0.0:0").await.unwrap();
    let config = crate::support::config(&[]);
    let mut settings = ServeSettings::new(everywhere, config.reply, config.carriers);
    settings.app.insecure_dev = true;
    let started = serve(service.board.clone(), settings, std::future::pending()).await;
    assert!(
        matches!(started, Err(ServeError::InsecureBeyondLoopback(_))),
        "{started:?}"
    );
}
