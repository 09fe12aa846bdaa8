//! `docs/settings.md`, made of the structs that hold the settings.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

use crate::settings::{Kind, Setting, variable_name};

use super::checked::SETTINGS;

const HEAD: &str = "# Settings\n\n\
    For whoever runs the service: every setting there is, with what it may be and what it is without you. \
    `voxline.example.toml` says more of each. A section is a table of `voxline.toml`; the environment variable is \
    `VOXLINE_` and the key in capitals with `_` for the dots, as in `VOXLINE_DECISION_ACCEPT`. Flags are stronger than \
    the environment, and that than the file.\n\n\
    This page is made of the program's own structs: `VOXLINE_TEST_WRITE_GOLDEN=1 cargo test --lib config::reference` \
    writes it anew.\n";

fn page() -> String {
    let mut page = HEAD.to_owned();
    let mut section = None;
    for setting in SETTINGS.iter() {
        let own = setting.key.rsplit_once('.').map_or("", |(own, _)| own);
        if section != Some(own) {
            section = Some(own);
            let title = if own.is_empty() {
                "Outside the sections".to_owned()
            } else {
                format!("`[{own}]`")
            };
            let _ = write!(
                page,
                "\n## {title}\n\n| key | may be | default | what it is |\n|---|---|---|---|\n"
            );
        }
        let name = setting.key.rsplit('.').next().unwrap_or_default();
        let (kind, default) = (may_be(setting), default(&setting.default));
        let what = setting.description.replace('|', "\\|");
        let _ = writeln!(page, "| `{name}` | {kind} | {default} | {what} |");
    }
    page
}

fn may_be(setting: &Setting) -> String {
    match &setting.kind {
        Kind::Flag => "`true` or `false`".to_owned(),
        Kind::Count(range) => format!("whole number, {} to {}", range.start(), range.end()),
        Kind::Number(range) => format!("number, {} to {}", range.start(), range.end()),
        Kind::Choice(words) => format!("`{}`", words.join("`, `")),
        Kind::Text if setting.secret => "secret".to_owned(),
        Kind::Text => "text".to_owned(),
    }
}

fn default(value: &Value) -> String {
    match value {
        Value::Null => "–".to_owned(),
        Value::String(text) => format!("`{text}`"),
        other => format!("`{other}`"),
    }
}

#[test]
fn the_page_of_settings_is_the_programs_own() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/settings.md");
    if std::env::var_os("VOXLINE_TEST_WRITE_GOLDEN").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page(),
        "docs/settings.md is not what the structs say: write it anew with VOXLINE_TEST_WRITE_GOLDEN=1"
    );
}

#[test]
fn every_setting_says_what_it_is_and_what_it_may_be() {
    assert!(SETTINGS.len() > 140, "{}", SETTINGS.len());
    for setting in SETTINGS.iter() {
        let Setting { key, description, .. } = setting;
        assert!(description.ends_with('.'), "{key}: {description:?}");
        let bounded = match &setting.kind {
            Kind::Count(range) => *range.end() < u64::MAX,
            Kind::Number(range) => *range.end() < f64::MAX,
            Kind::Choice(words) => words.len() > 1,
            Kind::Flag | Kind::Text => true,
        };
        assert!(bounded, "{key}: {:?}", setting.kind);
    }
    let variables: BTreeSet<_> = SETTINGS
        .iter()
        .map(|setting| variable_name(&setting.key))
        .collect();
    assert_eq!(variables.len(), SETTINGS.len(), "two settings have one variable");
}
