//! Forms, as webhooks use them.

/// The most pairs of a form; carriers send some dozens. Those beyond are not read, and a signature over them
/// does not hold.
const MOST: usize = 256;

/// The names and values of a form or a query (`application/x-www-form-urlencoded`), in order.
pub fn pairs(form: &[u8]) -> Vec<(String, String)> {
    form_urlencoded::parse(form)
        .take(MOST)
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_come_decoded_and_in_order_and_no_more_than_are_wanted() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(
            pairs(b"b=%2B1&a=x+y&b="),
            [pair("b", "+1"), pair("a", "x y"), pair("b", "")]
        );
        assert_eq!(pairs("a=1&".repeat(10_000).as_bytes()).len(), MOST);
    }
}
