#!/usr/bin/env bash
# phonenumber 0.3.10, the Rust port of Google's libphonenumber, seen 2026-11-29 (Debian 12, Rust 1.95, x86-64).
#
# Behaviour: a `PhoneNumber` keeps how its country code was found (with a plus, behind an international prefix, without
# either, not at all), and `==`, `Hash` and what serde writes go by that too. The number that a carrier sends as
# +12025550199 is another one than the number that somebody typed as (202) 555-0199, although both are written alike in
# E.164. One line is up to four members of a `HashSet`. A number is not even equal to what is read of its own E.164. By
# the documentation of `country::Source` the origin is not set by the general parser but by one that keeps the raw
# input; `phonenumber::parse`, the general one, sets it. Of `==` no word. (Issue 28 of the repository, open since 2020,
# asks for another comparison.)
#
# What one would have guessed: that numbers of one country code and one national number are equal, as in the Python
# port (phonenumbers 9.0.43), which keeps the origin on request only. A household entered by hand is not found by the
# caller that a carrier names, and one person is enrolled twice. Tests that write all numbers with a plus see nothing of
# it.
#
# Output seen:
#   US: 5 spellings, in E.164 1, members of a set 4, equal to their own E.164 2
#   DE: 5 spellings, in E.164 1, members of a set 4, equal to their own E.164 1
#   the caller +12025550199 is on the list with (202) 555-0199: false, as serde writes it: false
#   Python's phonenumbers: US equal to the first 5, DE equal to the first 5
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
mkdir "$folder/src"
cat >"$folder/Cargo.toml" <<'TOML'
[package]
name = "alike"
version = "0.0.0"
edition = "2021"

[dependencies]
phonenumber = "=0.3.10"
serde_json = "1"
TOML
cat >"$folder/src/main.rs" <<'RUST'
use std::collections::HashSet;

use phonenumber::country::Id;
use phonenumber::{Mode, PhoneNumber};

fn read(text: &str, country: Id) -> PhoneNumber {
    phonenumber::parse(Some(country), text).expect("a number")
}

fn e164(number: &PhoneNumber) -> String {
    number.format().mode(Mode::E164).to_string()
}

fn main() {
    for (country, texts) in [
        (Id::US, ["+12025550199", "+1 202-555-0199", "12025550199", "(202) 555-0199", "011 1 202 555 0199"]),
        (Id::DE, ["+493023125042", "00493023125042", "493023125042", "03023125042", "030 23125-042"]),
    ] {
        let numbers = texts.map(|text| read(text, country));
        assert!(numbers.iter().all(phonenumber::is_valid));
        let written: HashSet<String> = numbers.iter().map(e164).collect();
        let members: HashSet<&PhoneNumber> = numbers.iter().collect();
        let own = numbers.iter().filter(|number| e164(number).parse().ok().as_ref() == Some(*number)).count();
        let (spellings, alike, kept) = (texts.len(), written.len(), members.len());
        print!("{}: {spellings} spellings, in E.164 {alike}, ", country.as_ref());
        println!("members of a set {kept}, equal to their own E.164 {own}");
    }
    let caller = read("+12025550199", Id::US);
    let typed = read("(202) 555-0199", Id::US);
    let json = |number| serde_json::to_string(number).expect("JSON");
    let (found, same) = (HashSet::from([typed.clone()]).contains(&caller), json(&caller) == json(&typed));
    println!("the caller +12025550199 is on the list with (202) 555-0199: {found}, as serde writes it: {same}");
}
RUST
cargo build --quiet --manifest-path "$folder/Cargo.toml" --target-dir "$folder/target"
seen=$("$folder/target/debug/alike")

python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check phonenumbers==9.0.43
port=$("$folder/venv/bin/python" - <<'PY'
from phonenumbers import parse

lines = {
    "US": ["+12025550199", "+1 202-555-0199", "12025550199", "(202) 555-0199", "011 1 202 555 0199"],
    "DE": ["+493023125042", "00493023125042", "493023125042", "03023125042", "030 23125-042"],
}
counts = []
for region, texts in lines.items():
    numbers = [parse(text, region) for text in texts]
    counts.append(f"{region} equal to the first {numbers.count(numbers[0])}")
print("Python's phonenumbers:", ", ".join(counts))
PY
)
echo "$seen
$port"
[ "$seen
$port" = "US: 5 spellings, in E.164 1, members of a set 4, equal to their own E.164 2
DE: 5 spellings, in E.164 1, members of a set 4, equal to their own E.164 1
the caller +12025550199 is on the list with (202) 555-0199: false, as serde writes it: false
Python's phonenumbers: US equal to the first 5, DE equal to the first 5" ]
