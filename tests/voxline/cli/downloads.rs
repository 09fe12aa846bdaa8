//! `voxline models pull` over the wire: sources that break off, dawdle, lie or are somebody else.

use std::process::Stdio;
use std::time::{Duration, Instant};

use super::hub_server::{Hub, good, head, tls, trickle};
use super::pulling::Depot;
use super::*;
use crate::support::sha256;

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
    assert_eq!(asked[1].header("accept-encoding"), Some("identity"));
}

#[test]
fn kill_9_at_any_moment_leaves_no_model_and_the_next_pull_goes_on() {
    let depot = Depot::new();
    let bytes = depot.bytes.clone();
    let hub = Hub::start(move |asked, wire| match asked.before {
        0 => {
            head(wire, "200 OK", &[("Content-Length", bytes.len().to_string())]);
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
fn a_hub_that_cannot_go_on_is_read_from_the_beginning() {
    for second in ["200 OK", "416 Range Not Satisfiable"] {
        let depot = Depot::new();
        let bytes = depot.bytes.clone();
        let hub = Hub::start(move |asked, wire| match asked.before {
            0 => good(asked, wire, &bytes, 20_000),
            1 if second.starts_with('4') => head(wire, second, &[("Content-Length", "0".to_owned())]),
            _ => {
                head(wire, "200 OK", &[("Content-Length", bytes.len().to_string())]);
                let _ = wire.write_all(&bytes);
            }
        });
        depot.entry(&[format!("{}/tiny.onnx", hub.base)]);
        depot.pulled(&["--retries", "2"]);
        assert_eq!(hub.asked()[1].from(), Some(20_000), "{second}");
    }
}

#[test]
fn another_versions_beginning_is_thrown_away_and_the_file_fetched_whole() {
    let depot = Depot::new();
    let (mut first, second) = (depot.bytes.clone(), depot.bytes.clone());
    first[7] ^= 1;
    let hub = Hub::start(move |asked, wire| match asked.before {
        0 => good(asked, wire, &first, 20_000),
        _ => good(asked, wire, &second, usize::MAX),
    });
    depot.entry(&[format!("{}/tiny.onnx", hub.base)]);
    depot.pulled(&[]);
    let begun: Vec<_> = hub.asked().iter().map(|asked| asked.from()).collect();
    assert_eq!(begun, [None, Some(20_000), None]);
}

#[test]
fn what_came_whole_before_is_not_fetched_again() {
    let depot = Depot::new();
    let bytes = depot.bytes.clone();
    let hub = Hub::start(move |asked, wire| good(asked, wire, &bytes, usize::MAX));
    depot.entry(&[format!("{}/tiny.onnx", hub.base)]);
    std::fs::create_dir_all(depot.path(".incoming")).unwrap();
    std::fs::write(depot.path(".incoming/tiny.part"), &depot.bytes).unwrap();
    depot.pulled(&[]);
    assert_eq!(hub.asked().len(), 0);
}

#[test]
fn what_came_whole_stays_where_it_could_not_be_put_in_place() {
    let depot = Depot::new();
    let bytes = depot.bytes.clone();
    let hub = Hub::start(move |asked, wire| good(asked, wire, &bytes, usize::MAX));
    depot.entry(&[format!("{}/tiny.onnx", hub.base)]);
    // No folder can be made where the model comes together.
    std::fs::create_dir_all(depot.path(".incoming")).unwrap();
    std::fs::write(depot.path(".incoming/tiny"), b"").unwrap();
    depot.refused(&[], &["cannot be emptied"]);
    let part = std::fs::read(depot.path(".incoming/tiny.part")).unwrap();
    assert_eq!(part, depot.bytes);
    std::fs::remove_file(depot.path(".incoming/tiny")).unwrap();
    depot.pulled(&[]);
    assert_eq!(hub.asked().len(), 1);
}

#[test]
fn what_is_not_the_file_costs_nothing_of_what_has_arrived() {
    let depot = Depot::new();
    let bytes = depot.bytes.clone();
    let page = |wire: &mut dyn std::io::Write, name: &str, value: &str| {
        head(wire, "200 OK", &[(name, value.to_owned())]);
        trickle(wire, b"page", 4, Duration::ZERO);
    };
    let hub = Hub::start(move |asked, wire| match asked.before {
        0 => good(asked, wire, &bytes, 20_000),
        1 => page(wire, "Content-Length", "4"),
        2 => page(wire, "Content-Type", "Text/HTML; charset=utf-8"),
        _ => good(asked, wire, &bytes, usize::MAX),
    });
    depot.entry(&[format!("{}/tiny.onnx", hub.base)]);
    for why in ["could not be fetched", "it has 4 bytes", "as one of login"] {
        depot.refused(&["--retries", "0"], &[why]);
        let part = std::fs::metadata(depot.path(".incoming/tiny.part")).unwrap();
        assert_eq!(part.len(), 20_000, "{why}");
    }
    depot.pulled(&[]);
    assert_eq!(hub.asked()[3].from(), Some(20_000));
}

#[test]
fn bytes_unlike_the_pinned_ones_are_refused_with_both_hashes() {
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
fn a_silent_or_slow_source_is_given_up_for_the_next() {
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
fn tls_needs_trusted_roots_and_no_redirect_leaves_it() {
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
fn a_proxy_is_used_unless_it_is_not_to_be() {
    let depot = Depot::new();
    let (bytes, direct_bytes) = (depot.bytes.clone(), depot.bytes.clone());
    let proxy = Hub::start(move |asked, wire| good(asked, wire, &bytes, usize::MAX));
    let direct = Hub::start(move |asked, wire| good(asked, wire, &direct_bytes, usize::MAX));
    let pull = |variable: &str, no_proxy: Option<&str>| {
        let mut command = depot
            .site
            .command(&["models", "pull", "tiny.toml", "--retries", "0"]);
        command.env(variable, &proxy.base);
        command.envs(no_proxy.map(|hosts| ("NO_PROXY", hosts)));
        let said = said(command);
        assert_eq!(said.status, 0, "{said:?}");
        std::fs::remove_dir_all(depot.path("tiny")).unwrap();
    };
    for (before, variable) in ["HTTP_PROXY", "http_proxy", "ALL_PROXY"].into_iter().enumerate() {
        depot.entry(&["http://hub.invalid/tiny.onnx".to_owned()]);
        pull(variable, None);
        let asked = proxy.asked();
        assert_eq!(asked.len(), before + 1, "{variable}");
        assert_eq!(asked[before].target, "http://hub.invalid/tiny.onnx");
        // What is for this machine goes to no other, whatever NO_PROXY says.
        depot.entry(&[format!("{}/tiny.onnx", direct.base)]);
        pull(variable, Some("elsewhere.example"));
        pull(variable, None);
        assert_eq!(proxy.asked().len(), before + 1, "{variable}");
        assert_eq!(direct.asked().len(), 2 * (before + 1), "{variable}");
    }
    depot.entry(&["http://hub.invalid/tiny.onnx".to_owned()]);
    let args = ["models", "pull", "tiny.toml", "--retries", "0", "--stall", "2"];
    let mut command = depot.site.command(&args);
    command
        .env("HTTP_PROXY", &proxy.base)
        .env("NO_PROXY", "hub.invalid");
    assert_eq!(said(command).status, 1);
    assert_eq!(proxy.asked().len(), 3, "a host of NO_PROXY is asked itself");
}
