//! A card for a graph that came without one: names, shapes and dimension are the graph's own, the front
//! end is a [`Recipe`]'s.

use std::path::PathBuf;

use crate::onnx::{Graph, Port};
use crate::samples::RATE;

use super::super::embedding::ModelId;
use super::super::segment::Segment;
use super::draft_error::DraftError;
use super::file::{CardFile, FileCard, SegmentCard};
use super::ports::{Dimension, InputCard, Layout, PortCard};
use super::recipe::{Keys, Recipe};

/// Values a frame where neither the graph nor its keys say.
const USUAL_BINS: usize = 80;

/// Less speech than this gives no voiceprint worth comparing. Models trained on pieces of two seconds and
/// more lose much before (ERes2NetV2, by its authors: EER 0.61 % in full, 1.48 % at 2 s).
const MINIMUM_NET_SPEECH: f64 = 1.0;

/// What a card says that no graph can tell.
#[derive(Debug, Clone, Copy)]
pub struct CardDraft<'a> {
    /// The model's name.
    pub id: &'a ModelId,
    /// What the model is, in one line; when empty, it is made from the file's keys.
    pub description: &'a str,
    /// The licence of its weights; when empty, the card says that it is unknown.
    pub licence: &'a str,
    /// The graph's file, in the model's folder.
    pub file: &'a str,
    /// The file's size.
    pub bytes: u64,
    /// The file's SHA-256, in hexadecimal.
    pub sha256: &'a str,
    /// Where it came from, by key: `url`, `package`, `version`, `paper`.
    pub source: &'a [(&'a str, &'a str)],
    /// Its front end.
    pub recipe: Recipe,
}

/// The text of a `card.toml` for a loaded graph.
///
/// # Errors
/// [`DraftError`] when the graph is not shaped like a speaker model, or its keys do not say (or ask for
/// something else than this version can do) how its features are made.
pub fn draft_card(graph: &Graph, draft: &CardDraft<'_>) -> Result<String, DraftError> {
    let keys = graph.metadata()?;
    let input = input_card(&graph.inputs(), draft.recipe, &keys)?;
    let (output, dimension) = output_card(&graph.outputs(), &keys)?;
    let bins = match input.axes().and_then(|axes| axes.bins).and_then(Dimension::fixed) {
        Some(bins) => usize::try_from(bins).unwrap_or(0),
        None => number(&keys, "feat_dim").unwrap_or(USUAL_BINS),
    };
    let segmented = Segment::DEFAULT;
    let source = draft.source.iter();
    let card = CardFile {
        id: draft.id.clone(),
        description: or_else(draft.description, || described(&keys)),
        licence: or_else(draft.licence, || {
            "unknown: ask whoever published the file".to_owned()
        }),
        sample_rate: RATE.0,
        dimension,
        minimum_net_speech_seconds: MINIMUM_NET_SPEECH,
        source: source
            .map(|(key, value)| ((*key).to_owned(), (*value).into()))
            .collect(),
        graph: FileCard {
            file: PathBuf::from(draft.file),
            bytes: Some(draft.bytes),
            sha256: draft.sha256.to_owned(),
        },
        weights: None,
        front_end: draft.recipe.front_end(bins, &keys)?,
        input,
        output,
        segment: Some(SegmentCard {
            max_seconds: segmented.longest.get(),
            min_seconds: segmented.shortest.get(),
        }),
        beside: None,
    };
    Ok(format!(
        "# What Voxline must know of this model to feed it rightly. Ports are the graph's own; [front_end] is \
         drafted.\n\n{}",
        toml::to_string(&card)?
    ))
}

/// The input for the features and, where there is one, for their length.
fn input_card(ports: &[Port], recipe: Recipe, keys: &Keys) -> Result<InputCard, DraftError> {
    let shape = |what: &str| DraftError::Shape(format!("{what}; its inputs are {}", listed(ports)));
    let (floats, rest): (Vec<&Port>, Vec<&Port>) = ports.iter().partition(|port| port.element == "float32");
    let [main] = floats[..] else {
        return Err(shape("it needs exactly one input of float32"));
    };
    let length = match rest[..] {
        [] => None,
        [length] if length.element == "int64" && length.shape.len() == 1 => Some(PortCard {
            name: length.name.clone(),
            shape: named(&length.shape, &["batch"]),
        }),
        _ => {
            return Err(shape(
                "beside its features it may take their length, int64 [batch], and nothing else",
            ));
        }
    };
    let raw = recipe == Recipe::RawWaveform;
    let (layout, names): (Layout, &[&str]) = match main.shape[..] {
        [_, _] if raw => (Layout::Samples, &["batch", "samples"]),
        [_, _, bins] if !raw && bins > 0 => (Layout::TimeFeatures, &["batch", "frames", "bins"]),
        [_, bins, -1] if !raw && (bins > 0 || recipe.bins_first(keys)) => {
            (Layout::FeaturesTime, &["batch", "bins", "frames"])
        }
        [_, _, _] if !raw => (Layout::TimeFeatures, &["batch", "frames", "bins"]),
        _ => {
            return Err(shape(
                "its input must be [batch, frames, bins], or [batch, samples] of a waveform",
            ));
        }
    };
    Ok(InputCard {
        name: main.name.clone(),
        shape: named(&main.shape, names),
        layout,
        length,
    })
}

/// The output with the embedding, and its dimension. (NeMo's graphs give the training speakers' logits as
/// well.)
fn output_card(ports: &[Port], keys: &Keys) -> Result<(PortCard, usize), DraftError> {
    let said = number(keys, "output_dim");
    let last = |port: &Port| port.shape.last().copied().unwrap_or(0);
    let flat = ports
        .iter()
        .filter(|port| port.element == "float32" && port.shape.len() == 2);
    let fits = |port: &&Port| said.is_none_or(|dim| last(port) == -1 || last(port) == dim as i64);
    let candidates: Vec<&Port> = flat.filter(fits).collect();
    let chosen = match candidates[..] {
        [only] => Some(only),
        _ => candidates.into_iter().find(|port| port.name.contains("emb")),
    };
    let none = |what: &str| DraftError::Shape(format!("{what}; its outputs are {}", listed(ports)));
    let port = chosen
        .ok_or_else(|| none("no output of float32 [batch, dimension] can be told to be the embedding"))?;
    let dimension = usize::try_from(last(port)).ok().or(said);
    let dimension =
        dimension.ok_or_else(|| none("neither the output nor a key `output_dim` gives a dimension"))?;
    let card = PortCard {
        name: port.name.clone(),
        shape: named(&port.shape, &["batch", "dimension"]),
    };
    Ok((card, dimension))
}

/// A shape with a name for every dimension that the graph leaves free.
fn named(shape: &[i64], names: &[&str]) -> Vec<Dimension> {
    let dimension = |(size, name): (&i64, &&str)| match size {
        -1 => Dimension::Free((*name).to_owned()),
        size => Dimension::Fixed(*size),
    };
    shape.iter().zip(names).map(dimension).collect()
}

fn listed(ports: &[Port]) -> String {
    let one = |port: &Port| format!("`{}` {} {:?}", port.name, port.element, port.shape);
    ports.iter().map(one).collect::<Vec<_>>().join(", ")
}

fn number(keys: &Keys, key: &str) -> Option<usize> {
    keys.get(key)
        .and_then(|value| value.parse().ok())
        .filter(|number| *number > 0)
}

fn or_else(said: &str, otherwise: impl FnOnce() -> String) -> String {
    if said.is_empty() {
        otherwise()
    } else {
        said.to_owned()
    }
}

/// A line about the model, from its keys.
fn described(keys: &Keys) -> String {
    let part = |key: &str| {
        keys.get(key)
            .map(|value| value.trim())
            .filter(|value| !value.is_empty())
    };
    match (part("framework"), part("comment")) {
        (Some(framework), Some(comment)) => format!("{framework}: {comment}"),
        (Some(framework), None) => format!("a speaker model of {framework}"),
        (None, Some(comment)) => comment.to_owned(),
        (None, None) => "a speaker model".to_owned(),
    }
}
