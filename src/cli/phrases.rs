//! What several commands read and write alike: ids, lists, plurals.

use std::str::FromStr;

/// An id as the program prints it; the UUID parser's own words would puzzle whoever mistyped one.
pub(super) fn id<Id: FromStr>(text: &str) -> Result<Id, &'static str> {
    text.parse()
        .map_err(|_| "not an id, as in 0199aaaa-0000-7000-8000-000000000000: copy it from `list`")
}

/// A line each, or `none`.
pub(super) fn lines(items: impl Iterator<Item = String>, none: &str) -> String {
    let all: Vec<String> = items.collect();
    if all.is_empty() {
        none.to_owned()
    } else {
        all.join("\n")
    }
}

/// What stands behind a noun of so many.
pub(super) fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}
