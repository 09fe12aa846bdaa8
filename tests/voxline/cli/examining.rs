//! `voxline doctor` on what `serve` would refuse or go without.

use sqlx::{Connection, SqliteConnection};

use super::*;

/// What the doctor finds wrong with these settings.
fn wrong(site: &Site, settings: &[(&str, &str)]) -> Vec<String> {
    let mut command = site.command(&["doctor", "--json"]);
    command.envs(settings.iter().copied());
    let said = said(command);
    assert_eq!(said.status, 1, "{said:?}");
    let document = said.document();
    let findings = document["findings"].as_array().unwrap().iter();
    findings
        .filter(|found| found["state"] == "wrong")
        .map(|found| found["detail"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn the_doctor_finds_the_files_that_serve_would_refuse() {
    let site = Site::new();
    let junk = site.file("junk", b"no certificate");
    let below = format!("{junk}/captures");
    for (setting, value, part) in [
        (
            "VOXLINE_IDENTITY_PASSPORT_ROOTS",
            "/nonexistent/roots.pem",
            "identity.passport_roots",
        ),
        (
            "VOXLINE_IDENTITY_PASSPORT_ROOTS",
            junk.as_str(),
            "identity.passport_roots",
        ),
        ("VOXLINE_VAPI_CAPTURE_DIR", below.as_str(), "vapi.capture_dir"),
    ] {
        let found = wrong(&site, &[(setting, value)]);
        assert!(found.len() == 1 && found[0].contains(part), "{value}: {found:?}");
    }
    std::fs::create_dir(site.path().join("data")).unwrap();
    site.file("data/vapi-undo.json", b"{");
    let found = wrong(&site, &[]);
    assert!(
        found.len() == 1 && found[0].contains("vapi-undo.json"),
        "{found:?}"
    );
}

#[tokio::test]
async fn the_doctor_names_a_number_that_can_name_nobody_any_more() {
    let site = Site::with_number();
    let url = format!("sqlite://{}", site.path().join("data/voxline.db").display());
    let mut database = SqliteConnection::connect(&url).await.unwrap();
    // As it was set under another calibration.
    let promise = "UPDATE numbers SET max_wrong_name = 0.000001";
    sqlx::query(promise).execute(&mut database).await.unwrap();
    database.close().await.unwrap();
    let found = wrong(&site, &[]);
    assert!(found.len() == 1 && found[0].contains(NUMBER), "{found:?}");
}
