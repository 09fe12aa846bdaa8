//! What an Asterisk's dialplan is told: a form, which `CURL()` with `hashcompat=yes` lays into a `HASH`. The dialplan
//! does the rest: it streams with `token`, and calls `forward_to` with the headers.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{Document, Plan};

/// What a value keeps as it is; a blank goes as %20, which both of Asterisk's readings take.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

pub(super) fn document(plan: &Plan) -> Document {
    let mut fields = vec![("forward_to", plan.forward().address(plan.leg.dialed))];
    fields.extend(plan.token.map(|token| ("token", token.to_owned())));
    fields.extend(plan.forward().headers(&plan.leg));
    let pair = |(name, value): (&str, String)| {
        let value = utf8_percent_encode(&value, VALUE);
        format!("{name}={value}")
    };
    let text: Vec<String> = fields.into_iter().map(pair).collect();
    Document {
        media_type: "application/x-www-form-urlencoded",
        text: text.join("&"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::document;
    use crate::carriers::{Carrier, form};

    #[test]
    fn the_fields_name_token_address_and_headers_and_arrive_as_they_were() {
        let text = document(Carrier::Asterisk, "1796000000.5", Some("tok"));
        let fields = form::pairs(text.as_bytes());
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            fields,
            [
                pair("forward_to", "sip:+12025550102@sip.vapi.ai"),
                pair("token", "tok"),
                pair("X-Forwarded-From", "+12025550103"),
                pair("X-Fwd-Call", "1796000000.5"),
            ]
        );
        assert!(!text.contains('+') && !text.contains(','), "{text}");
        let plain = document(Carrier::Asterisk, "1796000000.5", None);
        assert!(!plain.contains("token="), "{plain}");
    }
}
