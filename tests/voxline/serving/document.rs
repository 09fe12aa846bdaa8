//! The OpenAPI document against the golden one and against the routes.

use std::collections::BTreeSet;

use serde_json::Value;

use super::harness::Service;

const GOLDEN: &str = "tests/data/openapi.json";

fn document() -> Value {
    serde_json::to_value(voxline::reply::openapi()).unwrap()
}

/// Every operation: its method, its path, and what is said of it.
pub fn operations() -> Vec<(String, String, Value)> {
    let document = document();
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let methods = item.as_object().unwrap().iter();
        methods
            .map(|(method, operation)| (method.to_uppercase(), path.clone(), operation.clone()))
            .collect::<Vec<_>>()
    };
    paths.iter().flat_map(of_path).collect()
}

/// `path` with something of the right form in each of its places.
pub fn filled(path: &str) -> String {
    const ID: &str = "01990000-0000-7000-8000-000000000000";
    path.replace("{id}", ID)
        .replace("{enrollment_id}", ID)
        .replace("{invite_id}", ID)
        .replace("{carrier}", "twilio")
}

#[test]
fn the_document_is_the_one_that_was_agreed_on() {
    let path = crate::support::root().join(GOLDEN);
    let made = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    if std::env::var_os("VOXLINE_TEST_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        golden == made,
        "{GOLDEN} is another document than the service's: if the change is meant, write it anew with \
         VOXLINE_TEST_WRITE_GOLDEN=1 and look at the difference"
    );
}

#[test]
fn every_operation_has_its_own_name_a_summary_a_tag_and_problems() {
    let mut names = BTreeSet::new();
    for (method, path, operation) in operations() {
        let name = operation["operationId"].as_str().unwrap().to_owned();
        assert!(names.insert(name.clone()), "{name} twice");
        assert!(operation["summary"].is_string(), "{method} {path} has no summary");
        assert_eq!(operation["tags"].as_array().unwrap().len(), 1);
        for (status, response) in operation["responses"].as_object().unwrap() {
            if status.starts_with(['4', '5', 'd']) {
                let schema = &response["content"]["application/problem+json"]["schema"]["$ref"];
                assert_eq!(schema, "#/components/schemas/Problem", "{method} {path} {status}");
            }
        }
    }
}

#[test]
fn every_schema_that_is_referred_to_is_there() {
    fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
        match value {
            Value::Object(members) => {
                found.extend(members.get("$ref").and_then(Value::as_str));
                members.values().for_each(|member| references(member, found));
            }
            Value::Array(items) => items.iter().for_each(|item| references(item, found)),
            _ => {}
        }
    }
    let document = document();
    let mut found = BTreeSet::new();
    references(&document, &mut found);
    assert!(found.len() > 10, "{found:?}");
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
    }
}

#[tokio::test]
async fn the_service_shows_the_document_and_has_every_route_of_it() {
    let service = Service::start().await;
    let shown: Value = service
        .get("/openapi.json")
        .send()
        .await
        .unwrap()
        .json()
        .await
        .unwrap();
    assert_eq!(shown, document());
    for (method, path, _) in operations() {
        let path = filled(&path);
        let response = service.request(&method, &path).send().await.unwrap();
        let status = response.status().as_u16();
        assert!(!matches!(status, 404 | 405), "{method} {path}: {status}");
    }
}
