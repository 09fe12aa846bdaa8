//! What each command prints: with `--json` the contract's documents, otherwise text for a person.

use serde_json::json;

use super::*;

#[test]
fn numbers_are_printed_as_they_were_added() {
    let site = Site::new();
    let added = site.json(&["number", "add", NUMBER, "--region", "us", "--name", "Office"]);
    let names = (&added["number"], &added["region"], &added["name"]);
    assert_eq!(names, (&json!(NUMBER), &json!("US"), &json!("Office")));
    assert_eq!(site.json(&["number", "list"]), json!([added]));
    let set = site.json(&["number", "set", NUMBER, "--max-false-accept", "0.005"]);
    assert_eq!(
        (&set["max_false_accept"], &set["max_wrong_name"]),
        (&json!(0.005), &json!(null))
    );
    let shown = site.run(&["number", "list"]).stdout;
    assert!(shown.contains("strangers named at most 0.005"), "{shown}");
    let never = site.run(&["number", "set", NUMBER, "--max-wrong-name", "0.000001"]);
    assert!(
        never.status == 1 && never.stderr.contains("can never be reached"),
        "{never:?}"
    );
    let usual = site.json(&["number", "set", NUMBER, "--max-false-accept", "usual"]);
    assert_eq!(usual, added);
    let listed = site.run(&["number", "list"]).stdout;
    assert_eq!(listed, "+12025550102  0 users  Office\n");
}

#[test]
fn a_user_is_printed_with_everything_but_the_pin() {
    let site = Site::with_number();
    let pin = "48213579";
    let typed = [
        "user",
        "add",
        "--name",
        "Alice",
        "--number",
        NUMBER,
        "--phone",
        "+12025550147",
        "--pin",
        pin,
    ];
    let log = ("RUST_LOG", "trace");
    let mut command = site.command(&[&typed[..], &["--json"]].concat());
    command.env(log.0, log.1);
    let said = said(command);
    assert_eq!(said.status, 0, "{said:?}");
    for secret in [pin, NUMBER, "+12025550147"] {
        assert!(!said.stderr.contains(secret), "{secret} in {}", said.stderr);
    }
    let user = said.document();
    let contract = [
        "created_at",
        "enrolled",
        "exclusive",
        "id",
        "name",
        "numbers",
        "opted_out",
        "phones",
    ];
    assert_eq!(fields(&user), contract);
    assert_eq!(
        (&user["numbers"], &user["phones"]),
        (&json!([NUMBER]), &json!(["+12025550147"]))
    );
    assert_eq!(
        (&user["exclusive"], &user["enrolled"]),
        (&json!(false), &json!(false))
    );

    assert_eq!(site.json(&["user", "list", "--number", NUMBER]), json!([user]));
    let people = site.run(&["user", "list", "--number", NUMBER]);
    assert!(!said.all().contains(pin) && !people.all().contains(pin));

    let id = user["id"].as_str().unwrap();
    let receipt = site.json(&["user", "remove", id]);
    assert_eq!(
        (&receipt["user_id"], &receipt["voiceprints_erased"]),
        (&json!(id), &json!(0))
    );
    assert_eq!(site.json(&["user", "list", "--number", NUMBER]), json!([]));
}

#[test]
fn a_key_is_shown_once_and_never_again() {
    let site = Site::new();
    let created = site.json(&[
        "keys", "create", "--scope", "enroll", "--scope", "identify", "--name", "web",
    ]);
    let key = created["key"].as_str().unwrap();
    assert!(key.starts_with("vx_"));
    assert_eq!(
        (&created["scopes"], &created["name"]),
        (&json!(["enroll", "identify"]), &json!("web"))
    );

    let plain = site.run(&["keys", "create", "--scope", "admin"]);
    let second = plain.stdout.trim_end();
    // The key alone on stdout, so that a script can keep it; what is said about it is not part of it.
    assert!(second.starts_with("vx_") && !second.contains(char::is_whitespace));
    assert!(plain.stderr.contains("only time") && !plain.stderr.contains(second));

    let id = created["id"].as_str().unwrap();
    let revoked = site.json(&["keys", "revoke", id]);
    assert_eq!(revoked, json!({ "id": id, "revoked": true }));
    let listed = [site.run(&["keys", "list"]), site.run(&["keys", "list", "--json"])];
    for said in &listed {
        assert!(
            !said.all().contains(key) && !said.all().contains(second),
            "{said:?}"
        );
    }
    let keys = listed[1].document();
    let states: Vec<bool> = keys
        .as_array()
        .unwrap()
        .iter()
        .map(|key| key["revoked_at"].is_null())
        .collect();
    assert_eq!(states, [false, true]);
}

#[test]
fn models_are_listed_with_state_size_hash_and_licence() {
    let site = Site::new();
    let models = site.json(&["models", "list"]);
    let in_use = |model: &&serde_json::Value| model["in_use"] == true;
    let model = models.as_array().unwrap().iter().find(in_use).unwrap();
    assert_eq!(
        (&model["id"], &model["state"], &model["licence"], &model["in_use"]),
        (
            &json!("voxline-phone-2"),
            &json!("ready"),
            &json!("Apache-2.0"),
            &json!(true)
        )
    );
    assert!(model["bytes"].as_u64().unwrap() > 8_000_000);
    assert_eq!(model["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(&site.json(&["models", "check"]), model);
    // Listing loads nothing, so it works without the runtime.
    assert_eq!(
        site.json(&["--ort-lib", "/nonexistent", "models", "list"]),
        models
    );
}

#[test]
fn the_doctor_names_the_version_of_everything_and_leaves_no_trace() {
    let site = Site::new();
    let report = site.json(&["doctor"]);
    assert_eq!(
        (&report["ok"], &report["version"]),
        (&json!(true), &json!(env!("CARGO_PKG_VERSION")))
    );
    let findings = report["findings"].as_array().unwrap();
    let states: Vec<(&str, &str)> = findings
        .iter()
        .map(|found| (found["what"].as_str().unwrap(), found["state"].as_str().unwrap()))
        .collect();
    let well = [
        "retention",
        "gallery",
        "ONNX Runtime",
        "speaker model",
        "calibration",
    ]
    .map(|what| (what, "ok"));
    assert_eq!(
        states,
        [
            &[("store", "absent")],
            &well[..],
            &[("countermeasure", "absent"), ("TLS", "absent")]
        ]
        .concat()
    );
    let runtime = findings[3]["detail"].as_str().unwrap();
    let (version, _) = runtime.split_once(" at ").unwrap();
    assert!(
        version.split('.').all(|part| part.parse::<u32>().is_ok()),
        "{runtime}"
    );
    assert_eq!(std::fs::read_dir(site.path()).unwrap().count(), 0);
}

/// What the doctor finds of the calibration: its state, and what it says.
fn of_calibration(report: &Value) -> (&str, &str) {
    let findings = report["findings"].as_array().unwrap();
    let found = findings
        .iter()
        .find(|found| found["what"] == "calibration")
        .unwrap();
    (
        found["state"].as_str().unwrap(),
        found["detail"].as_str().unwrap(),
    )
}

#[test]
fn the_doctor_warns_of_a_target_that_was_not_kept_where_it_was_measured() {
    let site = Site::new();
    site.file("voxline.toml", b"[decision]\nmax_false_accept = 0.01\n");
    let report = site.json(&["doctor"]);
    assert_eq!(report["ok"], true);
    let (state, detail) = of_calibration(&report);
    assert_eq!(state, "warn", "{detail}");
    assert!(
        detail.contains("it gave 2.64 %") && detail.contains("more errors were measured there"),
        "{detail}"
    );
    site.file("voxline.toml", b"[decision]\nmax_false_accept = 0.05\n");
    let report = site.json(&["doctor"]);
    assert_eq!(of_calibration(&report).0, "ok");
}

#[test]
fn the_doctor_warns_of_a_calibration_that_does_not_tell_two_voices() {
    let site = Site::new();
    let models = models_of_its_own(&site);
    let file = models.join(DEFAULT_MODEL).join("calibration.toml");
    let mut calibration: toml::Table = std::fs::read_to_string(&file).unwrap().parse().unwrap();
    // A link to the shipped one.
    std::fs::remove_file(&file).unwrap();
    let warns = |calibration: &toml::Table, of: &str| {
        std::fs::write(&file, calibration.to_string()).unwrap();
        let report = site.json(&["--models-dir", models.to_str().unwrap(), "doctor"]);
        let (state, detail) = of_calibration(&report);
        assert!(state == "warn" && detail.contains(of), "{state}: {detail}");
    };
    calibration["voices"]["miss"] = toml::Value::Float(0.5);
    warns(&calibration, "takes 50 % of two voices in turn for one");
    calibration.remove("voices").unwrap();
    warns(&calibration, "does not tell two voices apart");
}

#[test]
fn a_number_is_shown() {
    let site = Site::with_number();
    let shown = site.json(&["number", "show", NUMBER]);
    assert_eq!(shown["number"], json!(NUMBER));
    let unknown = site.run(&["number", "show", "+12025550199"]);
    assert!(
        unknown.status == 1 && unknown.stderr.contains("voxline number add"),
        "{unknown:?}"
    );
}

#[test]
fn the_doctor_looks_at_everything_even_when_something_is_missing() {
    let site = Site::new();
    let said = site.run(&["--ort-lib", "/nonexistent", "doctor", "--json"]);
    assert_eq!(said.status, 1);
    let report = said.document();
    let state = |at: usize| report["findings"][at]["state"].as_str().unwrap();
    assert_eq!([3, 4, 5].map(state), ["wrong", "absent", "ok"]);
    let remedy = report["findings"][3]["detail"].as_str().unwrap();
    assert!(
        remedy.contains("/nonexistent") && remedy.contains("make provision"),
        "{remedy}"
    );
}

#[test]
fn help_says_what_an_exit_status_means() {
    let site = Site::new();
    let help = site.run(&["--help"]);
    assert_eq!(help.status, 0);
    for part in [
        "Exit status:\n  0  done",
        "  2  not understood",
        "voxline.example.toml",
    ] {
        assert!(help.stdout.contains(part), "{part} is not in:\n{}", help.stdout);
    }
    for command in [
        "enroll", "identify", "embed", "doctor", "number", "user", "keys", "models", "serve",
    ] {
        let help = site.run(&[command, "--help"]);
        assert_eq!((help.status, help.stderr.as_str()), (0, ""), "{command}");
    }
    assert!(
        site.run(&["--version"])
            .stdout
            .contains(env!("CARGO_PKG_VERSION"))
    );
}

#[test]
fn a_reader_who_has_gone_away_is_no_fault_and_a_full_disk_is_one() {
    let site = Site::with_number();
    let mut command = site.command(&["number", "list"]);
    command.stdout(std::fs::File::create("/dev/full").unwrap());
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("No space left"));

    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = site.command(&["number", "list"]);
    command.stdout(writer);
    let output = command.output().unwrap();
    assert_eq!((output.status.code(), output.stderr.len()), (Some(0), 0));
}

#[test]
fn who_only_looks_makes_no_store_where_none_is() {
    let site = Site::new();
    for words in [
        &["audit", "verify"][..],
        &["audit", "export"],
        &["receipt", "verify", "receipt.json"],
        &["receipt", "keys"],
        &["retention", "show"],
        &["keys", "list"],
        &["number", "list"],
        &["number", "show", NUMBER],
        &["user", "list", "--number", NUMBER],
        &["user", "export", NOBODY],
        &["invite", "list", "--user", NOBODY],
        &["tenant", "list"],
        &["vapi", "plan"],
        &["vapi", "check"],
    ] {
        let said = site.run(words);
        assert!(
            said.status == 1 && said.stderr.contains("--data-dir"),
            "{words:?}: {said:?}"
        );
    }
    assert_eq!(std::fs::read_dir(site.path()).unwrap().count(), 0);
}

#[test]
fn a_pin_is_read_from_standard_input_where_that_is_said() {
    let site = Site::with_number();
    let pin = site.file("pin", b"48213579\n");
    for (name, status) in [("Alice", 0), ("Bob", 1)] {
        let typed = ["user", "add", "--name", name, "--number", NUMBER, "--pin", "-"];
        let mut command = site.command(&typed);
        command.stdin(std::fs::File::open(&pin).unwrap());
        let said = said(command);
        // No two on a number have the same.
        assert_eq!(said.status, status, "{said:?}");
    }
}
