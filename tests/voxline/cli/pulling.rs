//! `voxline models pull` against hubs that answer well, badly and maliciously: a model is installed whole and
//! right, or not at all.

use std::process::Stdio;
use std::time::{Duration, Instant};

use serde_json::json;

use super::hub_server::{Hub, TAG, good, head, tls, trickle};
use super::*;
use crate::support::{project, read, sha256};

/// A site with models of its own and a catalogue entry `tiny.toml` for a file at `urls`.
struct Depot {
    site: Site,
    bytes: Vec<u8>,
}

impl Depot {
    fn new() -> Self {
        Self::of(read("tests/data/hub/tiny.onnx"))
    }

    /// A depot whose file has these bytes.
    fn of(bytes: Vec<u8>) -> Self {
        let site = super::adding::stocked_site();
        Self { site, bytes }
    }

    /// Writes the entry for the file at these addresses.
    fn entry(&self, urls: &[String]) {
        let size = format!("bytes = {}", self.bytes.len());
        self.entry_with(urls, &size);
    }

    fn entry_with(&self, urls: &[String], size: &str) {
        let text = format!(
            "id = \"tiny\"\ndescription = \"random weights\"\nrecipe = \"wespeaker\"\ndimension = 64\n\
             [file]\nname = \"tiny++.onnx\"\nurls = {urls:?}\n{size}\nsha256 = \"{}\"\nsha256_sources = 1\n\
             [licence]\nname = \"CC0-1.0\"\nnote = \"ours\"\n",
            sha256(&self.bytes)
        );
        self.site.file("tiny.toml", text.as_bytes());
    }

    fn pull(&self, flags: &[&str]) -> Said {
        let mut args = vec!["models", "pull", "tiny.toml"];
        for usual in [["--stall", "2"], ["--retries", "1"]] {
            if !flags.contains(&usual[0]) {
                args.extend(usual);
            }
        }
        args.extend(flags);
        self.site.run(&args)
    }

    /// A pull that must work; the document.
    fn pulled(&self, flags: &[&str]) -> Value {
        let said = self.pull(&[flags, &["--json"]].concat());
        assert_eq!((said.status, said.stderr.as_str()), (0, ""), "{said:?}");
        let document = said.document();
        assert_eq!(document["state"], "ready", "{document}");
        assert_eq!(std::fs::read(self.path("tiny/model.onnx")).unwrap(), self.bytes);
        assert_eq!(self.left(), Vec::<String>::new());
        document
    }

    /// A pull that must fail for all of these reasons and leave nothing in sight.
    fn refused(&self, flags: &[&str], reasons: &[&str]) {
        let said = self.pull(flags);
        assert_eq!((said.status, said.stdout.as_str()), (1, ""), "{said:?}");
        for reason in reasons {
            assert!(
                said.stderr.contains(reason),
                "{reason} is not in:\n{}",
                said.stderr
            );
        }
        assert!(!self.path("tiny").exists(), "something was installed");
    }

    fn path(&self, name: &str) -> PathBuf {
        self.site.path().join("models").join(name)
    }

    /// What lies where models come together, but for the lock.
    fn left(&self) -> Vec<String> {
        let Ok(entries) = std::fs::read_dir(self.path(".incoming")) else {
            return Vec::new();
        };
        let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names
            .filter(|name| name != "tiny.lock" && name != ".gitignore")
            .collect()
    }
}

#[test]
fn a_pulled_model_is_whole_checked_carded_and_fetched_only_once() {
    let depot = Depot::new();
    let bytes = depot.bytes.clone();
    let hub = Hub::start(move |asked, wire| good(asked, wire, &bytes, usize::MAX));
    depot.entry(&[format!("{}/tiny.onnx", hub.base)]);
    let document = depot.pulled(&[]);
    assert_eq!(
        (
            &document["id"],
            &document["already"],
            &document["calibrated"],
            &document["in_use"]
        ),
        (&json!("tiny"), &json!(false), &json!(false), &json!(false))
    );
    assert_eq!(document["from"], json!(format!("{}/tiny.onnx", hub.base)));
    let card = std::fs::read_to_string(depot.path("tiny/card.toml")).unwrap();
    assert!(card.contains("CC0-1.0") && card.contains(&hub.base), "{card}");
    assert_eq!(depot.pulled(&[])["already"], true);
    assert_eq!(hub.asked().len(), 1, "it was fetched again");

    let said = depot.site.run(&["models", "list"]);
    assert!(
        said.stdout.contains("tiny  ready") && said.stdout.contains("CC0-1.0"),
        "{said:?}"
    );
    assert_eq!(depot.site.json(&["models", "check", "tiny"])["dimension"], 64);
}

#[test]
fn the_licence_and_the_size_are_said_before_anything_is_fetched() {
    let depot = Depot::new();
    depot.entry_with(
        &["http://127.0.0.1:9/tiny.onnx".to_owned()],
        "at_most_bytes = 60000",
    );
    let reasons = ["CC0-1.0", "size not published", "127.0.0.1:9"];
    depot.refused(&["--retries", "0"], &reasons);
}

#[test]
fn a_download_that_breaks_off_goes_on_where_it_stopped() {
    let depot = Depot::new();
    let bytes = depot.bytes.clone();
    let hub = Hub::start(move |asked, wire| good(asked, wire, &bytes, 30_000));
    depot.entry(&[format!("{}/tiny.onnx", hub.base)]);
    depot.pulled(&[]);
    let asked = hub.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!((asked[0].from(), asked[1].from()), (None, Some(30_000)));
    assert_eq!(asked[1].header("if-range"), Some(TAG));
    assert_eq!(asked[1].header("accept-encoding"), Some("identity"));
}

#[test]
fn kill_9_at_any_moment_leaves_no_model_and_the_next_pull_goes_on() {
    let depot = Depot::new();
    let bytes = depot.bytes.clone();
    let hub = Hub::start(move |asked, wire| match asked.before {
        0 => {
            let headers = [
                ("ETag", TAG.to_owned()),
                ("Content-Length", bytes.len().to_string()),
            ];
            head(wire, "200 OK", &headers);
            trickle(wire, &bytes, 2_000, Duration::from_millis(50));
        }
        _ => good(asked, wire, &bytes, usize::MAX),
    });
    depot.entry(&[format!("{}/tiny.onnx", hub.base)]);
    let mut command = depot.site.command(&["models", "pull", "tiny.toml"]);
    let mut child = command.stderr(Stdio::null()).spawn().unwrap();
    let part = depot.path(".incoming/tiny.part");
    let patience = Instant::now() + Duration::from_secs(30);
    while std::fs::metadata(&part).map_or(0, |found| found.len()) < 8_000 {
        assert!(Instant::now() < patience, "nothing came");
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!depot.path("tiny").exists());
    depot.pulled(&[]);
    assert!(hub.asked()[1].from().unwrap() >= 8_000);
}

#[test]
fn a_hub_that_ignores_ranges_or_has_another_version_is_read_from_the_beginning() {
    for (tag, second) in [
        (TAG, "200 OK"),
        ("\"version-0\"", "200 OK"),
        (TAG, "416 Range Not Satisfiable"),
    ] {
        let depot = Depot::new();
        let bytes = depot.bytes.clone();
        let hub = Hub::start(move |asked, wire| match asked.before {
            0 => {
                let headers = [
                    ("ETag", tag.to_owned()),
                    ("Content-Length", bytes.len().to_string()),
                ];
                head(wire, "200 OK", &headers);
                let _ = wire.write_all(&bytes[..20_000]);
            }
            1 if second.starts_with('4') => head(wire, second, &[("Content-Length", "0".to_owned())]),
            _ => {
                head(wire, "200 OK", &[("Content-Length", bytes.len().to_string())]);
                let _ = wire.write_all(&bytes);
            }
        });
        depot.entry(&[format!("{}/tiny.onnx", hub.base)]);
        depot.pulled(&["--retries", "2"]);
        assert_eq!(hub.asked()[1].from(), Some(20_000), "{tag} {second}");
    }
}

#[test]
fn without_a_version_that_promises_equal_bytes_nothing_is_continued() {
    let depot = Depot::new();
    let bytes = depot.bytes.clone();
    let hub = Hub::start(move |asked, wire| {
        let weak = ("ETag", "W/\"1\"".to_owned());
        head(
            wire,
            "200 OK",
            &[weak, ("Content-Length", bytes.len().to_string())],
        );
        let due = if asked.before == 0 { 20_000 } else { bytes.len() };
        let _ = wire.write_all(&bytes[..due]);
    });
    depot.entry(&[format!("{}/tiny.onnx", hub.base)]);
    depot.pulled(&[]);
    assert_eq!(hub.asked()[1].from(), None);
}

#[test]
fn other_bytes_than_the_pinned_ones_are_refused_with_both_hashes_and_not_kept() {
    let depot = Depot::new();
    let mut bytes = depot.bytes.clone();
    bytes[40_000] ^= 1;
    let (expected, actual) = (sha256(&depot.bytes), sha256(&bytes));
    let hub = Hub::start(move |asked, wire| good(asked, wire, &bytes, usize::MAX));
    // A second source is not asked: what is wrong is not to be shopped around for.
    depot.entry(&[
        format!("{}/tiny.onnx", hub.base),
        format!("{}/again.onnx", hub.base),
    ]);
    depot.refused(&[], &[&expected, &actual, "nothing of it was kept"]);
    assert_eq!(hub.asked().len(), 1);
    assert_eq!(depot.left(), Vec::<String>::new());
}

#[test]
fn a_continuation_with_other_bytes_is_refused_too() {
    let depot = Depot::new();
    let (first, mut second) = (depot.bytes.clone(), depot.bytes.clone());
    second[50_000] ^= 1;
    let hub = Hub::start(move |asked, wire| match asked.before {
        0 => good(asked, wire, &first, 20_000),
        _ => good(asked, wire, &second, usize::MAX),
    });
    depot.entry(&[format!("{}/tiny.onnx", hub.base)]);
    depot.refused(&[], &["SHA-256", "expected"]);
    assert_eq!(depot.left(), Vec::<String>::new());
}

#[test]
fn a_file_of_another_length_is_refused_before_it_is_read() {
    let depot = Depot::new();
    let bytes = depot.bytes.clone();
    let hub = Hub::start(move |asked, wire| good(asked, wire, &bytes[..50_000], usize::MAX));
    depot.entry(&[format!("{}/tiny.onnx", hub.base)]);
    let expected = format!("the catalogue says {}", depot.bytes.len());
    depot.refused(&[], &["it has 50000 bytes", &expected]);
}

#[test]
fn an_endless_answer_is_cut_off_at_the_limit() {
    let depot = Depot::new();
    let hub = Hub::start(|_, wire| {
        head(wire, "200 OK", &[]);
        trickle(wire, &[7; 4_000_000], 10_000, Duration::ZERO);
    });
    let urls = [format!("{}/tiny.onnx", hub.base)];
    depot.entry(&urls);
    depot.refused(&[], &[&format!("more than the {} bytes", depot.bytes.len())]);
    depot.entry_with(&urls, "at_most_bytes = 100000");
    depot.refused(&[], &["more than the 100000 bytes"]);
    assert!(depot.left().iter().all(|name| {
        std::fs::metadata(depot.path(".incoming").join(name))
            .unwrap()
            .len()
            == 0
    }));
}

#[test]
fn a_source_that_falls_silent_or_dawdles_is_given_up_and_the_next_one_asked() {
    for piece in [0, 100] {
        let depot = Depot::new();
        let (bytes, whole) = (depot.bytes.clone(), depot.bytes.clone());
        let slow = Hub::start(move |_, wire| {
            head(wire, "200 OK", &[("Content-Length", bytes.len().to_string())]);
            match piece {
                0 => std::thread::sleep(Duration::from_secs(20)),
                _ => trickle(wire, &bytes, piece, Duration::from_millis(200)),
            }
        });
        let good_hub = Hub::start(move |asked, wire| good(asked, wire, &whole, usize::MAX));
        depot.entry(&[format!("{}/a", slow.base), format!("{}/b", good_hub.base)]);
        depot.pulled(&["--stall", "1", "--retries", "0"]);
        assert_eq!(good_hub.asked().len(), 1);
    }
}

#[test]
fn a_busy_hub_is_asked_again_when_it_said_and_a_missing_file_is_not() {
    let depot = Depot::new();
    let bytes = depot.bytes.clone();
    let hub = Hub::start(move |asked, wire| match (asked.target.as_str(), asked.before) {
        ("/gone", _) => head(wire, "404 Not Found", &[]),
        (_, 1) => head(
            wire,
            "503 Service Unavailable",
            &[("Retry-After", "0".to_owned())],
        ),
        _ => good(asked, wire, &bytes, usize::MAX),
    });
    depot.entry(&[format!("{}/gone", hub.base), format!("{}/busy", hub.base)]);
    depot.pulled(&[]);
    let targets: Vec<String> = hub.asked().into_iter().map(|asked| asked.target).collect();
    assert_eq!(targets, ["/gone", "/busy", "/busy"]);
}

#[test]
fn when_every_source_fails_each_is_named_with_its_fault() {
    let depot = Depot::new();
    let hub = Hub::start(|_, wire| head(wire, "410 Gone", &[]));
    let closed = "http://127.0.0.1:9/tiny.onnx?signature=hush";
    depot.entry(&[format!("{}/x", hub.base), closed.to_owned()]);
    depot.refused(
        &["--retries", "0"],
        &[
            "/x: it answered 410 Gone",
            "http://127.0.0.1:9/tiny.onnx: ",
            "--mirror",
        ],
    );
    assert!(!depot.pull(&["--retries", "0"]).all().contains("hush"));
}

#[test]
fn redirects_are_followed_but_not_for_ever() {
    let depot = Depot::new();
    let bytes = depot.bytes.clone();
    let hub = Hub::start(move |asked, wire| match asked.target.as_str() {
        "/first" => head(
            wire,
            "302 Found",
            &[("Location", "/second?signature=x".to_owned())],
        ),
        "/round" => head(wire, "302 Found", &[("Location", "/round".to_owned())]),
        _ => good(asked, wire, &bytes, 30_000),
    });
    depot.entry(&[format!("{}/round", hub.base)]);
    depot.refused(&[], &["redirects too often"]);
    // The file is cut too: the continuation goes through the redirect again.
    depot.entry(&[format!("{}/first", hub.base)]);
    depot.pulled(&[]);
}

#[test]
fn tls_is_spoken_with_whom_the_roots_vouch_for_and_never_left_by_a_redirect() {
    let depot = Depot::new();
    let (config, certificate) = tls();
    let roots = depot.site.file("roots.pem", certificate.as_bytes());
    let (bytes, plain_bytes) = (depot.bytes.clone(), depot.bytes.clone());
    let plain = Hub::start(move |asked, wire| good(asked, wire, &plain_bytes, usize::MAX));
    let down = format!("{}/tiny.onnx", plain.base);
    let hub = Hub::start_tls(config, move |asked, wire| match asked.target.as_str() {
        "/down" => head(wire, "302 Found", &[("Location", down.clone())]),
        _ => good(asked, wire, &bytes, usize::MAX),
    });
    let run = |path: &str, roots: Option<&str>| {
        depot.entry(&[format!("{}/{path}", hub.base)]);
        let mut command = depot
            .site
            .command(&["models", "pull", "tiny.toml", "--retries", "0"]);
        command.envs(roots.map(|roots| ("SSL_CERT_FILE", roots)));
        said(command)
    };
    let stranger = run("tiny.onnx", None);
    assert!(
        stranger.status == 1 && stranger.stderr.contains("certificate"),
        "{stranger:?}"
    );
    let down = run("down", Some(&roots));
    assert!(
        down.status == 1 && down.stderr.contains("from https to http"),
        "{down:?}"
    );
    assert_eq!(plain.asked().len(), 0);
    assert_eq!(run("tiny.onnx", Some(&roots)).status, 0);
}

#[test]
fn a_mirror_is_asked_instead_by_the_files_name() {
    let depot = Depot::new();
    let bytes = depot.bytes.clone();
    let hub = Hub::start(move |asked, wire| good(asked, wire, &bytes, usize::MAX));
    depot.entry(&["https://hub.invalid/tiny.onnx".to_owned()]);
    depot.pulled(&["--mirror", &format!("{}/models", hub.base)]);
    assert_eq!(hub.asked()[0].target, "/models/tiny%2B%2B.onnx");
    let said = depot.pull(&["--mirror", "ftp://x/y"]);
    assert!(
        said.status == 1 && said.stderr.contains("begins with https://"),
        "{said:?}"
    );
}

#[test]
fn a_mirror_can_be_a_folder_and_is_believed_no_more_than_a_hub() {
    let depot = Depot::new();
    depot.entry(&["https://hub.invalid/tiny.onnx".to_owned()]);
    let shelf = depot.site.path().join("shelf");
    std::fs::create_dir(&shelf).unwrap();
    let flags = ["--mirror", "shelf"];
    depot.refused(&flags, &["tiny++.onnx cannot be read"]);
    let mut wrong = depot.bytes.clone();
    wrong.push(0);
    std::fs::write(shelf.join("tiny++.onnx"), wrong).unwrap();
    depot.refused(&flags, &["SHA-256"]);
    std::fs::write(shelf.join("tiny++.onnx"), &depot.bytes).unwrap();
    depot.pulled(&flags);
}

#[test]
fn a_proxy_is_used_unless_it_is_not_to_be() {
    let depot = Depot::new();
    let (bytes, direct_bytes) = (depot.bytes.clone(), depot.bytes.clone());
    let proxy = Hub::start(move |asked, wire| good(asked, wire, &bytes, usize::MAX));
    let direct = Hub::start(move |asked, wire| good(asked, wire, &direct_bytes, usize::MAX));
    let pull = |no_proxy: Option<&str>| {
        let mut command = depot
            .site
            .command(&["models", "pull", "tiny.toml", "--retries", "0"]);
        command
            .env("HTTP_PROXY", &proxy.base)
            .env("http_proxy", &proxy.base);
        command.envs(no_proxy.map(|hosts| ("NO_PROXY", hosts)));
        let said = said(command);
        assert_eq!(said.status, 0, "{said:?}");
        std::fs::remove_dir_all(depot.path("tiny")).unwrap();
    };
    depot.entry(&["http://hub.invalid/tiny.onnx".to_owned()]);
    pull(None);
    assert_eq!(proxy.asked()[0].target, "http://hub.invalid/tiny.onnx");
    depot.entry(&[format!("{}/tiny.onnx", direct.base)]);
    pull(Some("localhost"));
    assert_eq!((proxy.asked().len(), direct.asked().len()), (1, 1));
}

#[test]
fn right_bytes_that_are_no_model_are_not_installed() {
    let depot = Depot::of(b"no graph at all".repeat(100));
    let bytes = depot.bytes.clone();
    let hub = Hub::start(move |asked, wire| good(asked, wire, &bytes, usize::MAX));
    depot.entry(&[format!("{}/tiny.onnx", hub.base)]);
    depot.refused(&[], &["could not be loaded"]);
    assert_eq!(depot.left(), Vec::<String>::new());
}

#[test]
fn a_folder_that_is_another_model_is_left_alone() {
    let depot = Depot::new();
    depot.entry(&["https://hub.invalid/tiny.onnx".to_owned()]);
    std::fs::create_dir(depot.path("tiny")).unwrap();
    std::fs::write(depot.path("tiny/card.toml"), "mine").unwrap();
    let said = depot.pull(&[]);
    assert!(
        said.status == 1 && said.stderr.contains("choose another id"),
        "{said:?}"
    );
    assert_eq!(std::fs::read(depot.path("tiny/card.toml")).unwrap(), b"mine");
}

#[test]
fn two_pulls_of_one_model_do_not_meet() {
    let depot = Depot::new();
    let bytes = depot.bytes.clone();
    let hub = Hub::start(move |_, wire| {
        head(wire, "200 OK", &[("Content-Length", bytes.len().to_string())]);
        trickle(wire, &bytes, 2_000, Duration::from_millis(100));
    });
    depot.entry(&[format!("{}/tiny.onnx", hub.base)]);
    let mut first = depot.site.command(&["models", "pull", "tiny.toml"]);
    let mut first = first.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    while hub.asked().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    let second = depot.pull(&[]);
    assert!(
        second.status == 1 && second.stderr.contains("wait for it"),
        "{second:?}"
    );
    assert!(first.wait().unwrap().success());
    depot.pulled(&[]);
}

#[test]
fn a_name_that_is_in_no_catalogue_is_answered_with_those_that_are() {
    let depot = Depot::new();
    let said = depot.site.run(&["models", "pull", "titanic"]);
    assert!(
        said.status == 1 && said.stderr.contains("titanet-large"),
        "{said:?}"
    );
    depot.site.file("bad.toml", b"id = \"x\"");
    let said = depot.site.run(&["models", "pull", "bad.toml"]);
    assert!(said.status == 1 && said.stderr.contains("bad.toml"), "{said:?}");
}

#[test]
fn the_recommendation_says_what_is_best_and_what_is_ready() {
    let site = Site::new();
    let document = site.json(&["models", "recommend"]);
    let choices = document["choices"].as_array().unwrap();
    assert_eq!(choices[0]["id"], document["best"]);
    let ready = choices
        .iter()
        .find(|choice| choice["id"] == document["best_ready"])
        .unwrap();
    assert_eq!(
        (&ready["installed"], &ready["calibrated"]),
        (&json!(true), &json!(true))
    );
    assert!(ready["ms_per_speech_second"].as_f64().unwrap() > 0.0);
    let pullable = choices
        .iter()
        .find(|choice| choice["installed"] == json!(false))
        .unwrap();
    assert!(pullable["ms_per_speech_second"].is_null());
    let said = site.run(&["models", "recommend"]);
    let best = document["best"].as_str().unwrap();
    assert!(
        said.stdout.contains(&format!("voxline models pull {best}")),
        "{said:?}"
    );
    assert!(project("models/catalogue").join(format!("{best}.toml")).is_file());
}
