//! A file becomes a model: card written, loaded, run once, and only then put among the models.

use std::path::{Path, PathBuf};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::onnx::Runtime;
use crate::voiceprint::{Card, CardDraft, ExtractError, Extractor, ModelId, Recipe, draft_card};

use super::catalogue::Entry;
use super::client::DownloadTimeouts;
use super::error::HubError;
use super::fetch::{DownloadProgress, Fetch, Mirror};
use super::partial::Partial;
use super::shelf::{InstallLock, write};

/// The graph's name in an installed model's folder.
const GRAPH: &str = "model.onnx";

/// The largest file that is added: 1 GiB, several times the largest speaker model there is.
const LARGEST: u64 = 1 << 30;

/// Samples of the noise a model is tried out on: 3 s, more than any card asks for.
const TRIAL: usize = 48_000;

/// A model that is to be fetched.
pub struct Pull<'a> {
    /// The catalogue's entry of the model to install.
    pub entry: &'a Entry,
    /// The models' folder.
    pub models: &'a Path,
    /// What it is tried out with.
    pub runtime: &'a Runtime,
    /// Where to fetch it instead of from its publisher.
    pub mirror: Option<&'a Mirror>,
    /// How long to wait for whom.
    pub timeouts: DownloadTimeouts,
}

/// A model that is now installed.
#[derive(Debug)]
pub struct Arrived {
    /// The card that was written for it.
    pub card: Card,
    /// Where it came from; `None` when it was there already.
    pub from: Option<String>,
}

/// Fetches a model of the catalogue and installs it. One that is installed already, with the right bytes,
/// is left as it is.
///
/// # Errors
/// [`HubError`]; nothing is in the models' folder then. A download that was cut short is continued by the
/// next call.
pub async fn pull(
    asked: &Pull<'_>,
    tell: &mut (dyn FnMut(DownloadProgress) + Send),
) -> Result<Arrived, HubError> {
    let Entry {
        id, file, licence, ..
    } = asked.entry;
    let lock = InstallLock::take(asked.models, id.as_str())?;
    if let Some(card) = present(&lock.home(), &file.sha256)? {
        return Ok(Arrived { card, from: None });
    }
    let fetch = Fetch {
        file,
        mirror: asked.mirror,
        timeouts: asked.timeouts,
    };
    let from = fetch.to(&lock.partial(), tell).await?;
    let hash_seen = format!("by {} independent public sources", file.sha256_sources);
    let source = [
        ("url", from.as_str()),
        ("file", file.name.as_str()),
        ("hash_published", hash_seen.as_str()),
        ("licence_note", licence.note.as_str()),
    ];
    let came = Came {
        id,
        description: &asked.entry.description,
        licence: &licence.name,
        name: &file.name,
        sha256: &file.sha256,
        recipe: asked.entry.recipe,
        dimension: asked.entry.dimension,
    };
    let card = came.install(&lock, asked.runtime, &source);
    // Bytes that are right but no model here would only be found wanting again. Where it was the disk's fault, the whole
    // download stays.
    let card = card.inspect_err(|fault| {
        if fault.is_of_the_bytes() {
            lock.clear();
        }
    })?;
    Ok(Arrived {
        card,
        from: Some(from),
    })
}

/// Installs a model from a file that is here, by the metadata inside it (the keys of sherpa-onnx).
///
/// # Errors
/// [`HubError::NoCard`] when the metadata does not say how to feed it; otherwise [`HubError`]. Nothing is
/// in the models' folder then.
pub fn add(file: &Path, id: &ModelId, models: &Path, runtime: &Runtime) -> Result<Arrived, HubError> {
    let name = file.display().to_string();
    let lock = InstallLock::take(models, id.as_str())?;
    if lock.home().exists() {
        let folder = lock.home();
        return Err(HubError::Taken { folder });
    }
    // Where it lies: what is wrong with the file is said of the file, not of our copy.
    runtime.open(file)?;
    let sha256 = copy(file, &lock.partial()).inspect_err(|_| lock.clear())?;
    let came = Came {
        id,
        description: "",
        licence: "",
        name: &name,
        sha256: &sha256,
        recipe: Recipe::Metadata,
        dimension: None,
    };
    let card = came.install(&lock, runtime, &[("file", &name)]);
    Ok(Arrived {
        card: card.inspect_err(|_| lock.clear())?,
        from: Some(name),
    })
}

/// Loads a model and embeds three seconds of noise with it.
///
/// # Errors
/// [`ExtractError`] when it is not what its card says or gives no usable voiceprint.
pub fn try_out(runtime: &Runtime, card: &Card) -> Result<Extractor, ExtractError> {
    let mut extractor = Extractor::load(runtime, card)?;
    extractor.embed(&noise(TRIAL))?;
    Ok(extractor)
}

/// White noise at -30 dBFS or so, always the same.
pub(super) fn noise(samples: usize) -> Vec<f32> {
    let mut state = 1u32;
    let sample = |_| {
        // xorshift32 (Marsaglia 2003): any sound will do, as long as it is not silence.
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state as f32 / u32::MAX as f32 - 0.5) * 0.1
    };
    (0..samples).map(sample).collect()
}

/// The model in the folder `home`, when there is one; an error when it is another one.
fn present(home: &Path, sha256: &str) -> Result<Option<Card>, HubError> {
    if !home.exists() {
        return Ok(None);
    }
    let taken = || HubError::Taken {
        folder: home.to_owned(),
    };
    let card = Card::read(home).map_err(|_| taken())?;
    if card.sha256() != sha256 || card.check_files().is_err() {
        return Err(taken());
    }
    Ok(Some(card))
}

/// Copies `file` to `path` and gives its SHA-256.
fn copy(file: &Path, path: &Path) -> Result<String, HubError> {
    let mut partial = Partial::open(path, None)?;
    partial.copy(file, LARGEST, |_| {})?;
    if partial.length() > LARGEST {
        let cause = std::io::Error::other(format!("it has more than {LARGEST} bytes"));
        return Err(HubError::of_file(file, "read", cause, None));
    }
    partial.sealed()
}

/// A file that has come in, and what is known of it.
struct Came<'a> {
    id: &'a ModelId,
    description: &'a str,
    licence: &'a str,
    name: &'a str,
    sha256: &'a str,
    recipe: Recipe,
    dimension: Option<usize>,
}

impl Came<'_> {
    /// Puts the model together on the bench, tries it out, and publishes it.
    fn install(
        &self,
        lock: &InstallLock,
        runtime: &Runtime,
        source: &[(&str, &str)],
    ) -> Result<Card, HubError> {
        let stage = lock.stage()?;
        let graph = stage.join(GRAPH);
        // A link, not a rename: until the model is published, the whole download stays where the next
        // attempt looks for it. Where the file system knows no links, it is copied.
        let linked = std::fs::hard_link(lock.partial(), &graph)
            .or_else(|_| std::fs::copy(lock.partial(), &graph).map(drop));
        let bytes = std::fs::metadata(lock.partial()).map(|found| found.len());
        linked.map_err(|cause| HubError::of_file(&graph, "written", cause, bytes.ok()))?;
        let text = self.card_text(runtime, &graph, source)?;
        write(&stage.join("card.toml"), text.as_bytes())?;
        let card = Card::read(&stage)?;
        card.check_files()?;
        let expected = self.dimension.unwrap_or(card.dimension());
        if card.dimension() != expected {
            return Err(HubError::Dimension {
                actual: card.dimension(),
                expected,
            });
        }
        try_out(runtime, &card)?;
        Ok(Card::read(&lock.publish(&stage)?)?)
    }

    fn card_text(
        &self,
        runtime: &Runtime,
        graph: &PathBuf,
        source: &[(&str, &str)],
    ) -> Result<String, HubError> {
        let bytes = std::fs::metadata(graph)
            .map_err(|cause| HubError::of_file(graph, "read", cause, None))?
            .len();
        let at = OffsetDateTime::now_utc().format(&Rfc3339).unwrap_or_default();
        let source = [source, &[("installed_at", at.as_str())]].concat();
        let draft = CardDraft {
            id: self.id,
            description: self.description,
            licence: self.licence,
            file: GRAPH,
            bytes,
            sha256: self.sha256,
            source: &source,
            recipe: self.recipe,
        };
        draft_card(&runtime.open(graph)?, &draft).map_err(|cause| HubError::NoCard {
            file: self.name.to_owned(),
            cause,
        })
    }
}
