//! Links from the report to recordings, so that a person can listen.

use std::path::{Component, Path, PathBuf};

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::super::protocol::Protocol;
use super::html::escaped;

/// What stays as it is in a path of a URL (RFC 3986: unreserved, and the slash).
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'/');

/// Where a report lies, and where the recordings lie that it speaks of.
pub struct Place<'a> {
    /// The folder that the report is written into.
    pub folder: &'a Path,
    /// What was run.
    pub protocol: &'a Protocol,
}

impl Place<'_> {
    /// A test's name, as HTML: a link where the recording is there.
    pub(super) fn test(&self, test: &str) -> String {
        self.linked(test, test)
    }

    /// A model's name, as HTML: a link to the first recording it was enrolled with, where that is there.
    pub(super) fn model(&self, model: &str) -> String {
        let tables = &self.protocol.tables;
        let place = tables.models.iter().position(|other| other == model);
        let clip = place.and_then(|at| tables.enrolments.get(at)?.first());
        clip.map_or_else(|| escaped(model), |clip| self.linked(model, &clip.path))
    }

    fn linked(&self, name: &str, path: &str) -> String {
        self.way(path).map_or_else(
            || escaped(name),
            |way| format!("<a href=\"{way}\">{}</a>", escaped(name)),
        )
    }

    /// The way from the report to a recording that is there, as a relative URL.
    fn way(&self, path: &str) -> Option<String> {
        let file = self.protocol.audio.join(path).canonicalize().ok()?;
        let folder = self.folder.canonicalize().ok()?;
        let way = relative(&folder, &file)?;
        file.is_file()
            .then(|| utf8_percent_encode(&way, PLAIN).to_string())
    }
}

/// The way from an absolute folder to an absolute file; none where they share no root or a name is no text.
fn relative(folder: &Path, file: &Path) -> Option<String> {
    let (mut from, mut to) = (folder.components().peekable(), file.components().peekable());
    let mut shared = false;
    while from.peek().is_some() && from.peek() == to.peek() {
        shared = true;
        from.next();
        to.next();
    }
    let up = from.map(|_| Component::ParentDir);
    let way: PathBuf = up.chain(to).collect();
    let parts: Option<Vec<&str>> = way.iter().map(std::ffi::OsStr::to_str).collect();
    shared.then_some(parts?.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::measure::{Clip, Side, Tables};

    #[test]
    fn a_recording_that_is_there_is_linked_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let (out, audio) = (folder.path().join("out"), folder.path().join("my audio"));
        std::fs::create_dir_all(&out).unwrap();
        std::fs::create_dir_all(&audio).unwrap();
        std::fs::write(audio.join("a \"b\"#.wav"), b"").unwrap();
        let clip = |path: &str| Clip {
            path: path.to_owned(),
            span: None,
        };
        let tables = Tables {
            models: vec!["a<".to_owned(), "c".to_owned()],
            enrolments: vec![vec![clip("a \"b\"#.wav")], vec![clip("gone.wav")]],
            ..Tables::default()
        };
        let protocol = Protocol {
            name: String::new(),
            description: String::new(),
            audio,
            enroll: Side::default(),
            test: Side::default(),
            tables,
            sha256: String::new(),
        };
        let place = Place {
            folder: &out,
            protocol: &protocol,
        };
        assert_eq!(
            place.model("a<"),
            "<a href=\"../my%20audio/a%20%22b%22%23.wav\">a&lt;</a>"
        );
        assert_eq!(place.model("c"), "c");
        assert_eq!(place.model("nobody"), "nobody");
        assert_eq!(place.test("gone & away.wav"), "gone &amp; away.wav");
    }
}
