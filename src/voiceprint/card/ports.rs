//! What a card says of a graph's inputs and outputs, and how a loaded graph differs from it.

use serde::{Deserialize, Serialize};

use crate::onnx::Port;

/// A dimension of a tensor: a number, or a name where the graph leaves it free.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(untagged)]
pub(super) enum Dimension {
    Fixed(i64),
    Free(String),
}

impl Dimension {
    /// The number, where it is one.
    pub(super) fn fixed(&self) -> Option<i64> {
        match self {
            Self::Fixed(size) => Some(*size),
            Self::Free(_) => None,
        }
    }
}

/// How the features of a batch lie in the input.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Layout {
    /// [batch, frames, bins].
    #[default]
    TimeFeatures,
    /// [batch, bins, frames], as NeMo has it.
    FeaturesTime,
    /// [batch, samples]: a model that has its own front end.
    Samples,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PortCard {
    pub(super) name: String,
    pub(super) shape: Vec<Dimension>,
}

#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct InputCard {
    pub(super) name: String,
    pub(super) shape: Vec<Dimension>,
    #[serde(default)]
    pub(super) layout: Layout,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) length: Option<PortCard>,
}

impl InputCard {
    /// How the graph's inputs differ from the card's, when they do.
    pub(super) fn difference(&self, ports: &[Port]) -> Option<String> {
        let expected = 1 + usize::from(self.length.is_some());
        if ports.len() != expected {
            return Some(format!(
                "it has {} inputs where the card names {expected}",
                ports.len()
            ));
        }
        let main = differs(&self.name, &self.shape, "float32", ports);
        let length = || {
            let length = self.length.as_ref()?;
            differs(&length.name, &length.shape, "int64", ports)
        };
        main.or_else(length)
    }

    /// Where in the shape the number of pieces, of values in a frame, and of frames or samples stand.
    pub(super) fn axes(&self) -> Option<Axes<'_>> {
        match (self.layout, &self.shape[..]) {
            (Layout::TimeFeatures, [batch, time, bins]) | (Layout::FeaturesTime, [batch, bins, time]) => {
                Some(Axes {
                    batch,
                    time,
                    bins: Some(bins),
                })
            }
            (Layout::Samples, [batch, time]) => Some(Axes {
                batch,
                time,
                bins: None,
            }),
            _ => None,
        }
    }
}

/// An input's shape by meaning.
pub(super) struct Axes<'a> {
    pub(super) batch: &'a Dimension,
    pub(super) time: &'a Dimension,
    /// A raw waveform has none.
    pub(super) bins: Option<&'a Dimension>,
}

impl PortCard {
    /// How the graph's outputs differ from the card's, when they do. Outputs that the card does not name
    /// are nobody's business.
    pub(super) fn difference(&self, ports: &[Port]) -> Option<String> {
        differs(&self.name, &self.shape, "float32", ports)
    }
}

/// How the port of this name differs from what the card says, when it does or is missing.
fn differs(name: &str, shape: &[Dimension], element: &str, ports: &[Port]) -> Option<String> {
    let Some(port) = ports.iter().find(|port| port.name == name) else {
        return Some(match ports {
            [port] => format!("it calls `{}` what the card calls `{name}`", port.name),
            _ => {
                let names: Vec<String> = ports.iter().map(|port| format!("`{}`", port.name)).collect();
                format!("it has no `{name}`, only {}", names.join(" and "))
            }
        });
    };
    if port.element != element {
        return Some(format!("`{name}` holds {}, not {element}", port.element));
    }
    let fits = |(card, graph): (&Dimension, &i64)| match card {
        Dimension::Fixed(size) => size == graph,
        Dimension::Free(_) => *graph == -1,
    };
    let same = port.shape.len() == shape.len() && shape.iter().zip(&port.shape).all(fits);
    (!same).then(|| {
        format!(
            "`{name}` has shape {:?} (-1 is free), the card says {shape:?}",
            port.shape
        )
    })
}
