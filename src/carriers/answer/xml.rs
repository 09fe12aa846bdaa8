//! XML as carriers take it: elements, attributes and text, nothing else.

use std::fmt;

/// An element. Whatever its values hold, they stay values.
#[derive(Debug, Clone)]
pub(super) struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    text: String,
    children: Vec<Element>,
}

impl Element {
    pub(super) const fn new(name: &'static str) -> Self {
        Self {
            name,
            attributes: Vec::new(),
            text: String::new(),
            children: Vec::new(),
        }
    }

    pub(super) fn attribute(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    pub(super) fn text(mut self, text: impl Into<String>) -> Self {
        self.text = text.into();
        self
    }

    pub(super) fn child(mut self, child: Self) -> Self {
        self.children.push(child);
        self
    }

    pub(super) fn children(mut self, children: impl IntoIterator<Item = Self>) -> Self {
        self.children.extend(children);
        self
    }

    /// The element as a whole document.
    pub(super) fn document(&self) -> String {
        format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>{self}")
    }
}

impl fmt::Display for Element {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{}", self.name)?;
        for (name, value) in &self.attributes {
            write!(f, " {name}=\"{}\"", Escaped(value))?;
        }
        if self.text.is_empty() && self.children.is_empty() {
            return f.write_str("/>");
        }
        write!(f, ">{}", Escaped(&self.text))?;
        self.children.iter().try_for_each(|child| child.fmt(f))?;
        write!(f, "</{}>", self.name)
    }
}

/// Text with what means something in XML written as references, and what may not stand in XML 1.0 at all
/// (section 2.2) left out.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for sign in self.0.chars() {
            match sign {
                '&' => f.write_str("&amp;")?,
                '<' => f.write_str("&lt;")?,
                '>' => f.write_str("&gt;")?,
                '"' => f.write_str("&quot;")?,
                '\'' => f.write_str("&apos;")?,
                // In attributes a parser would make spaces of them (section 3.3.3).
                '\t' | '\n' | '\r' => write!(f, "&#{};", u32::from(sign))?,
                '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => {}
                other => write!(f, "{other}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What a parser makes of an escaped value, written here a second time.
    fn read_back(escaped: &str) -> String {
        let mut text = escaped.to_owned();
        for (reference, sign) in [
            ("&lt;", "<"),
            ("&gt;", ">"),
            ("&quot;", "\""),
            ("&apos;", "'"),
            ("&#9;", "\t"),
            ("&#10;", "\n"),
            ("&#13;", "\r"),
            ("&amp;", "&"),
        ] {
            text = text.replace(reference, sign);
        }
        text
    }

    proptest! {
        #[test]
        fn no_value_leaves_its_place_and_each_is_read_back(value in "\\PC*|.*|[<>&\"'a;#]*") {
            let shown = Element::new("A").attribute("b", value.clone()).to_string();
            let inside = shown.strip_prefix("<A b=\"").and_then(|rest| rest.strip_suffix("\"/>")).unwrap();
            prop_assert!(!inside.contains(['<', '>', '"', '\'']));
            let kept: String = value.chars().filter(|sign| {
                !matches!(sign, '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
            }).collect();
            prop_assert_eq!(read_back(inside), kept);
        }
    }

    #[test]
    fn elements_nest_and_empty_ones_close_themselves() {
        let tree = Element::new("A")
            .child(Element::new("B").attribute("c", "1 & 2").text("<x>"))
            .child(Element::new("D"));
        assert_eq!(
            tree.document(),
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?><A><B c=\"1 &amp; 2\">&lt;x&gt;</B><D/></A>"
        );
    }
}
