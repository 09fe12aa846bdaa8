//! Scanning SIP header values (RFC 3261 section 25.1): lists, quotes, angle brackets, parameters, URIs.

use std::borrow::Cow;

use thiserror::Error;

/// Most bytes of a header value, all lines of it together.
pub const MAX_HEADER_BYTES: usize = 8 * 1024;

/// Most entries of a header's list.
pub const MAX_ENTRIES: usize = 20;

/// Why a header value was not read. Nothing of it is used then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum Malformed {
    /// A `"` without its partner.
    #[error("a quotation mark is not closed")]
    Quote,
    /// A `<` or `>` without its partner.
    #[error("an angle bracket is not closed")]
    Bracket,
    /// Something stands between an address and its parameters.
    #[error("there is text between an address and its parameters")]
    Stray,
    /// More than is read.
    #[error("it is longer than {MAX_HEADER_BYTES} bytes")]
    TooLong,
    /// More than is read.
    #[error("it has more than {MAX_ENTRIES} entries")]
    TooMany,
    /// A token that is not of the form its standard gives.
    #[error("{0}")]
    Token(&'static str),
}

/// Where a byte stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Nothing,
    Quotes,
    Brackets,
}

/// A walk over bytes that knows what is inside quotes and brackets.
struct Walk {
    inside: Inside,
    escaped: bool,
}

impl Walk {
    const fn new() -> Self {
        Self {
            inside: Inside::Nothing,
            escaped: false,
        }
    }

    /// Takes a byte; says whether it stands outside quotes and brackets and is no such sign itself.
    fn take(&mut self, byte: u8) -> Result<bool, Malformed> {
        if self.escaped {
            self.escaped = false;
            return Ok(false);
        }
        let (next, outside) = match (self.inside, byte) {
            (Inside::Quotes, b'\\') => {
                self.escaped = true;
                (Inside::Quotes, false)
            }
            (Inside::Quotes, b'"') => (Inside::Nothing, false),
            (Inside::Nothing, b'"') => (Inside::Quotes, false),
            (Inside::Nothing, b'<') => (Inside::Brackets, false),
            (Inside::Brackets, b'>') => (Inside::Nothing, false),
            (Inside::Nothing, b'>') | (Inside::Brackets, b'<') => return Err(Malformed::Bracket),
            (inside, _) => (inside, inside == Inside::Nothing),
        };
        self.inside = next;
        Ok(outside)
    }

    fn end(&self) -> Result<(), Malformed> {
        match self.inside {
            Inside::Nothing => Ok(()),
            Inside::Quotes => Err(Malformed::Quote),
            Inside::Brackets => Err(Malformed::Bracket),
        }
    }
}

/// The parts of `text` between the top-level `separator`s, trimmed; empty ones are left out.
pub(super) fn split(text: &str, separator: u8) -> Result<Vec<&str>, Malformed> {
    if text.len() > MAX_HEADER_BYTES {
        return Err(Malformed::TooLong);
    }
    let mut walk = Walk::new();
    let mut parts = Vec::new();
    let mut start = 0;
    for (at, byte) in text.bytes().enumerate() {
        if walk.take(byte)? && byte == separator {
            // A separator is ASCII, so both sides of it are whole characters.
            parts.push(text[start..at].trim());
            start = at + 1;
        }
    }
    walk.end()?;
    parts.push(text[start..].trim());
    parts.retain(|part| !part.is_empty());
    Ok(parts)
}

/// The entries of a header's list, at most [`MAX_ENTRIES`].
pub(super) fn entries(text: &str) -> Result<Vec<&str>, Malformed> {
    let parts = split(text, b',')?;
    if parts.len() > MAX_ENTRIES {
        return Err(Malformed::TooMany);
    }
    Ok(parts)
}

/// A `name-addr` or `addr-spec` with the parameters behind it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Address<'a> {
    /// The URI, without brackets.
    pub uri: &'a str,
    /// The parameters of the header, names in lower case, values without quotes.
    pub parameters: Vec<(String, String)>,
}

impl<'a> Address<'a> {
    /// Reads one entry of a list.
    pub fn read(entry: &'a str) -> Result<Self, Malformed> {
        let (uri, rest) = match bracketed(entry)? {
            Some(parts) => parts,
            // Without brackets every parameter is the header's (RFC 3261 section 20).
            None => {
                let end = entry.find(';').unwrap_or(entry.len());
                (entry[..end].trim(), &entry[end..])
            }
        };
        let rest = rest.trim();
        if !rest.is_empty() && !rest.starts_with(';') {
            return Err(Malformed::Stray);
        }
        Ok(Self {
            uri,
            parameters: parameters(rest)?,
        })
    }

    /// A parameter's value, by its name in lower case.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let found = self.parameters.iter().find(|(known, _)| known == name);
        found.map(|(_, value)| value.as_str())
    }
}

/// What stands between the brackets of an entry and what follows them; `None` without brackets.
fn bracketed(entry: &str) -> Result<Option<(&str, &str)>, Malformed> {
    let mut walk = Walk::new();
    let mut open = None;
    for (at, byte) in entry.bytes().enumerate() {
        let before = walk.inside;
        walk.take(byte)?;
        match (before, walk.inside) {
            (Inside::Nothing, Inside::Brackets) => open = Some(at + 1),
            (Inside::Brackets, Inside::Nothing) => {
                let uri = open.map_or("", |open| entry[open..at].trim());
                return Ok(Some((uri, &entry[at + 1..])));
            }
            _ => {}
        }
    }
    walk.end()?;
    Ok(None)
}

/// Parameters in the form `;name=value;name`.
pub(super) fn parameters(text: &str) -> Result<Vec<(String, String)>, Malformed> {
    let parts = split(text, b';')?;
    if parts.len() > 4 * MAX_ENTRIES {
        return Err(Malformed::TooMany);
    }
    let pair = |part: &str| {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        (name.trim().to_ascii_lowercase(), unquoted(value.trim()))
    };
    Ok(parts.into_iter().map(pair).collect())
}

/// A quoted string's content; other text as it is.
pub(super) fn unquoted(text: &str) -> String {
    let Some(inner) = text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')) else {
        return text.to_owned();
    };
    let mut plain = String::with_capacity(inner.len());
    let mut signs = inner.chars();
    while let Some(sign) = signs.next() {
        plain.extend(if sign == '\\' { signs.next() } else { Some(sign) });
    }
    plain
}

/// A telephone number's place in a URI.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct UserPart {
    /// The user part, percent-decoded, without password and parameters.
    pub text: String,
    /// The global prefix of its `phone-context`, as in `+1` (RFC 3966 section 5.1.5); never a domain.
    pub prefix: Option<String>,
}

/// The user part of a `sip:`, `sips:` or `tel:` URI; `None` for another scheme, or when there is none.
pub(super) fn user_part(uri: &str) -> Option<UserPart> {
    let (scheme, rest) = uri.split_once(':')?;
    let whole = match scheme.trim().to_ascii_lowercase().as_str() {
        "tel" => rest,
        "sip" | "sips" => match user_of(rest).ok()? {
            Some(user) => user,
            // The number where the host should be, and no host.
            None if is_digits(rest) => rest,
            None => return None,
        },
        _ => return None,
    };
    read_user(whole)
}

/// The same, and the user part of an address whose scheme was left out, as `12025550103@pbx.example` or a bare
/// `12025550103`: some PBXs write no more.
pub(super) fn user_part_or_bare(uri: &str) -> Option<UserPart> {
    let before = uri.split_once(':').map(|(before, _)| before.trim());
    let is_scheme = before.is_some_and(|before| {
        let of_a_scheme = |sign: char| sign.is_ascii_alphanumeric() || "+-.".contains(sign);
        before.starts_with(|first: char| first.is_ascii_alphabetic()) && before.chars().all(of_a_scheme)
    });
    if is_scheme {
        return user_part(uri);
    }
    read_user(user_of(uri).ok()?.unwrap_or(uri))
}

/// Two users stand before one host.
struct Ambiguous;

/// What stands before the `@`, inside if there is one; an error where a second one leaves open which of two users is
/// meant.
fn user_of(rest: &str) -> Result<Option<&str>, Ambiguous> {
    match rest.split_once('@') {
        Some((_, host)) if host.contains('@') => Err(Ambiguous),
        Some((user, _)) => Ok(Some(user)),
        None => Ok(None),
    }
}

/// Whether a host is none: digits alone, with a plus or parameters, as no address of IP has them.
fn is_digits(host: &str) -> bool {
    let bare = host.split(';').next().unwrap_or("").trim();
    let bare = bare
        .strip_prefix('+')
        .or_else(|| bare.strip_prefix("%2B"))
        .or_else(|| bare.strip_prefix("%2b"))
        .unwrap_or(bare);
    bare.len() >= 7 && bare.bytes().all(|byte| byte.is_ascii_digit() || byte == b'-')
}

fn read_user(whole: &str) -> Option<UserPart> {
    let without_password = whole.split(':').next().unwrap_or(whole);
    let without_headers = without_password.split('?').next().unwrap_or(without_password);
    let mut parts = without_headers.split(';');
    let text = percent_decoded(parts.next().unwrap_or(""))?.trim().to_owned();
    let context = parts.filter_map(|part| part.split_once('='));
    let prefix = context
        .filter(|(name, _)| name.trim().eq_ignore_ascii_case("phone-context"))
        .filter_map(|(_, value)| percent_decoded(value.trim()))
        .find(|value| value.starts_with('+'));
    (!text.is_empty()).then(|| UserPart {
        text,
        prefix: prefix.map(|value| value.into_owned()),
    })
}

/// `text` with its `%XX` decoded; `None` when one of them is not two hexadecimal digits or the bytes are no
/// UTF-8.
pub(super) fn percent_decoded(text: &str) -> Option<Cow<'_, str>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit()?, digit()?);
        bytes.push((high * 16 + low) as u8);
    }
    String::from_utf8(bytes).ok().map(Cow::Owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commas_inside_quotes_and_brackets_separate_nothing() {
        let parts = split(r#""a, \", b" <sip:x,y@h>;p="1,2", <sip:z@h>, ,"#, b',').unwrap();
        assert_eq!(parts, [r#""a, \", b" <sip:x,y@h>;p="1,2""#, "<sip:z@h>"]);
        assert_eq!(split("\"a, b", b','), Err(Malformed::Quote));
        assert_eq!(split("<a, b", b','), Err(Malformed::Bracket));
        assert_eq!(split("a>, b", b','), Err(Malformed::Bracket));
        assert_eq!(
            split(&"x".repeat(MAX_HEADER_BYTES + 1), b','),
            Err(Malformed::TooLong)
        );
        assert_eq!(entries(&"a,".repeat(21)), Err(Malformed::TooMany));
    }

    #[test]
    fn an_address_is_what_stands_in_brackets_and_its_parameters_what_follows() {
        let address = Address::read(r#""Doe; <x>" <sip:a;b=c@h> ; Reason = "no \"one\"";counter=1;flag"#);
        let address = address.unwrap();
        assert_eq!(address.uri, "sip:a;b=c@h");
        assert_eq!(address.parameter("reason"), Some("no \"one\""));
        assert_eq!(
            (address.parameter("flag"), address.parameter("b")),
            (Some(""), None)
        );
        assert_eq!(Address::read("sip:a@h;reason=x").unwrap().uri, "sip:a@h");
        assert_eq!(Address::read("<sip:a@h> x"), Err(Malformed::Stray));
    }

    #[test]
    fn the_user_part_is_decoded_and_stands_alone() {
        let text = |uri| user_part(uri).map(|part| part.text);
        assert_eq!(text("sip:%2B1202:pw@h"), Some("+1202".to_owned()));
        assert_eq!(text("TEL:+1-202;ext=7"), Some("+1-202".to_owned()));
        for none in [
            "sip:@h",
            "sip:h",
            "sip:a@b@c",
            "mailto:a@h",
            "a@h",
            "sip:%2@h",
            "sip:%FF@h",
        ] {
            assert_eq!(text(none), None, "{none}");
        }
        let bare = |uri| user_part_or_bare(uri).map(|part| part.text);
        for (uri, user) in [
            ("12025550103@pbx.example", "12025550103"),
            ("+1-202-555-0103@h:5060;user=phone", "+1-202-555-0103"),
            ("12025550103", "12025550103"),
            ("101@pbx", "101"),
            ("sip:a@h", "a"),
            ("sip:+12025550103", "+12025550103"),
        ] {
            assert_eq!(bare(uri).as_deref(), Some(user), "{uri}");
        }
        for none in [
            "mailto:1@h",
            "",
            "@h",
            "1@2@3",
            "sip:192.0.2.4",
            "sip:h;user=phone",
        ] {
            assert_eq!(bare(none), None, "{none}");
        }
        let part = user_part("sip:202;phone-context=%2B1@h").unwrap();
        assert_eq!(part.prefix.as_deref(), Some("+1"));
        assert_eq!(
            user_part("sip:202;phone-context=national@h").unwrap().prefix,
            None
        );
    }
}
