//! The History-Info header (RFC 7044, and RFC 4244 before it): every target a call had, oldest first.

use super::diversion::is_local;
use super::number::of_user_part;
use super::region::Region;
use super::scan::{Address, Malformed, entries, percent_decoded, split, user_part_or_bare};
use crate::units::PhoneNumber;

/// One target of the call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its number; `None` when it is no number.
    pub number: Option<PhoneNumber>,
    /// Whether it is an extension or a name instead, as [`super::diversion::Diversion::local`].
    pub local: bool,
    /// Its place in the history, as in `1.2.1`; older is smaller. Empty when it was not given.
    pub index: Vec<u32>,
    /// Why the call came *to* this target (RFC 4458, as in 302, 486): the entry is the result of it.
    pub cause: Option<u16>,
    /// The SIP answer with which the call went *away* from this target (RFC 4244's `?Reason=SIP%3Bcause%3D302`).
    pub left_because: Option<u16>,
    /// The entry that a user behind it was called for when the call came to this target: who diverted it (RFC 7044
    /// section 5, `mp`).
    pub mapped_from: Option<Vec<u32>>,
    /// The entry of which this target is a contact, or which was passed on unchanged (`rc` and `np` there): both are
    /// one party.
    pub contact_of: Option<Vec<u32>>,
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
/// RFC 7044 marks the target the call was redirected to with a `cause` and with `mp`, the index of the target it was
/// redirected from; where there is no `mp`, the one before it diverted. RFC 4244 marked the diverting target itself
/// with a `Reason`. A registered contact diverts for the party it was registered by (`rc`), as a telephone does that
/// answers 302.
pub fn diverting(history: &[Entry]) -> Vec<&Entry> {
    let mut parties: Vec<&Entry> = Vec::new();
    for (at, entry) in history.iter().enumerate() {
        let came = entry
            .cause
            .map_or(entry.mapped_from.is_some(), |cause| {
                redirects(cause) || (entry.mapped_from.is_some() && declines(cause) && cause != TRANSLATED)
            })
            .then(|| named(history, entry.mapped_from.as_ref()).or(history[..at].last()));
        let left = entry.left_because.is_some_and(declines).then_some(entry);
        // An entry was come to before it was left.
        for party in [came.flatten(), left].into_iter().flatten() {
            let party = owner(history, party);
            if !parties.last().is_some_and(|last| std::ptr::eq(*last, party)) {
                parties.push(party);
            }
        }
    }
    parties.reverse();
    parties
}

/// The entry of an index.
fn named<'a>(history: &'a [Entry], index: Option<&Vec<u32>>) -> Option<&'a Entry> {
    let index = index.filter(|index| !index.is_empty())?;
    history.iter().find(|entry| entry.index == *index)
}

/// The party whose contact an entry is: itself, where it is nobody's. At most as many steps as there are entries,
/// for indexes of strangers may go in circles.
fn owner<'a>(history: &'a [Entry], entry: &'a Entry) -> &'a Entry {
    let mut party = entry;
    for _ in history {
        match named(history, party.contact_of.as_ref()) {
            Some(of) => party = of,
            None => break,
        }
    }
    party
}

/// Whether a cause says that a call was diverted (RFC 4458 section 2 and the deflections of RFC 7544).
fn redirects(cause: u16) -> bool {
    matches!(cause, 302 | 404 | 408 | 480 | 486 | 487 | 503)
}

/// The cause of a service number's translation (RFC 8119), which is no diversion.
const TRANSLATED: u16 = 380;

/// Whether an answer says that its target did not take the call: any final one that is no success (RFC 7044 section 10.2).
fn declines(answer: u16) -> bool {
    (300..700).contains(&answer)
}

fn read(entry: &str, region: Region) -> Result<Entry, Malformed> {
    let address = Address::read(entry)?;
    let (uri, headers) = address.uri.split_once('?').unwrap_or((address.uri, ""));
    let user = user_part_or_bare(uri);
    let headers = uri_headers(headers);
    let reasons = headers.iter().filter(|(name, _)| name == "reason");
    // Without brackets the URI's parameters are the header's.
    let cause = uri_parameter(uri, "cause").or_else(|| address.parameter("cause"));
    let indexed = |name| address.parameter(name).map(index);
    let privacy = headers.iter().filter(|(name, _)| name == "privacy");
    let mut wishes = privacy.flat_map(|(_, wishes)| wishes.split([';', ',']));
    let private = wishes.any(|wish| matches!(wish.trim(), "history" | "id" | "header" | "user"));
    let number = user.as_ref().and_then(|part| of_user_part(part, region));
    Ok(Entry {
        local: number.is_none() && !private && is_local(uri, user.map(|part| part.text).as_deref(), region),
        number,
        index: indexed("index").unwrap_or_default(),
        cause: cause.and_then(|cause| cause.parse().ok()),
        left_because: answer(reasons.map(|(_, reason)| reason.as_str())),
        mapped_from: indexed("mp"),
        contact_of: indexed("rc").or_else(|| indexed("np")),
        private,
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

/// The headers inside a URI, decoded and in lower case.
fn uri_headers(text: &str) -> Vec<(String, String)> {
    // Decoded before the name is told from its value, for Teams encodes the sign between them too.
    let decoded = text.split('&').filter_map(percent_decoded);
    let pairs = decoded.filter_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        Some((name.to_ascii_lowercase(), value.to_ascii_lowercase()))
    });
    pairs.collect()
}

/// The SIP answer that an entry's Reasons (RFC 3326) tell of. Gateways write the telephone network's cause beside SIP's,
/// or alone.
fn answer<'a>(reasons: impl Iterator<Item = &'a str>) -> Option<u16> {
    let each = reasons.flat_map(|list| split(list, b',').unwrap_or_else(|_| vec![list]));
    let causes: Vec<(&str, u16)> = each.filter_map(reason_cause).collect();
    let of = |protocol: &str| {
        let found = causes.iter().find(|(known, _)| *known == protocol);
        found.map(|(_, cause)| *cause)
    };
    of("sip").or_else(|| of("q.850").and_then(answer_of_q850))
}

/// Protocol and cause of a Reason, as in `sip;cause=302;text="moved"`.
fn reason_cause(reason: &str) -> Option<(&str, u16)> {
    let (protocol, parameters) = reason.split_once(';')?;
    let mut parts = parameters.split(';').filter_map(|part| part.split_once('='));
    let cause = parts.find(|(name, _)| name.trim() == "cause")?.1;
    Some((protocol.trim(), cause.trim().trim_matches('"').parse().ok()?))
}

/// The SIP answer that a cause of the telephone network stands for (RFC 3398 section 7.2.4.1; a call that was cleared
/// before an answer was cancelled).
const fn answer_of_q850(cause: u16) -> Option<u16> {
    Some(match cause {
        16 => 487,
        17 => 486,
        18 => 408,
        19 | 20 | 31 => 480,
        21 => 603,
        22 | 23 => 410,
        26 => 404,
        27 => 502,
        28 => 484,
        29 => 501,
        34 | 38 | 41 | 42 => 503,
        102 => 504,
        _ => return None,
    })
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
    fn whoever_declined_or_was_busy_everywhere_diverted_not_the_one_before() {
        for cause in [603, 600, 410, 496, 500] {
            let text = format!(
                "<sip:+12025550104@h?Reason=SIP%3Bcause%3D302>;index=1, \
                 <sip:+12025550103@h?Reason=SIP%3Bcause%3D{cause}>;index=1.1, <sip:+12025550102@h>;index=1.2"
            );
            assert_eq!(diverted_by(&text), ["+12025550103", "+12025550104"], "{cause}");
        }
        let answered =
            "<sip:+12025550103@h?Reason=SIP%3Bcause%3D200>;index=1, <sip:+12025550102@h>;index=1.1";
        assert!(diverted_by(answered).is_empty());
    }

    #[test]
    fn a_cause_that_declines_names_who_diverted_where_mp_does() {
        let diverted = |cause: u16, mp: &str| {
            diverted_by(&format!(
                "<sip:+12025550103@h>;index=1, <sip:+12025550102@h;cause={cause}>;index=1.1{mp}"
            ))
        };
        for cause in [600, 603, 410, 500] {
            assert_eq!(diverted(cause, ";mp=1"), ["+12025550103"], "{cause}");
            assert!(diverted(cause, "").is_empty(), "{cause}");
        }
        for cause in [200, 380] {
            assert!(diverted(cause, ";mp=1").is_empty(), "{cause}");
        }
    }

    #[test]
    fn a_q850_reason_beside_the_sip_one_hides_no_forwarder() {
        for reasons in [
            "Reason=Q.850%3Bcause%3D17&Reason=SIP%3Bcause%3D486",
            "Reason=SIP%3Bcause%3D486&Reason=Q.850%3Bcause%3D17",
            "Reason=SIP%3Bcause%3D486%2CQ.850%3Bcause%3D17",
            "Reason=Q.850%3Bcause%3D17%3Btext%3D%22a%2C%20b%22%2CSIP%3Bcause%3D486",
            "Reason=Q.850%3Bcause%3D17",
            // As Teams writes it.
            "Reason%3DSIP%3Bcause%3D486%3Btext%3D%22User%20Busy%22",
            "Reason=SIP%3Bcause%3D486%3Btext%3D%22not%20closed",
        ] {
            let text = format!(
                "<sip:+12025550104@h?Reason=SIP%3Bcause%3D302>;index=1, <sip:+12025550103@h?{reasons}>;index=1.1, \
                 <sip:+12025550102@h>;index=1.2"
            );
            assert_eq!(diverted_by(&text)[0], "+12025550103", "{reasons}");
            let history = parse(&text, Region::UNKNOWN).unwrap();
            assert_eq!(history[1].left_because, Some(486), "{reasons}");
        }
        let unknown =
            "<sip:+12025550103@h?Reason=Q.850%3Bcause%3D127>;index=1, <sip:+12025550102@h>;index=1.1";
        assert!(diverted_by(unknown).is_empty());
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

    #[test]
    fn mp_names_who_diverted_and_a_contact_who_registered_it() {
        for (text, parties) in [
            // The call rang at a contact, then went on for the party whose contact that was.
            (
                "<sip:+12025550103@h>;index=1, <sip:+12025550109@h>;index=1.1;rc=1, \
                 <sip:+12025550102@h;cause=408>;index=1.2;mp=1",
                &["+12025550103"][..],
            ),
            // The telephone itself answered 302.
            (
                "<sip:+12025550103@h>;index=1, <sip:u7@192.0.2.4?Reason=SIP%3Bcause%3D302>;index=1.1;rc=1, \
                 <sip:+12025550102@h;cause=302>;index=1.2;mp=1",
                &["+12025550103"],
            ),
            // `mp` names the contact.
            (
                "<sip:+12025550103@h>;index=1, <sip:u7@192.0.2.4>;index=1.1;rc=1, \
                 <sip:+12025550102@h;cause=302>;index=1.1.1;mp=1.1",
                &["+12025550103"],
            ),
            // Passed on unchanged by a proxy in between.
            (
                "<sip:+12025550103@h>;index=1, <sip:+12025550103@proxy>;index=1.1;np=1, \
                 <sip:+12025550102@h;cause=486>;index=1.1.1;mp=1.1",
                &["+12025550103"],
            ),
            // Two, of whom the second diverted last; sent in the wrong order and without schemes.
            (
                "<12025550102@h;cause=302>;index=1.1.1;mp=1.1, <12025550104@h>;index=1, \
                 <12025550103@h;cause=486>;index=1.1;mp=1",
                &["+12025550103", "+12025550104"],
            ),
            // Mapped, and nothing says why.
            (
                "<sip:+12025550103@h>;index=1, <sip:+12025550102@h>;index=1.1;mp=1",
                &["+12025550103"],
            ),
            // A service number's translation (RFC 8119) is no diversion.
            (
                "<sip:+18005550103@h>;index=1, <sip:+12025550102@h;cause=380>;index=1.1;mp=1",
                &[],
            ),
            // Without `mp` the one before, for whom it was registered.
            (
                "<sip:+12025550103@h>;index=1, <sip:u7@192.0.2.4>;index=1.1;rc=1, \
                 <sip:+12025550102@h;cause=302>;index=1.2",
                &["+12025550103"],
            ),
            // No brackets: the cause is the header's parameter.
            (
                "12025550103;index=1, 12025550102;cause=302;index=1.1;mp=1",
                &["+12025550103"],
            ),
            // An index that is not there, and a circle.
            (
                "<sip:+12025550103@h>;index=1, <sip:+12025550102@h;cause=302>;index=1.1;mp=7",
                &["+12025550103"],
            ),
            (
                "<sip:+12025550103@h>;index=1;rc=1.1, <sip:+12025550102@h;cause=302>;index=1.1;rc=1;mp=1",
                &["+12025550103"],
            ),
        ] {
            assert_eq!(diverted_by(text), parties, "{text}");
        }
    }
}
