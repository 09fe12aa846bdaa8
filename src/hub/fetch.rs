//! One file, from the first source that has it: resumed where it was cut, bounded, and hashed as it comes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::header::{
    ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, RANGE, RETRY_AFTER,
};
use reqwest::{Client, Response, StatusCode, Url};
use tokio::time::{Instant, timeout};

use super::catalogue::FileEntry;
use super::client::{DownloadTimeouts, address, causes, client, shown};
use super::error::HubError;
use super::partial::Partial;

/// A source slower than this over the time of a stall has stalled: bytes a second.
const SLOWEST: u64 = 1024;

/// The first wait before asking again; each further one is twice as long, up to [`LONGEST_WAIT`].
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(8);

/// The longest wait that a server may ask for.
const MOST_ASKED: Duration = Duration::from_secs(60);

/// Where else the catalogue's files lie, each under its own name.
#[derive(Debug, Clone)]
pub enum Mirror {
    /// Below an address.
    Web(Url),
    /// In a folder.
    Folder(PathBuf),
}

impl Mirror {
    /// A mirror as it is typed: an address of http or https, or a folder.
    ///
    /// # Errors
    /// [`HubError::BadAddress`] when it looks like an address and is none.
    pub fn parse(text: &str) -> Result<Self, HubError> {
        if !text.contains("://") {
            return Ok(Self::Folder(PathBuf::from(text)));
        }
        let mut url = address(text)?;
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(Self::Web(url))
    }
}

/// What is told while a file comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DownloadProgress {
    /// So many bytes are there, of so many where that is known.
    Bytes {
        /// Bytes that are there.
        done: u64,
        /// The whole size.
        total: Option<u64>,
    },
    /// Something a person may want to know.
    Note(String),
}

/// A file's sources and how they are asked.
pub(super) struct Fetch<'a> {
    pub file: &'a FileEntry,
    pub mirror: Option<&'a Mirror>,
    pub timeouts: DownloadTimeouts,
}

/// How an attempt ended that did not bring the file.
enum Setback {
    /// Asking the same address again may help, after so long if the server said so.
    Again(String, Option<Duration>),
    /// It will not.
    Never(String),
    /// No further attempt will help.
    Fatal(HubError),
}

impl From<HubError> for Setback {
    fn from(fault: HubError) -> Self {
        Self::Fatal(fault)
    }
}

impl Fetch<'_> {
    /// Brings the file to `path` and gives where it came from. When this returns, its bytes are the
    /// pinned ones and are on the disk.
    pub async fn to(
        &self,
        path: &Path,
        tell: &mut (dyn FnMut(DownloadProgress) + Send),
    ) -> Result<String, HubError> {
        let mut partial = Partial::open(path, self.file.bytes)?;
        if let Some(Mirror::Folder(folder)) = self.mirror {
            let source = folder.join(&self.file.name);
            let total = self.file.bytes;
            partial.copy(&source, self.file.limit(), |done| {
                tell(DownloadProgress::Bytes { done, total });
            })?;
            return self.proven(&mut partial, source.display().to_string());
        }
        let client = client(self.timeouts)?;
        let mut faults = Vec::new();
        for url in self.addresses()? {
            match self.whole(&client, &url, &mut partial, tell).await {
                Ok(from) => return Ok(from),
                Err(Setback::Fatal(fault)) => return Err(fault),
                Err(Setback::Again(why, _) | Setback::Never(why)) => {
                    faults.push(format!("  {}: {why}", shown(&url)));
                }
            }
        }
        Err(HubError::Unreachable {
            file: self.file.name.clone(),
            faults,
        })
    }

    fn addresses(&self) -> Result<Vec<Url>, HubError> {
        match self.mirror {
            Some(Mirror::Web(base)) => {
                let mut url = base.clone();
                let name = self.file.name.replace('+', "%2B");
                let path = format!("{}{name}", base.path());
                url.set_path(&path);
                Ok(vec![url])
            }
            _ => self.file.urls.iter().map(|url| address(url)).collect(),
        }
    }

    /// The whole file from one address. Where a part of it was there already and the whole is not the pinned file, that
    /// part may have been of another version: it is fetched once more, from the beginning.
    async fn whole(
        &self,
        client: &Client,
        url: &Url,
        partial: &mut Partial,
        tell: &mut (dyn FnMut(DownloadProgress) + Send),
    ) -> Result<String, Setback> {
        let continued = self.ask(client, url, partial, tell).await?;
        if continued && partial.sealed()? != self.file.sha256 {
            partial.restart()?;
            tell(DownloadProgress::Note(format!(
                "{}: what had arrived before was not of this file; beginning anew",
                shown(url)
            )));
            self.ask(client, url, partial, tell).await?;
        }
        Ok(self.proven(partial, shown(url))?)
    }

    /// Asks one address until it has given the whole file, or is not to be asked again. Says whether what was there before is
    /// a part of it.
    async fn ask(
        &self,
        client: &Client,
        url: &Url,
        partial: &mut Partial,
        tell: &mut (dyn FnMut(DownloadProgress) + Send),
    ) -> Result<bool, Setback> {
        // What came whole and was not installed any more.
        if self.file.bytes == Some(partial.length()) {
            return Ok(true);
        }
        let mut wait = FIRST_WAIT;
        for left in (0..=self.timeouts.retries).rev() {
            match self.attempt(client, url, partial, tell).await {
                Err(Setback::Again(why, asked)) if left > 0 => {
                    let pause = asked.map_or(wait, |asked| asked.min(MOST_ASKED));
                    let seconds = pause.as_secs_f64();
                    tell(DownloadProgress::Note(format!(
                        "{}: {why}; asking again in {seconds:.1} s",
                        shown(url)
                    )));
                    tokio::time::sleep(pause).await;
                    wait = (wait * 2).min(LONGEST_WAIT);
                }
                other => return other,
            }
        }
        Ok(false)
    }

    async fn attempt(
        &self,
        client: &Client,
        url: &Url,
        partial: &mut Partial,
        tell: &mut (dyn FnMut(DownloadProgress) + Send),
    ) -> Result<bool, Setback> {
        let asked_from = Some(partial.length()).filter(|length| *length > 0);
        let mut request = client.get(url.clone()).header(ACCEPT_ENCODING, "identity");
        if let Some(from) = asked_from {
            request = request.header(RANGE, format!("bytes={from}-"));
        }
        let answer = match timeout(self.timeouts.stall, request.send()).await {
            Err(_) => return Err(Setback::Again(self.silence(), None)),
            Ok(Err(fault)) if fault.is_redirect() => return Err(Setback::Never(causes(&fault))),
            Ok(Err(fault)) => return Err(Setback::Again(causes(&fault), None)),
            Ok(Ok(answer)) => answer,
        };
        self.begin(&answer, asked_from, partial)?;
        let continued = partial.length() > 0;
        self.take(answer, partial, tell).await?;
        Ok(continued)
    }

    /// Reads an answer's head: sets `partial` to where its body goes on, or says why it is of no use.
    fn begin(
        &self,
        answer: &Response,
        asked_from: Option<u64>,
        partial: &mut Partial,
    ) -> Result<(), Setback> {
        let (status, headers) = (answer.status(), answer.headers());
        let length = answer.content_length();
        match (status, asked_from) {
            (StatusCode::OK, _) => {
                // What has arrived is given up for the file alone, and not for a page of login in its place.
                is_as_it_is(headers)?;
                self.fits(length).map_err(Setback::Never)?;
                partial.restart()?;
                return Ok(());
            }
            (StatusCode::PARTIAL_CONTENT, Some(from)) if range_start(headers) == Some(from) => {}
            (StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE, Some(_)) => {
                partial.restart()?;
                let why = format!("it cannot go on where it stopped ({status}); beginning anew");
                return Err(Setback::Again(why, None));
            }
            _ if is_passing(status) => {
                return Err(Setback::Again(
                    format!("it answered {status}"),
                    asked_wait(headers),
                ));
            }
            _ => return Err(Setback::Never(format!("it answered {status}"))),
        }
        is_as_it_is(headers)?;
        if let Err(why) = self.fits(length.map(|rest| rest.saturating_add(partial.length()))) {
            // Part and rest are not of one file.
            partial.restart()?;
            return Err(Setback::Never(why));
        }
        Ok(())
    }

    /// Whether so many bytes can be the file's; why not.
    fn fits(&self, whole: Option<u64>) -> Result<(), String> {
        match (whole, self.file.bytes) {
            (Some(whole), Some(bytes)) if whole != bytes => Err(format!(
                "it has {whole} bytes under that name, the catalogue says {bytes}"
            )),
            (Some(whole), None) if whole > self.file.limit() => Err(self.too_long()),
            _ => Ok(()),
        }
    }

    /// Takes an answer's body to its end.
    async fn take(
        &self,
        mut answer: Response,
        partial: &mut Partial,
        tell: &mut (dyn FnMut(DownloadProgress) + Send),
    ) -> Result<(), Setback> {
        let stall = self.timeouts.stall;
        let total = self
            .file
            .bytes
            .or(answer.content_length().map(|rest| rest + partial.length()));
        let (mut since, mut then) = (Instant::now(), partial.length());
        loop {
            let piece = match timeout(stall, answer.chunk()).await {
                Err(_) => return Err(Setback::Again(self.silence(), None)),
                Ok(Err(fault)) => {
                    let why = format!(
                        "it broke off after {} bytes ({})",
                        partial.length(),
                        causes(&fault)
                    );
                    return Err(Setback::Again(why, None));
                }
                Ok(Ok(None)) => break,
                Ok(Ok(Some(piece))) => piece,
            };
            if partial.length() + piece.len() as u64 > self.file.limit() {
                return Err(self.too_much(partial)?);
            }
            partial.append(&piece)?;
            let done = partial.length();
            tell(DownloadProgress::Bytes { done, total });
            if since.elapsed() >= stall {
                if done - then < SLOWEST * stall.as_secs().max(1) {
                    return Err(Setback::Again("it sends next to nothing".to_owned(), None));
                }
                (since, then) = (Instant::now(), done);
            }
        }
        match self.file.bytes {
            Some(bytes) if partial.length() < bytes => {
                let why = format!("it ended after {} of {bytes} bytes", partial.length());
                Err(Setback::Again(why, None))
            }
            _ => Ok(()),
        }
    }

    /// Gives `from` when the bytes are the pinned ones; keeps nothing when they are not.
    fn proven(&self, partial: &mut Partial, from: String) -> Result<String, HubError> {
        let actual = partial.sealed()?;
        if actual == self.file.sha256 {
            return Ok(from);
        }
        partial.discard()?;
        Err(HubError::WrongBytes {
            file: self.file.name.clone(),
            from,
            actual,
            expected: self.file.sha256.clone(),
        })
    }

    fn too_much(&self, partial: &mut Partial) -> Result<Setback, HubError> {
        partial.restart()?;
        Ok(Setback::Never(self.too_long()))
    }

    fn too_long(&self) -> String {
        let limit = self.file.limit();
        format!("it sends more than the {limit} bytes the catalogue allows")
    }

    fn silence(&self) -> String {
        format!("nothing came for {:.0} s", self.timeouts.stall.as_secs_f64())
    }
}

/// Refuses what is no file as it was published, by its head.
fn is_as_it_is(headers: &HeaderMap) -> Result<(), Setback> {
    if headers.contains_key(CONTENT_ENCODING) {
        return Err(Setback::Never(
            "it sends the file re-encoded, not as it is".to_owned(),
        ));
    }
    let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    if kind.is_some_and(|kind| kind.to_ascii_lowercase().starts_with("text/html")) {
        return Err(Setback::Never(
            "it answers with a page, as one of login, and not with the file".to_owned(),
        ));
    }
    Ok(())
}

/// Where a 206's bytes begin: `Content-Range: bytes 5-9/10` (RFC 9110 section 14.4).
fn range_start(headers: &HeaderMap) -> Option<u64> {
    let text = headers.get(CONTENT_RANGE)?.to_str().ok()?;
    text.strip_prefix("bytes ")?
        .split_once('-')?
        .0
        .trim()
        .parse()
        .ok()
}

/// Whether the same question may be answered later.
fn is_passing(status: StatusCode) -> bool {
    let asked_to_wait = [
        StatusCode::REQUEST_TIMEOUT,
        StatusCode::TOO_EARLY,
        StatusCode::TOO_MANY_REQUESTS,
    ];
    status.is_server_error() || asked_to_wait.contains(&status)
}

/// `Retry-After` in seconds; the form with a date is left to our own patience.
fn asked_wait(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?;
    text.trim().parse().ok().map(Duration::from_secs)
}
