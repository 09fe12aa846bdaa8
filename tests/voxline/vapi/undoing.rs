//! `voxline vapi undo`: the account as it was before, whatever happened in between.

use std::os::unix::fs::PermissionsExt;

use serde_json::{Value, json};
use sqlx::{Connection, SqliteConnection};

use super::account::{Deployment, OURS, THEIRS};
use super::harness::NUMBER;

fn edit(deployment: &mut Deployment, id: &str, at: &str, to: Value) {
    let shelf = if id.starts_with("pn") {
        "phone-number"
    } else {
        "assistant"
    };
    let done = deployment
        .peer
        .ask(&json!({"do": "edit", "shelf": shelf, "id": id, "at": at, "to": to}));
    assert_eq!(done["ok"], true, "{done}");
}

#[test]
fn applied_and_undone_the_account_is_as_it_was_to_the_byte() {
    for settings in [&[][..], &[("VOXLINE_VAPI_MODE", "number")][..]] {
        let mut deployment = Deployment::open(settings);
        deployment.with_backend();
        let before = deployment.bare_dump();
        assert_eq!(deployment.run(&["vapi", "apply", "--take-over"]).code, 0);
        assert_ne!(deployment.bare_dump(), before);
        let file = deployment.data.path().join("vapi-undo.json");
        assert_eq!(
            std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        let kept = std::fs::read_to_string(&file).unwrap();
        assert!(
            !kept.contains(super::harness::SECRET),
            "our own secret is not in it"
        );
        let undone = deployment.run(&["vapi", "undo"]);
        assert_eq!(undone.code, 0, "{}", undone.said);
        assert_eq!(undone.of("tool `verify_pin`")["state"], "removed");
        assert_eq!(undone.of(&format!("number {NUMBER}"))["state"], "restored");
        assert_eq!(deployment.bare_dump(), before);
        assert!(!file.exists());
        deployment.writes();
        let again = deployment.run(&["vapi", "undo"]);
        assert_eq!((again.code, again.in_state("ok")), (0, vec!["nothing to undo"]));
    }
}

#[test]
fn several_applications_are_undone_as_one() {
    let mut deployment = Deployment::open(&[]);
    deployment.with_backend();
    let before = deployment.bare_dump();
    deployment.run(&["vapi", "apply", "--take-over"]);
    deployment.set("VOXLINE_VAPI_TOOL_SECONDS", "60");
    deployment.set("VOXLINE_VAPI_AUTH", "bearer");
    let second = deployment.run(&["vapi", "apply"]);
    assert_eq!(second.of("assistant a-1")["state"], "updated", "{}", second.said);
    assert_eq!(
        deployment.thing("assistant", "a-1")["server"]["timeoutSeconds"],
        65
    );
    deployment.set("VOXLINE_PUBLIC_URL", "https://new.example.com");
    let third = deployment.run(&["vapi", "apply"]);
    assert_eq!(
        third.code, 0,
        "our own former address is nobody else's: {}",
        third.said
    );
    assert_eq!(
        deployment.dump()["tool"].as_array().unwrap().len(),
        3,
        "no tool is made twice"
    );
    let undone = deployment.run(&["vapi", "undo"]);
    assert_eq!(undone.code, 0, "{}", undone.said);
    assert_eq!(deployment.bare_dump(), before);
    deployment.writes();
}

#[test]
fn undoing_overwrites_nothing_that_others_changed() {
    let mut deployment = Deployment::open(&[]);
    deployment.with_backend();
    let before = deployment.bare_dump();
    deployment.run(&["vapi", "apply", "--take-over"]);
    // A prompt that was written since is nobody's loss.
    let prompt = json!([{"role": "system", "content": "New."}]);
    edit(&mut deployment, "a-1", "/model/messages", prompt.clone());
    // An address that was set since is.
    edit(
        &mut deployment,
        "a-1",
        "/server/url",
        json!("https://third.example.com/x?key=hunter2"),
    );
    let held = deployment.dump();
    let refused = deployment.run(&["vapi", "undo"]);
    assert_eq!(refused.code, 1);
    assert_eq!(refused.in_state("changed"), ["assistant a-1"]);
    let remedy = refused.of("assistant a-1")["remedy"].as_str().unwrap();
    for part in ["server.url", "third.example.com", "--force"] {
        assert!(remedy.contains(part), "{remedy}");
    }
    assert_eq!(deployment.dump(), held, "nothing at all is changed");
    let forced = deployment.run(&["vapi", "undo", "--force"]);
    assert_eq!(forced.code, 0, "{}", forced.said);
    let assistant = deployment.thing("assistant", "a-1");
    assert_eq!(assistant["server"]["url"], THEIRS);
    assert_eq!(assistant["model"]["messages"], prompt);
    let original = json!([{"role": "system", "content": super::account::GUIDED}]);
    edit(&mut deployment, "a-1", "/model/messages", original);
    assert_eq!(deployment.bare_dump(), before);
}

#[test]
fn a_tool_or_credential_that_others_use_meanwhile_is_not_taken_from_them() {
    let mut deployment = Deployment::open(&[]);
    deployment.with_backend();
    deployment.run(&["vapi", "apply", "--take-over"]);
    let tool = deployment.dump()["tool"][1]["id"].clone();
    deployment.shelve("assistant", json!({"id": "a-7", "model": {"toolIds": [tool]}}));
    let credential = deployment.thing("assistant", "a-1")["server"]["credentialId"].clone();
    deployment.shelve(
        "assistant",
        json!({"id": "a-8", "server": {"url": THEIRS, "credentialId": credential}}),
    );
    let refused = deployment.run(&["vapi", "undo"]);
    assert_eq!(refused.code, 1);
    let changed = refused.in_state("changed");
    assert_eq!(changed.len(), 2, "{changed:?}");
    assert!(
        refused.said.contains("a-7") && refused.said.contains("a-8"),
        "{}",
        refused.said
    );
    assert_eq!(deployment.thing("assistant", "a-1")["server"]["url"], OURS);
}

#[test]
fn what_was_cut_short_is_undone_as_far_as_it_came() {
    let mut deployment = Deployment::open(&[]);
    deployment.with_backend();
    let before = deployment.bare_dump();
    deployment
        .peer
        .ask(&json!({"do": "break", "path": "/phone-number/pn-1"}));
    let failed = deployment.run(&["vapi", "apply", "--take-over"]);
    assert_eq!(failed.code, 1);
    assert!(failed.said.contains("500"), "{}", failed.said);
    assert_eq!(deployment.thing("assistant", "a-1")["server"]["url"], OURS);
    // So is an undoing that was cut short.
    deployment
        .peer
        .ask(&json!({"do": "break", "path": "/assistant/a-1"}));
    assert_eq!(deployment.run(&["vapi", "undo"]).code, 1);
    deployment.peer.ask(&json!({"do": "break"}));
    let undone = deployment.run(&["vapi", "undo"]);
    assert_eq!(undone.code, 0, "{}", undone.said);
    assert_eq!(deployment.bare_dump(), before);
}

#[test]
fn an_undoing_that_waits_in_a_draft_is_to_be_published() {
    let mut deployment = Deployment::open(&[]);
    deployment.shelve("assistant", json!({"id": "a-1", "latestVersion": "v3"}));
    deployment.with_number();
    deployment.peer.ask(&json!({"do": "versions", "mode": "draft"}));
    let before = deployment.bare_dump();
    deployment.run(&["vapi", "apply"]);
    let undone = deployment.run(&["vapi", "undo"]);
    assert_eq!(undone.code, 1);
    assert_eq!(undone.in_state("differs"), ["published version of assistant a-1"]);
    assert_eq!(deployment.bare_dump(), before);
}

#[tokio::test]
async fn what_was_done_is_said_also_where_the_store_takes_no_note_of_it() {
    let mut deployment = Deployment::open(&[]);
    deployment.with_backend();
    deployment.run(&["vapi", "apply", "--take-over"]);
    let file = deployment.data.path().join("voxline.db");
    let mut conn = SqliteConnection::connect(&format!("sqlite://{}", file.display()))
        .await
        .unwrap();
    sqlx::query("CREATE TRIGGER refuse BEFORE INSERT ON audit BEGIN SELECT RAISE(ABORT, 'no'); END")
        .execute(&mut conn)
        .await
        .unwrap();
    conn.close().await.unwrap();
    let undone = deployment.run(&["vapi", "undo"]);
    assert_eq!(undone.code, 1);
    for part in ["\"restored\"", "not noted in the store"] {
        assert!(undone.said.contains(part), "{}", undone.said);
    }
}

#[test]
fn a_record_of_another_account_is_not_followed() {
    let mut deployment = Deployment::open(&[]);
    deployment.with_backend();
    deployment.run(&["vapi", "apply", "--take-over"]);
    let elsewhere = format!("{}/elsewhere", deployment.peer.address);
    let refused = deployment.run(&["vapi", "undo", "--base-url", &elsewhere]);
    assert_eq!(refused.code, 1);
    assert!(refused.said.contains("vapi-undo.json"), "{}", refused.said);
}
