//! The History-Info header (RFC 7044, and RFC 4244 before it): every target a call had, oldest first.

use super::number::of_user_part;
use super::region::Region;
use super::scan::{Address, Malformed, entries, percent_decoded, user_part};
use crate::units::PhoneNumber;

/// One target of the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number; `None` when it is no number.
    pub number: Option<PhoneNumber>,
    /// Its place in the history, as in `1.2.1`; older is smaller. Empty when it was not given.
    pub index: Vec<u32>,
    /// Why the call came *to* this target (RFC 4458, as in 302, 486): the entry is the result of it.
    pub cause: Option<u16>,
    /// Why the call went *away* from this target (RFC 4244's `?Reason=SIP%3Bcause%3D302`).
    pub left_because: Option<u16>,
    /// Whether it asked not to be shown (`?Privacy=history`).
    pub private: bool,
}

/// Reads the header, all lines of it joined by commas; the entries come in the order of their indexes.
///
/// # Errors
/// [`Malformed`] as in [`super::diversion::parse`].
pub fn parse(text: &str, region: Region) -> Result<Vec<Entry>, Malformed> {
    let read = entries(text)?.into_iter().map(|entry| read(entry, region));
    let mut all = read.collect::<Result<Vec<Entry>, Malformed>>()?;
    // Stable: entries without an index stay where they stood.
    if all.iter().all(|entry| !entry.index.is_empty()) {
        all.sort_by(|a, b| a.index.cmp(&b.index));
    }
    Ok(all)
}

/// The parties who diverted the call, most recent first, as [`super::diversion::parse`] gives them: of each
/// redirection the target that was left.
///
/// RFC 7044 marks the target the call was redirected to with a `cause`, so the one before it diverted; RFC
/// 4244 marked the diverting target itself with a `Reason`.
pub fn diverting(history: &[Entry]) -> Vec<&Entry> {
    let mut parties = Vec::new();
    for (at, entry) in history.iter().enumerate() {
        let next = history.get(at + 1);
        let left = next.is_some_and(|next| next.cause.is_some_and(redirects));
        if left || entry.left_because.is_some_and(redirects) {
            parties.push(entry);
        }
    }
    parties.reverse();
    parties
}

/// Whether a cause says that a call was diverted (RFC 4458 section 2 and the deflections of RFC 7544).
fn redirects(cause: u16) -> bool {
    matches!(cause, 302 | 404 | 408 | 480 | 486 | 487 | 503)
}

fn read(entry: &str, region: Region) -> Result<Entry, Malformed> {
    let address = Address::read(entry)?;
    let (uri, headers) = address.uri.split_once('?').unwrap_or((address.uri, ""));
    let user = user_part(uri);
    let headers = uri_headers(headers);
    let header = |name: &str| {
        let found = headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_ascii_lowercase())
    };
    Ok(Entry {
        number: user.and_then(|part| of_user_part(&part, region)),
        index: address.parameter("index").map(index).unwrap_or_default(),
        cause: uri_parameter(uri, "cause").and_then(|cause| cause.parse().ok()),
        left_because: header("reason").as_deref().and_then(reason_cause),
        private: header("privacy").is_some_and(|privacy| {
            let mut wishes = privacy.split([';', ',']);
            wishes.any(|wish| matches!(wish.trim(), "history" | "id" | "header" | "user"))
        }),
    })
}

/// `1.2.1` as numbers; empty when it is not of that form.
fn index(text: &str) -> Vec<u32> {
    let parts: Option<Vec<u32>> = text.split('.').map(|part| part.trim().parse().ok()).collect();
    parts.unwrap_or_default()
}

/// A parameter behind the host of a URI.
fn uri_parameter<'a>(uri: &'a str, name: &str) -> Option<&'a str> {
    let host = uri.split_once('@').map_or(uri, |(_, host)| host);
    let parameters = host.split(';').skip(1).filter_map(|part| part.split_once('='));
    let mut named = parameters.filter(|(known, _)| known.trim().eq_ignore_ascii_case(name));
    named.next().map(|(_, value)| value.trim())
}

/// The headers inside a URI, decoded.
fn uri_headers(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    let decoded = pairs.filter_map(|(name, value)| {
        Some((
            percent_decoded(name)?.into_owned(),
            percent_decoded(value)?.into_owned(),
        ))
    });
    decoded.collect()
}

/// The cause of a Reason header value, as in `sip;cause=302;text="moved"`.
fn reason_cause(reason: &str) -> Option<u16> {
    let mut parts = reason.split(';').filter_map(|part| part.split_once('='));
    let cause = parts.find(|(name, _)| name.trim() == "cause")?.1;
    cause.trim().trim_matches('"').parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn diverted_by(text: &str) -> Vec<String> {
        let history = parse(text, "US".parse().unwrap()).unwrap();
        let parties = diverting(&history).into_iter();
        parties
            .map(|entry| {
                entry
                    .number
                    .as_ref()
                    .map_or("-".to_owned(), |n| n.as_e164().to_owned())
            })
            .collect()
    }

    #[test]
    fn the_target_before_the_cause_forwarded_the_call() {
        let text = "<sip:+12025550103@h;user=phone?Privacy=history>;index=1, \
                    <sip:+12025550102@h;cause=302>;index=1.1;mp=1";
        assert_eq!(diverted_by(text), ["+12025550103"]);
        assert!(parse(text, Region::UNKNOWN).unwrap()[0].private);
    }

    #[test]
    fn the_older_form_marks_who_forwarded() {
        let text = "<sip:+12025550103@h?Reason=SIP%3Bcause%3D302%3Btext%3D%22Moved%22>;index=1, \
                    <sip:+12025550102@h>;index=1.1";
        assert_eq!(diverted_by(text), ["+12025550103"]);
    }

    #[test]
    fn of_two_the_latest_comes_first_whatever_order_they_were_sent_in() {
        let text = "<sip:+12025550102@h;cause=408>;index=1.1.1, <sip:+12025550104@h>;index=1, \
                    <sip:+12025550103@h;cause=486>;index=1.1";
        assert_eq!(diverted_by(text), ["+12025550103", "+12025550104"]);
    }

    #[test]
    fn a_history_without_a_diversion_names_nobody() {
        let retarget = "<sip:+12025550103@h>;index=1, <sip:+12025550102@h>;index=1.1;rc=1";
        assert!(diverted_by(retarget).is_empty());
        let other_cause = "<sip:+12025550103@h>;index=1, <sip:+12025550102@h;cause=200>;index=1.1";
        assert!(diverted_by(other_cause).is_empty());
        assert!(diverted_by("").is_empty());
    }
}
