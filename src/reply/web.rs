//! What pages are made of: files that are part of the program, and the headers that every page has.
//!
//! The address of an asset holds the digest of all of them, so a browser keeps each for as long as it likes and
//! never mixes the files of two releases.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Path;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use sha2::{Digest, Sha256};

use super::problem::{Kind, Problem};
use crate::units::hex;

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";
const JSON: &str = "application/json";
const SVG: &str = "image/svg+xml";

/// A file, by the path it is asked for.
struct Asset {
    path: &'static str,
    media_type: &'static str,
    bytes: &'static [u8],
}

macro_rules! assets {
    ($($path:literal $media_type:expr,)*) => {
        &[$(Asset {
            path: $path,
            media_type: $media_type,
            bytes: include_bytes!(concat!("../../web/", $path)),
        },)*]
    };
}

const ASSETS: &[Asset] = assets![
    "icon.svg" SVG,
    "base.css" STYLE,
    "vendor/uplot/uPlot.iife.min.js" SCRIPT,
    "vendor/uplot/uPlot.min.css" STYLE,
    "console/console.css" STYLE,
    "console/main.js" SCRIPT,
    "console/dom.js" SCRIPT,
    "console/api.js" SCRIPT,
    "console/chart.js" SCRIPT,
    "console/words.js" SCRIPT,
    "console/directory.js" SCRIPT,
    "console/verdict.js" SCRIPT,
    "console/live.js" SCRIPT,
    "console/history.js" SCRIPT,
    "console/pages/login.js" SCRIPT,
    "console/pages/calls.js" SCRIPT,
    "console/pages/call.js" SCRIPT,
    "console/parts.css" STYLE,
    "console/parts/carrier.js" SCRIPT,
    "console/parts/drift.js" SCRIPT,
    "console/parts/erase.js" SCRIPT,
    "console/parts/identify.js" SCRIPT,
    "console/parts/import.js" SCRIPT,
    "console/parts/invites.js" SCRIPT,
    "console/parts/keys.js" SCRIPT,
    "console/parts/people.js" SCRIPT,
    "console/parts/picker.js" SCRIPT,
    "console/parts/raw.js" SCRIPT,
    "console/parts/report.js" SCRIPT,
    "console/parts/roster.js" SCRIPT,
    "console/pages/people.js" SCRIPT,
    "console/pages/person.js" SCRIPT,
    "console/pages/numbers.js" SCRIPT,
    "console/pages/number.js" SCRIPT,
    "console/pages/accuracy.js" SCRIPT,
    "console/pages/setup.js" SCRIPT,
    "console/pages/missing.js" SCRIPT,
    "signup/signup.css" STYLE,
    "signup/main.js" SCRIPT,
    "signup/view.js" SCRIPT,
    "signup/microphone.js" SCRIPT,
    "signup/capture.js" SCRIPT,
    "signup/recording.js" SCRIPT,
    "signup/service.js" SCRIPT,
    "signup/languages/en.json" JSON,
    "signup/languages/es.json" JSON,
    "signup/languages/fr.json" JSON,
    "signup/languages/de.json" JSON,
    "signup/languages/hi.json" JSON,
];

/// Of all assets, their names and their bytes.
static DIGEST: LazyLock<String> = LazyLock::new(|| {
    let mut sum = Sha256::new();
    for asset in ASSETS {
        sum.update(asset.path.as_bytes());
        sum.update((asset.bytes.len() as u64).to_le_bytes());
        sum.update(asset.bytes);
    }
    hex(&sum.finalize()[..8])
});

/// Where the assets of this release are asked for, without a slash at its end.
pub(super) fn assets() -> String {
    format!("/assets/{}", *DIGEST)
}

/// The file called `path` as text, for those that the program reads too.
pub(super) fn text_of(path: &str) -> Option<&'static str> {
    let asset = ASSETS.iter().find(|asset| asset.path == path)?;
    std::str::from_utf8(asset.bytes).ok()
}

/// The modules that the one at `path` needs to begin: itself, what it imports, and what those import. A page names them,
/// so that a browser asks for all at once and not for each when it has read the one before.
pub(super) fn modules_of(path: &str) -> Vec<String> {
    let mut found = vec![path.to_owned()];
    let mut read = 0;
    while let Some(importer) = found.get(read).cloned() {
        read += 1;
        for imported in imports_of(&importer) {
            if !found.contains(&imported) {
                found.push(imported);
            }
        }
    }
    found
}

/// The paths that the module at `path` imports, each on a line of its own.
fn imports_of(path: &str) -> Vec<String> {
    let folder: Vec<&str> = path.rsplit('/').skip(1).collect();
    let lines = text_of(path).unwrap_or_default().lines();
    let relative = lines
        .filter(|line| line.starts_with("import "))
        .filter_map(|line| line.split('"').nth(1));
    let resolved = relative.map(|relative| {
        let mut parts: Vec<&str> = folder.iter().rev().copied().collect();
        for part in relative.split('/') {
            match part {
                "." => {}
                ".." => drop(parts.pop()),
                name => parts.push(name),
            }
        }
        parts.join("/")
    });
    resolved.collect()
}

/// The routes of the assets.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route("/assets/{digest}/{*path}", get(serve))
}

async fn serve(Path((digest, path)): Path<(String, String)>, headers: HeaderMap) -> Response {
    let known = ASSETS.iter().find(|asset| asset.path == path);
    let Some(asset) = known.filter(|_| digest == *DIGEST) else {
        let detail = "there is no such file in this release: load the page again";
        return Problem::new(Kind::UnknownRoute, detail).into_response();
    };
    // Weak: what is compressed on the way has other bytes.
    let tag = format!("W/\"{}\"", *DIGEST);
    let cached = [
        (header::ETAG, tag.clone()),
        (
            header::CACHE_CONTROL,
            "public, max-age=31536000, immutable".to_owned(),
        ),
    ];
    let has = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.contains(tag.as_str()));
    if headers.get_all(header::IF_NONE_MATCH).iter().any(has) {
        return (StatusCode::NOT_MODIFIED, cached).into_response();
    }
    let kind = [(header::CONTENT_TYPE, asset.media_type)];
    (cached, kind, asset.bytes).into_response()
}

/// A page: its HTML under a policy that lets nothing in but our own assets, kept by no cache, telling no other site its
/// address. `frames` are origins that may show it in a frame; `sockets` are addresses beside its own that it may open
/// WebSockets to.
pub(super) fn page(status: StatusCode, html: String, frames: &[String], sockets: Option<&str>) -> Response {
    let frames = if frames.is_empty() {
        "'none'".to_owned()
    } else {
        frames.join(" ")
    };
    // WebKit's 'self' matched no WebSocket until 2022, so the address is named too where it is known.
    let sockets = sockets.map_or_else(String::new, |address| format!(" {address}"));
    let policy = format!(
        "default-src 'none'; script-src 'self'; worker-src 'self'; style-src 'self'; img-src 'self'; \
         connect-src 'self'{sockets}; media-src blob:; form-action 'none'; base-uri 'none'; \
         frame-ancestors {frames}"
    );
    let mut response = (status, Html(html)).into_response();
    let headers = response.headers_mut();
    // Origins and addresses were checked when the configuration was read; a header that is none at all would be
    // the open policy, so what cannot be written closes the page.
    let policy = HeaderValue::from_str(&policy).unwrap_or(HeaderValue::from_static("default-src 'none'"));
    headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    for (name, value) in [
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
        (
            HeaderName::from_static("permissions-policy"),
            "microphone=(self), camera=(), geolocation=()",
        ),
        (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_asset_asks_for_anything_of_another_host() {
        for asset in ASSETS {
            let text = std::str::from_utf8(asset.bytes).unwrap();
            let foreign = ["http://", "https://", "url(//", "@import"];
            let names = ["http://www.w3.org/2000/svg", "https://github.com/leeoniya/uPlot"];
            let names_gone = names
                .iter()
                .fold(text.to_owned(), |text, name| text.replace(name, ""));
            assert!(
                foreign.iter().all(|sign| !names_gone.contains(sign)),
                "{} reaches outside",
                asset.path
            );
        }
    }

    #[test]
    fn a_page_names_every_module_that_it_begins_with() {
        let modules = modules_of("console/pages/setup.js");
        for needed in [
            "console/pages/setup.js",
            "console/parts/raw.js",
            "signup/microphone.js",
        ] {
            assert!(
                modules.iter().any(|module| module == needed),
                "{needed} is not in {modules:?}"
            );
        }
        for module in &modules {
            assert!(text_of(module).is_some(), "{module} is no asset");
            let once = modules.iter().filter(|other| *other == module).count();
            assert_eq!(once, 1, "{module}");
        }
        assert!(!modules.contains(&"console/pages/login.js".to_owned()));
    }

    #[test]
    fn what_is_taken_from_others_is_as_their_package_has_it() {
        let stated = include_str!("../../web/vendor/uplot/README.md");
        let vendored = ASSETS.iter().filter(|asset| asset.path.starts_with("vendor/"));
        for asset in vendored {
            let sum = hex(&Sha256::digest(asset.bytes));
            assert!(stated.contains(&sum), "{} has the digest {sum}", asset.path);
        }
    }

    #[test]
    fn a_page_lets_in_its_own_scripts_and_styles_alone() {
        let response = page(StatusCode::OK, String::new(), &[], None);
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(policy.contains("script-src 'self';") && policy.contains("style-src 'self';"));
        assert!(policy.contains("frame-ancestors 'none'") && !policy.contains("unsafe"));
        let framed = ["https://app.example.com".to_owned()];
        let response = page(
            StatusCode::OK,
            String::new(),
            &framed,
            Some("wss://id.example.com"),
        );
        let policy = response.headers()[header::CONTENT_SECURITY_POLICY]
            .to_str()
            .unwrap();
        assert!(policy.ends_with("frame-ancestors https://app.example.com"));
        assert!(policy.contains("connect-src 'self' wss://id.example.com;"));
    }
}
