//! The product's half of `benches/compare.py`: times the way from samples to an embedding, one step at
//! each line of its standard input, so that whoever asks can take turns with others.
//!
//!     embed_speed MODEL SECONDS RUNTIME
//!
//! `MODEL` is a model's folder or an ONNX file with sherpa-onnx's keys, `SECONDS` how much speech (the
//! sentence of tests/data/golden/speech.wav over and over), `RUNTIME` ONNX Runtime's shared library.
//! To `front` (the front end alone) and `embed` it answers with milliseconds; to `load`, with those of
//! loading the model once more; to `print`, with the embedding.

use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, bail};
use voxline::bytes::Limits;
use voxline::onnx::Runtime;
use voxline::samples::{RATE, load};
use voxline::units::Seconds;
use voxline::voiceprint::{
    Card, CardDraft, Extractor, FrontEndSettings, KaldiFbank, ModelId, Recipe, draft_card,
};

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [model, seconds, library] = &arguments[..] else {
        bail!("embed_speed MODEL SECONDS RUNTIME");
    };
    let runtime = Runtime::load(Path::new(library))?;
    let (card, _folder) = card(&runtime, Path::new(model))?;
    let speech = speech(seconds.parse().context("SECONDS is a number")?)?;
    let mut extractor = Extractor::load(&runtime, &card)?;
    let mut front_end = front_end(&card)?;
    let mut answers = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let started = Instant::now();
        match line?.as_str() {
            "front" => front_end(&speech),
            "embed" => drop(extractor.embed(&speech)?),
            "load" => drop(Extractor::load(&runtime, &card)?),
            "print" => {
                let embedding = extractor.embed(&speech)?;
                writeln!(answers, "{}", serde_json::to_string(embedding.as_slice())?)?;
                answers.flush()?;
                continue;
            }
            other => bail!("`{other}` is not front, embed, load or print"),
        }
        writeln!(answers, "{}", started.elapsed().as_secs_f64() * 1e3)?;
        answers.flush()?;
    }
    Ok(())
}

/// A model's card; that of a bare graph is drafted in a folder of its own, which lives as long as it does.
fn card(runtime: &Runtime, model: &Path) -> anyhow::Result<(Card, Option<tempfile::TempDir>)> {
    if model.is_dir() {
        return Ok((Card::read(model)?, None));
    }
    let folder = tempfile::tempdir()?;
    let graph = model
        .canonicalize()
        .with_context(|| model.display().to_string())?;
    let text = draft_card(
        &runtime.open(&graph)?,
        &CardDraft {
            id: &ModelId::new("measured"),
            description: "",
            licence: "",
            file: graph.to_str().context("a path in UTF-8")?,
            bytes: graph.metadata()?.len(),
            sha256: "",
            source: &[],
            recipe: Recipe::Metadata,
        },
    )?;
    std::fs::write(folder.path().join("card.toml"), text)?;
    Ok((Card::read(folder.path())?, Some(folder)))
}

/// Speech at 16 kHz, as long as asked for.
fn speech(seconds: f64) -> anyhow::Result<Vec<f32>> {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/golden/speech.wav");
    let clip = load(std::fs::read(path)?, None, &Limits::default())?;
    let wanted = RATE.samples(Seconds::checked(seconds).context("SECONDS is a span of time")?);
    Ok(clip.samples.into_iter().cycle().take(wanted).collect())
}

/// Something done to speech, to be timed.
type Timed = Box<dyn FnMut(&[f32])>;

/// The front end alone, its buffers kept from one utterance to the next.
fn front_end(card: &Card) -> anyhow::Result<Timed> {
    Ok(match card.front_end() {
        FrontEndSettings::KaldiFbank(settings) => {
            let (mut bank, mut features) = (KaldiFbank::new(settings), Vec::new());
            Box::new(move |speech| {
                features.clear();
                bank.append(speech, &mut features);
            })
        }
        other => bail!("{other:?} has no peer to be measured against"),
    })
}
