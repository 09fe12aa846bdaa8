//! Two companies on one real service, set up by the command line.

use std::path::Path;

use serde_json::{Value, json};

use crate::process::{Service, program};

fn run(data: &Path, args: &[&str]) -> (i32, Value, String) {
    let done = program(data).args(args).arg("--json").output().unwrap();
    (
        done.status.code().unwrap(),
        serde_json::from_slice(&done.stdout).unwrap_or(Value::Null),
        String::from_utf8([done.stdout, done.stderr].concat()).unwrap(),
    )
}

fn done(data: &Path, args: &[&str]) -> Value {
    let (status, document, said) = run(data, args);
    assert_eq!(status, 0, "{args:?}: {said}");
    document
}

/// A company with a number, a user and a key.
struct Company {
    name: &'static str,
    number: &'static str,
    user: String,
    key: String,
}

impl Company {
    fn new(data: &Path, name: &'static str, number: &'static str) -> Self {
        done(data, &["tenant", "add", name]);
        done(data, &["number", "add", number, "--tenant", name, "--name", name]);
        let user = done(data, &["user", "add", "--name", name, "--number", number]);
        let key = done(data, &["keys", "create", "--tenant", name, "--scope", "admin"]);
        Self {
            name,
            number,
            user: user["id"].as_str().unwrap().to_owned(),
            key: key["key"].as_str().unwrap().to_owned(),
        }
    }
}

async fn get(service: &Service, key: &str, path: &str) -> (u16, String) {
    let request = service
        .http
        .get(format!("{}{path}", service.base))
        .bearer_auth(key);
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn the_real_service_lists_to_each_company_its_own_alone() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let companies = [
        Company::new(data, "Harbour", "+12025550111"),
        Company::new(data, "Meadow", "+12025550122"),
    ];
    let service = Service::start(data);
    for (own, other) in [(0, 1), (1, 0)].map(|(own, other)| (&companies[own], &companies[other])) {
        let escaped = own.number.replace('+', "%2B");
        for (path, holds) in [
            ("/v1/numbers".to_owned(), own.number),
            (format!("/v1/users?number={escaped}"), own.name),
            ("/v1/enrollments".to_owned(), own.name),
            (format!("/v1/users/{}/enrollments", own.user), "[]"),
            (format!("/v1/users/{}/invites", own.user), "[]"),
            (format!("/v1/users/{}/consents", own.user), "[]"),
            (format!("/v1/numbers/{escaped}/alike"), "\"pairs\":[]"),
            ("/v1/calls".to_owned(), "[]"),
            ("/v1/calls?live=true".to_owned(), "[]"),
            ("/v1/keys".to_owned(), own.name),
            ("/v1/accuracy/reports".to_owned(), "\"folder\":\"\""),
            ("/v1/setup".to_owned(), "\"numbers\":1"),
        ] {
            let (status, text) = get(&service, &own.key, &path).await;
            assert_eq!(status, 200, "{path}: {text}");
            assert!(text.contains(holds), "{path}: {text}");
            for secret in [other.name, other.number, other.user.as_str()] {
                assert!(!text.contains(secret), "{path}: {text}");
            }
        }
        for path in [
            format!("/v1/users?number={}", other.number.replace('+', "%2B")),
            format!("/v1/users/{}", other.user),
            format!("/v1/users/{}/enrollments", other.user),
            format!("/v1/users/{}/invites", other.user),
            format!("/v1/users/{}/consents", other.user),
            format!("/v1/users/{}/health", other.user),
        ] {
            let (status, text) = get(&service, &own.key, &path).await;
            assert_eq!(status, 404, "{path}: {text}");
            assert!(!text.contains(other.name), "{text}");
        }
    }
    // The operator's own key sees neither.
    let (_, text) = get(&service, &service.key, "/v1/numbers").await;
    assert_eq!(text, "[]");
    let (status, keys) = service.get("/v1/keys").await;
    assert_eq!((status, keys.as_array().unwrap().len()), (200, 1), "{keys}");
    // Nothing is given to a page of another origin.
    let asked = service
        .http
        .request("OPTIONS".parse().unwrap(), format!("{}/v1/numbers", service.base));
    let asked = asked.header("origin", "https://evil.example");
    let asked = asked
        .header("access-control-request-method", "GET")
        .send()
        .await
        .unwrap();
    assert!(
        asked
            .headers()
            .keys()
            .all(|name| !name.as_str().starts_with("access-control"))
    );
    let rebound = service.http.get(format!("{}/console/login", service.base));
    let rebound = rebound.header("host", "rebound.example").send().await.unwrap();
    assert_eq!(rebound.status(), 403);
}

#[tokio::test]
async fn the_command_line_tells_whose_a_key_is_its_scope_and_last_use() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let company = Company::new(data, "Harbour", "+12025550111");
    let narrow = [
        "keys",
        "create",
        "--tenant",
        "Harbour",
        "--scope",
        "identify",
        "--number",
        company.number,
    ];
    let narrow = done(data, &narrow);
    assert_eq!(
        (&narrow["tenant"], &narrow["numbers"]),
        (&json!("Harbour"), &json!([company.number]))
    );
    assert_eq!(narrow["last_used_at"], Value::Null);
    let elsewhere = [
        "keys",
        "create",
        "--scope",
        "identify",
        "--number",
        company.number,
    ];
    let (status, _, said) = run(data, &elsewhere);
    assert!(status == 1 && said.contains("is not here"), "{said}");

    let service = Service::start(data);
    let (status, _) = get(&service, narrow["key"].as_str().unwrap(), "/v1/calls").await;
    assert_eq!(status, 200);
    let mut used = Value::Null;
    for _ in 0..100 {
        let listed = done(data, &["keys", "list"]);
        let listed = listed
            .as_array()
            .unwrap()
            .iter()
            .find(|key| key["id"] == narrow["id"])
            .unwrap();
        used = listed["last_used_at"].clone();
        if used.is_string() {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert!(used.is_string(), "{used}");

    let (status, _, said) = run(data, &["tenant", "remove", "Harbour"]);
    assert!(status == 1 && said.contains("1 users"), "{said}");
    done(data, &["user", "remove", &company.user]);
    done(data, &["tenant", "remove", "Harbour"]);
    let tenants = done(data, &["tenant", "list"]);
    assert_eq!(tenants.as_array().unwrap().len(), 1, "{tenants}");
    assert_eq!(tenants[0]["name"], "default");
    let (status, _) = get(&service, &company.key, "/v1/numbers").await;
    assert_eq!(status, 401, "its keys went with it");
}
