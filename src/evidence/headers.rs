//! SIP headers by name, whatever case and form they were sent in.

/// Most headers that are kept.
const MAX_HEADERS: usize = 256;

/// What stands between the lines of a header in [`Headers::lines`]; to a list it is a comma.
pub(super) const NEXT_LINE: &str = ",\n";

/// Headers of a SIP message, in their order. Names compare without case; compact forms are the long ones.
#[derive(Debug, Clone, Default)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Takes names and values as they came; beyond 256 of them the rest is left out, and so is a value that
    /// is longer than any header that is read.
    pub fn from_pairs<N: AsRef<str>, V: Into<String>>(pairs: impl IntoIterator<Item = (N, V)>) -> Self {
        let kept = pairs.into_iter().take(MAX_HEADERS);
        let named = kept.map(|(name, value)| (canonical(name.as_ref()), value.into()));
        // One byte more than is read: a header that is too long is said to be so, not taken for absent.
        Self(named.map(|(name, value)| (name, cut(value))).collect())
    }

    /// All lines of a header as one list (RFC 3261 section 7.3.1); `None` when there is none.
    pub fn get(&self, name: &str) -> Option<String> {
        self.joined(name, ", ")
    }

    /// The same, and each line can still be told from the next.
    pub(super) fn lines(&self, name: &str) -> Option<String> {
        self.joined(name, NEXT_LINE)
    }

    fn joined(&self, name: &str, between: &str) -> Option<String> {
        let lines: Vec<&str> = self.all(name).collect();
        (!lines.is_empty()).then(|| lines.join(between))
    }

    /// Each line of a header.
    pub fn all<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a str> {
        let name = canonical(name);
        self.0
            .iter()
            .filter(move |(known, _)| *known == name)
            .map(|(_, value)| value.as_str())
    }
}

fn cut(mut value: String) -> String {
    let mut end = super::MAX_HEADER_BYTES + 1;
    if value.len() > end {
        while !value.is_char_boundary(end) {
            end += 1;
        }
        value.truncate(end);
    }
    value
}

/// The long name in lower case (compact forms: RFC 3261 section 7.3.3, RFC 8224 for `y`, RFC 3515, 3892, 6665).
fn canonical(name: &str) -> String {
    let name = name.trim().to_ascii_lowercase();
    let long = match name.as_str() {
        "b" => "referred-by",
        "c" => "content-type",
        "e" => "content-encoding",
        "f" => "from",
        "i" => "call-id",
        "k" => "supported",
        "l" => "content-length",
        "m" => "contact",
        "o" => "event",
        "r" => "refer-to",
        "s" => "subject",
        "t" => "to",
        "v" => "via",
        "y" => "identity",
        _ => return name,
    };
    long.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_have_no_case_and_compact_forms_are_the_long_ones() {
        let headers = Headers::from_pairs([("DIVERSION", "a"), ("f", "b"), ("diversion", "c")]);
        assert_eq!(headers.get("Diversion").as_deref(), Some("a, c"));
        assert_eq!(headers.get("From").as_deref(), Some("b"));
        assert_eq!(headers.get("to"), None);
    }

    #[test]
    fn a_header_that_is_too_long_stays_too_long() {
        let headers = Headers::from_pairs([("x", "é".repeat(100_000))]);
        let kept = headers.get("x").unwrap().len();
        assert!(kept > crate::evidence::MAX_HEADER_BYTES && kept < crate::evidence::MAX_HEADER_BYTES + 8);
    }
}
