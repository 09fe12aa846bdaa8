//! Bad input: each with its message and its exit status.

use super::*;

/// Refused with `--json`: the same message on stderr and, as the one document, on stdout.
fn refused(site: &Site, args: &[&str], status: i32, part: &str) {
    let said = site.run(&[args, &["--json"]].concat());
    assert_eq!(said.status, status, "{args:?}: {said:?}");
    let message = said
        .stderr
        .strip_prefix("voxline: ")
        .unwrap_or_else(|| panic!("{said:?}"));
    assert!(message.contains(part), "{args:?}: {part} is not in: {message}");
    for number in [NUMBER, OTHER_NUMBER, NOBODYS_NUMBER] {
        assert!(!message.contains(number), "{args:?}: a number in {message}");
    }
    let document = serde_json::json!({ "error": message.trim_end() });
    assert_eq!(said.document(), document, "{args:?}");
}

/// What the parser of the command line refuses: a usage message on stderr, status 2, nothing on stdout.
fn misread(site: &Site, args: &[&str], part: &str) {
    let said = site.run(args);
    assert_eq!((said.status, said.stdout.as_str()), (2, ""), "{args:?}: {said:?}");
    assert!(
        said.stderr.contains(part),
        "{args:?}: {part} is not in: {}",
        said.stderr
    );
}

#[test]
fn what_is_no_recording_is_refused_with_the_reason() {
    let site = Site::with_number();
    // Every other reason is the decoder's own: tests/data/audio/bad/expected.tsv.
    let two: Vec<u8> = (0..4_200u16).map(|at| (at % 4) as u8 * 40).collect();
    let cases: [(&str, &[u8], &str); 2] = [
        (
            "text.wav",
            b"Dear Sir or Madam, please find",
            "not audio: byte 0 begins like text",
        ),
        (
            "stereo.wav",
            &wav(1, 16, 8_000, 2, &two, 4_200),
            "two channels: say which one holds the caller with --channel 0",
        ),
    ];
    for (name, bytes, part) in cases {
        let file = site.file(name, bytes);
        refused(&site, &["identify", "--number", NUMBER, &file], 1, part);
    }
    refused(
        &site,
        &["identify", "--number", NUMBER, "nowhere.wav"],
        1,
        "nowhere.wav cannot be opened: No such file",
    );
    refused(
        &site,
        &["identify", "--number", NUMBER, "data"],
        1,
        "data cannot be read: Is a directory",
    );
    let stereo = site.file("stereo.wav", &silence(2, 1));
    let heard = site.json(&["identify", "--number", NUMBER, "--channel", "1", &stereo]);
    assert_eq!(heard["outcome"], "inconclusive");
}

#[test]
fn two_hours_and_a_hundred_megabytes_are_refused_before_they_are_decoded() {
    let site = Site::with_number();
    // Holes in a file cost no disk.
    let long = site.file("long.wav", &wav(7, 8, 8_000, 1, &[], 57_600_000));
    let grow = |path: &str, to| {
        let file = std::fs::OpenOptions::new().write(true).open(path).unwrap();
        file.set_len(to).unwrap();
    };
    grow(&long, 44 + 57_600_000);
    refused(
        &site,
        &["identify", "--number", NUMBER, &long],
        1,
        "2:00:00 of audio; the limit is 0:30:00",
    );
    grow(&long, 100 << 20);
    refused(
        &site,
        &["identify", "--number", NUMBER, &long],
        1,
        "bytes of input; the limit is 67108864 bytes",
    );
}

#[test]
fn who_and_what_is_not_here_is_refused() {
    let site = Site::with_number();
    let file = site.file("silence.wav", &silence(1, 1));
    let unknown = "is not a number of this deployment";
    refused(
        &site,
        &["identify", "--number", NOBODYS_NUMBER, &file],
        1,
        unknown,
    );
    refused(&site, &["user", "list", "--number", NOBODYS_NUMBER], 1, unknown);
    refused(
        &site,
        &["user", "add", "--name", "A", "--number", NOBODYS_NUMBER],
        1,
        "is not here: add it first",
    );
    refused(
        &site,
        &["enroll", "--user", NOBODY, "--consent", "yes", &file],
        1,
        "there is no user 0199aaaa",
    );
    refused(&site, &["user", "remove", NOBODY], 1, "there is no user 0199aaaa");
    refused(&site, &["keys", "revoke", NOBODY], 1, "there is no key 0199aaaa");
    refused(
        &site,
        &["models", "check", "unheard_of"],
        1,
        "unheard_of/card.toml cannot be read",
    );
}

#[test]
fn a_person_is_told_on_stderr_alone() {
    let site = Site::with_number();
    let said = site.run(&["number", "add", NUMBER]);
    assert_eq!((said.status, said.stdout.as_str()), (1, ""));
    assert_eq!(said.stderr, "voxline: the number +120***0102 is already here\n");
}

#[test]
fn what_is_already_taken_is_refused() {
    let site = Site::with_number();
    site.json(&["number", "add", OTHER_NUMBER]);
    let add = |name, number, more: &[&'static str]| {
        let args = ["user", "add", "--name", name, "--number", number];
        [&args[..], more].concat()
    };
    site.json(&add(
        "Alice",
        NUMBER,
        &["--pin", "482135", "--phone", "+12025550147"],
    ));
    refused(
        &site,
        &["number", "add", NUMBER],
        1,
        "the number +120***0102 is already here",
    );
    refused(
        &site,
        &add("Bob", NUMBER, &["--pin", "482135"]),
        1,
        "this PIN cannot be used here",
    );
    refused(
        &site,
        &add("Bob", NUMBER, &["--phone", "+12025550147"]),
        1,
        "already belongs to another user",
    );
    refused(
        &site,
        &add("Bob", NUMBER, &["--exclusive"]),
        1,
        "already has users",
    );
    site.json(&add("Eve", OTHER_NUMBER, &["--exclusive"]));
    refused(
        &site,
        &add("Bob", OTHER_NUMBER, &[]),
        1,
        "is assigned exclusively to one user",
    );
    let listed = site.json(&["user", "list", "--number", NUMBER]);
    assert_eq!(listed.as_array().unwrap().len(), 1);
}

#[test]
fn what_is_wrong_as_typed_is_a_matter_of_usage() {
    let site = Site::with_number();
    let user = site.user("Alice", NUMBER);
    let file = site.file("silence.wav", &silence(1, 1));
    let add = ["user", "add", "--name", "Bob", "--number", NUMBER];
    for pin in ["48a13579", "1", "123456789"] {
        refused(
            &site,
            &[&add[..], &["--pin", pin]].concat(),
            2,
            "a PIN is 4 to 8 digits",
        );
        let all = site.run(&[&add[..], &["--pin", pin]].concat()).all();
        assert!(pin.len() < 4 || !all.contains(pin), "{all}");
    }
    refused(
        &site,
        &["user", "add", "--name", " ", "--number", NUMBER],
        2,
        "name must be",
    );
    refused(
        &site,
        &["number", "add", OTHER_NUMBER, "--region", "USA"],
        2,
        "the region must be two letters",
    );
    refused(
        &site,
        &["enroll", "--user", &user, "--consent", " ", &file],
        2,
        "a consent is needed",
    );
    // Before any is opened.
    let mut many = vec![file.as_str(); 16];
    many.push("nowhere.wav");
    let enroll = [&["enroll", "--user", &user, "--consent", "yes"], &many[..]].concat();
    refused(&site, &enroll, 2, "17 recordings at once; at most 16");

    for (args, part) in [
        (
            "calibrate --protocol p --out o --prior 2",
            "--prior lies between 0 and 1",
        ),
        (
            "calibrate --check --protocol p --protocol q",
            "--check takes one --protocol",
        ),
        ("bench init . --enroll 0", "--enroll and --roster are at least 1"),
        ("bench score --key k --scores s --p-target 2", "--p-target"),
        ("load --calls 99999", "--calls takes at most 5000"),
        ("load --files 99999", "--files takes at most 5000"),
        ("load --numbers 0", "--numbers takes 1 or more"),
        ("load --seconds 0", "--seconds takes 1 to 3600"),
        ("store copy --to nonsense", "--to is no address of PostgreSQL"),
    ] {
        refused(&site, &args.split(' ').collect::<Vec<_>>(), 2, part);
    }

    misread(&site, &["bench"], "--protocol <DIR>");
    misread(&site, &[], "Usage: voxline");
    misread(
        &site,
        &["number", "add", "12025550102"],
        "starts with + and the country code",
    );
    misread(
        &site,
        &["number", "add", "+1202555"],
        "check for a missing or extra digit",
    );
    misread(&site, &["user", "remove", "junk"], "not an id, as in 0199aaaa");
    misread(&site, &["keys", "revoke", "junk"], "not an id, as in 0199aaaa");
    misread(
        &site,
        &["enroll", "--user", "junk", "--consent", "yes", &file],
        "not an id",
    );
    misread(&site, &["enroll", "--user", &user, &file], "--consent <TEXT>");
    misread(
        &site,
        &["enroll", "--user", &user, "--consent", "yes"],
        "<FILE>...",
    );
    misread(
        &site,
        &["keys", "create", "--scope", "root"],
        "enroll, identify, scores and admin",
    );
    misread(&site, &["keys", "create"], "--scope <SCOPE>");
    misread(
        &site,
        &["identify", "--number", NUMBER, "--channel", "2", &file],
        "--channel <0|1>",
    );
    misread(&site, &["recognise"], "unrecognized subcommand");
}

#[test]
fn an_enrolment_of_two_voices_channels_is_told_of_the_flag() {
    let site = Site::with_number();
    let user = site.user("Alice", NUMBER);
    let tone = |hertz| crate::support::tones(&[hertz], 0.3, 16_000);
    let (left, right) = (tone(440.0), tone(1_000.0));
    let both: Vec<f32> = left
        .iter()
        .zip(&right)
        .flat_map(|(left, right)| [*left, *right])
        .collect();
    let file = site.file("stereo.wav", &crate::support::wav(16_000, 2, &both));
    let args = ["enroll", "--user", &user, "--consent", "yes", &file];
    refused(&site, &args, 1, "--channel 0");
    // With it the channel is listened to, and holds no voice.
    let heard = site.run(&[&args[..], &["--channel", "1", "--json"]].concat());
    assert_eq!(
        (heard.status, &heard.document()["accepted"]),
        (1, &serde_json::json!(false))
    );
}

#[test]
fn a_borrowed_decoder_fills_no_log() {
    let site = Site::with_number();
    // Frames that begin everywhere and are none: their reader has a line to say about each.
    let flac = crate::support::read("tests/data/audio/flac.flac");
    let mut hostile = flac[..flac.len() / 2].to_vec();
    hostile.extend([0xFF, 0xF8, 0x64, 0x08, 0x00, 0x11].repeat(200_000));
    let file = site.file("hostile.flac", &hostile);
    let mut command = site.command(&["identify", "--number", NUMBER, &file]);
    command.env("RUST_LOG", "trace");
    let said = said(command);
    assert!(said.stderr.len() < 100_000, "{} bytes of log", said.stderr.len());
    assert!(
        !said.stderr.contains("symphonia"),
        "{}",
        &said.stderr[..2_000.min(said.stderr.len())]
    );
}

#[test]
fn where_a_store_is_copied_to_is_taken_from_the_environment() {
    let site = Site::new();
    let mut copy = site.command(&["store", "copy"]);
    copy.env("COPY_TO", "nonsense");
    let refused = said(copy);
    // It is the address that is wrong, and no setting.
    let is_the_address = refused.stderr.contains("--to is no address of PostgreSQL");
    assert!(refused.status == 2 && is_the_address, "{refused:?}");
}
