//! `voxline load`: the real program against a service of its own.

use std::ffi::OsString;
use std::process::Command;

use serde_json::Value;

use crate::support;

#[path = "../../examples/demo/alone.rs"]
mod alone;

#[test]
fn a_load_test_of_its_own_touches_no_store_that_is_configured() {
    for (settings, part) in [
        (
            &[("VOXLINE_STORE_URL", "postgres://u:p@127.0.0.1:1/x")][..],
            "store.url",
        ),
        (
            &[
                ("VOXLINE_GALLERY_BACKEND", "qdrant"),
                ("VOXLINE_GALLERY_QDRANT_URL", "http://127.0.0.1:1"),
            ],
            "gallery.backend",
        ),
        (
            &[
                ("VOXLINE_TLS_CERTIFICATE", "/c.pem"),
                ("VOXLINE_TLS_KEY", "/k.pem"),
            ],
            "tls.certificate",
        ),
        (
            &[
                ("VOXLINE_ASTERISK_AUDIOSOCKET", "127.0.0.1:1"),
                ("VOXLINE_ASTERISK_USERNAME", "pbx"),
                ("VOXLINE_ASTERISK_PASSWORD", "a long enough password"),
            ],
            "asterisk.audiosocket",
        ),
    ] {
        let mut command = Command::new(crate::support::binary());
        command.current_dir(support::project(".")).env_clear();
        command.envs(settings.iter().copied());
        let output = command
            .args(["load", "--calls", "1", "--seconds", "1"])
            .output()
            .unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains(part) && said.contains("--server"), "{said}");
    }
}

#[test]
fn a_load_test_measures_both_kinds_of_stream_and_names_every_caller() {
    let mut command = Command::new(crate::support::binary());
    command.current_dir(support::project(".")).env_clear();
    let typed = "load --calls 4 --seconds 12 --ramp 1 --numbers 4 --files 1 --json";
    let output = command.args(typed.split(' ')).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let steps: Value = serde_json::from_slice(&output.stdout).unwrap();
    let steps = steps.as_array().unwrap();
    // Without files, and then with.
    assert_eq!(steps.len(), 2);
    for step in steps {
        assert_eq!((&step["calls"], &step["made"]), (&4.into(), &4.into()), "{step}");
        assert_eq!(
            (&step["refused"], &step["failed"]),
            (&0.into(), &0.into()),
            "{step}"
        );
        assert_eq!(step["names"]["wrong"], 0, "{step}");
        assert_eq!(step["names"]["right"], 4, "{step}");
        assert_eq!(step["call_seconds"], 48.0, "{step}");
        // Every update says as much speech as the recording has at some frame of it.
        assert_eq!(step["unplaced_updates"], 0, "{step}");
        let figure = |path: &str| step.pointer(path).and_then(Value::as_f64).unwrap();
        assert!(figure("/decision_lag_ms/count") >= 16.0, "{step}");
        assert!(figure("/decision_lag_ms/p50") > 0.0 && figure("/hang_up_ms/p50") > 0.0);
        assert!(figure("/first_verdict_s/p50") > 1.2, "{step}");
        assert!(figure("/cpu_ms_per_call_second") > 0.0 && figure("/peak_memory_mb") > 10.0);
        let speech = figure("/speech_seconds");
        assert!((12.0..48.0).contains(&speech), "{speech}");
    }
    assert_eq!((&steps[0]["files"], &steps[1]["files"]), (&0.into(), &1.into()));
}

#[test]
fn the_demo_works_on_no_store_that_is_configured() {
    let folder = tempfile::tempdir().unwrap();
    let others = "postgres://u:p@127.0.0.1:1/x";
    let file = format!("[store]\nurl = \"{others}\"\n");
    std::fs::write(folder.path().join("voxline.toml"), file).unwrap();
    let environment = [(OsString::from("VOXLINE_STORE_URL"), OsString::from(others))];
    let data = folder.path().join("data");
    let mut command = alone::program_alone(support::binary(), &data, environment);
    command
        .current_dir(folder.path())
        .args(["keys", "create", "--scope", "admin"]);
    let made = command.output().unwrap();
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    assert!(data.join("voxline.db").exists());
}
