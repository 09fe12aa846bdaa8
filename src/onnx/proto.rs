//! ONNX's messages, as far as [`plane`](super::plane) and [`draft`](super::draft) have to know them.

use std::borrow::Cow;

use super::wire::{self, Field, Value};

/// `TensorProto.INT64`.
pub(super) const INT64: u64 = 7;

/// Numbers of the fields of ONNX's messages (onnx.proto, IR version 3 and later).
pub(super) mod number {
    pub const MODEL_IR_VERSION: u64 = 1;
    pub const MODEL_GRAPH: u64 = 7;
    pub const MODEL_OPSETS: u64 = 8;
    pub const OPSET_DOMAIN: u64 = 1;
    pub const OPSET_VERSION: u64 = 2;
    pub const GRAPH_NODES: u64 = 1;
    pub const GRAPH_NAME: u64 = 2;
    pub const GRAPH_TENSORS: u64 = 5;
    pub const GRAPH_INPUTS: u64 = 11;
    pub const GRAPH_OUTPUTS: u64 = 12;
    pub const PORT_NAME: u64 = 1;
    pub const PORT_KIND: u64 = 2;
    pub const TYPE_TENSOR: u64 = 1;
    pub const TYPE_ELEMENT: u64 = 1;
    pub const TYPE_SHAPE: u64 = 2;
    pub const SHAPE_AXES: u64 = 1;
    pub const AXIS_LENGTH: u64 = 1;
    pub const NODE_INPUTS: u64 = 1;
    pub const NODE_OUTPUTS: u64 = 2;
    pub const NODE_KIND: u64 = 4;
    pub const NODE_ATTRIBUTES: u64 = 5;
    pub const NODE_DOMAIN: u64 = 7;
    pub const ATTRIBUTE_NAME: u64 = 1;
    pub const ATTRIBUTE_NUMBER: u64 = 3;
    pub const ATTRIBUTE_WORD: u64 = 4;
    pub const ATTRIBUTE_TENSOR: u64 = 5;
    pub const ATTRIBUTE_GRAPH: u64 = 6;
    pub const ATTRIBUTE_NUMBERS: u64 = 8;
    pub const ATTRIBUTE_GRAPHS: u64 = 11;
    pub const ATTRIBUTE_KIND: u64 = 20;
    pub const TENSOR_LENGTHS: u64 = 1;
    pub const TENSOR_ELEMENT: u64 = 2;
    pub const TENSOR_FLOATS: u64 = 4;
    pub const TENSOR_NUMBERS: u64 = 7;
    pub const TENSOR_NAME: u64 = 8;
    pub const TENSOR_RAW: u64 = 9;
    pub const TENSOR_PLACE: u64 = 14;
}

/// How deep graphs may lie within each other to be looked into.
const DEEPEST: usize = 4;

/// A node of a graph.
pub(super) struct Node<'a> {
    /// Its operator; empty for one that is not ONNX's own.
    pub kind: &'a str,
    pub inputs: Vec<&'a str>,
    pub outputs: Vec<&'a str>,
    pub attributes: Vec<&'a [u8]>,
    /// What graphs of its own, as a loop has, may take from the graph around them: any name they use.
    pub captured: Vec<&'a str>,
    pub bytes: &'a [u8],
}

impl<'a> Node<'a> {
    /// A `NodeProto`; `None` when the bytes are none.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        Self::read_within(bytes, 0)
    }

    fn read_within(bytes: &'a [u8], depth: usize) -> Option<Self> {
        let mut node = Self {
            kind: "",
            inputs: Vec::new(),
            outputs: Vec::new(),
            attributes: Vec::new(),
            captured: Vec::new(),
            bytes,
        };
        let mut is_onnx = true;
        for Field { number, value } in wire::fields(bytes)? {
            let Value::Bytes(Cow::Borrowed(bytes)) = value else {
                continue;
            };
            match number {
                number::NODE_INPUTS => node.inputs.push(std::str::from_utf8(bytes).ok()?),
                number::NODE_OUTPUTS => node.outputs.push(std::str::from_utf8(bytes).ok()?),
                number::NODE_KIND => node.kind = std::str::from_utf8(bytes).ok()?,
                number::NODE_DOMAIN => is_onnx = matches!(bytes, b"" | b"ai.onnx"),
                number::NODE_ATTRIBUTES => {
                    for graph in graphs_of(bytes)? {
                        node.captured.extend(names_used(graph, depth + 1)?);
                    }
                    node.attributes.push(bytes);
                }
                _ => {}
            }
        }
        if !is_onnx {
            node.kind = "";
        }
        Some(node)
    }

    /// Every name that it uses, or may.
    pub fn uses(&self) -> impl Iterator<Item = &'a str> {
        self.inputs.iter().chain(&self.captured).copied()
    }

    /// Whether it is a convolution over one dimension, as far as it says itself.
    pub fn convolves_over_time(&self) -> bool {
        let fits = |attribute: &&[u8]| {
            let (name, numbers) = numbers(attribute)?;
            Some(match name.as_str() {
                "kernel_shape" | "strides" | "dilations" => numbers.len() == 1,
                "pads" => numbers.len() == 2,
                "group" | "auto_pad" => true,
                _ => false,
            })
        };
        self.kind == "Conv"
            && matches!(self.inputs.len(), 2 | 3)
            && self.outputs.len() == 1
            && self
                .attributes
                .iter()
                .all(|attribute| fits(attribute) == Some(true))
    }
}

/// An attribute's name and the whole numbers in a row that it holds, if any.
fn numbers(attribute: &[u8]) -> Option<(String, Vec<u64>)> {
    let fields = wire::fields(attribute)?;
    let name = fields
        .iter()
        .find(|field| field.number == number::ATTRIBUTE_NAME)?;
    Some((
        name.as_text()?.to_owned(),
        row(&fields, number::ATTRIBUTE_NUMBERS)?,
    ))
}

/// A repeated field of whole numbers, written one by one or in a row.
fn row(fields: &[Field<'_>], number: u64) -> Option<Vec<u64>> {
    let mut found = Vec::new();
    for field in fields.iter().filter(|field| field.number == number) {
        match &field.value {
            Value::Varint(value) => found.push(*value),
            Value::Bytes(bytes) => found.extend(wire::varints(bytes)?),
            Value::Eight(_) | Value::Four(_) => return None,
        }
    }
    Some(found)
}

/// A convolution's attribute with a height of one before the time; `None` where it says nothing of lengths.
pub(super) fn with_height(attribute: &[u8]) -> Option<Vec<u8>> {
    let (name, over_time) = numbers(attribute)?;
    let numbers = match (name.as_str(), over_time.as_slice()) {
        ("kernel_shape" | "strides" | "dilations", [time]) => vec![1, *time],
        ("pads", [before, after]) => vec![0, *before, 0, *after],
        _ => return None,
    };
    let mut fields = wire::fields(attribute)?;
    fields.retain(|field| field.number != number::ATTRIBUTE_NUMBERS);
    let numbers = numbers.into_iter();
    fields.extend(numbers.map(|value| Field::number(number::ATTRIBUTE_NUMBERS, value)));
    Some(wire::message(&fields))
}

/// A tensor of a graph.
pub(super) struct Tensor<'a> {
    pub name: &'a str,
    pub lengths: Vec<u64>,
    /// Its numbers are in the model file and not in one beside it.
    pub is_here: bool,
    pub bytes: &'a [u8],
}

impl<'a> Tensor<'a> {
    /// A `TensorProto`; `None` when the bytes are none, or it has no name.
    pub fn read(bytes: &'a [u8]) -> Option<Self> {
        let fields = wire::fields(bytes)?;
        let name = fields.iter().find_map(|field| match field.value {
            Value::Bytes(Cow::Borrowed(name)) if field.number == number::TENSOR_NAME => Some(name),
            _ => None,
        })?;
        let place = fields.iter().find(|field| field.number == number::TENSOR_PLACE);
        Some(Self {
            name: std::str::from_utf8(name).ok()?,
            lengths: row(&fields, number::TENSOR_LENGTHS)?,
            is_here: place.is_none_or(|place| place.as_number() == Some(0)),
            bytes,
        })
    }

    /// A filter over time as one over a plane: the same numbers, of one more axis.
    pub fn with_height(&self) -> Vec<u8> {
        let mut fields = wire::fields(self.bytes).unwrap_or_default();
        fields.retain(|field| field.number != number::TENSOR_LENGTHS);
        let (before, time) = self.lengths.split_at(self.lengths.len() - 1);
        let lengths = before.iter().chain(&[1]).chain(time);
        fields.extend(lengths.map(|length| Field::number(number::TENSOR_LENGTHS, *length)));
        wire::message(&fields)
    }
}

/// The graphs of an attribute.
fn graphs_of(attribute: &[u8]) -> Option<Vec<&[u8]>> {
    let of_graphs =
        |field: &Field<'_>| matches!(field.number, number::ATTRIBUTE_GRAPH | number::ATTRIBUTE_GRAPHS);
    let graphs = wire::fields(attribute)?.into_iter().filter(of_graphs);
    graphs.map(|field| field.value.into_borrowed()).collect()
}

/// Every name that a graph within a graph uses, its own and the outer one's alike; `None` when it is no graph, lies
/// too deep, or has numbers in a file beside the model.
fn names_used(graph: &[u8], depth: usize) -> Option<Vec<&str>> {
    if depth > DEEPEST {
        return None;
    }
    let mut names = Vec::new();
    for Field { number, value } in wire::fields(graph)? {
        match number {
            number::GRAPH_NODES => {
                let node = Node::read_within(value.into_borrowed()?, depth)?;
                names.extend(node.uses());
            }
            number::GRAPH_TENSORS => {
                let tensor = Tensor::read(value.into_borrowed()?)?;
                tensor.is_here.then_some(())?;
            }
            number::GRAPH_OUTPUTS => {
                let port = wire::fields(value.into_borrowed()?)?;
                let name = port.into_iter().find(|field| field.number == number::PORT_NAME)?;
                names.push(std::str::from_utf8(name.value.into_borrowed()?).ok()?);
            }
            _ => {}
        }
    }
    Some(names)
}

/// The version of ONNX's own operators that a model asks for.
pub(super) fn opset(model: &[Field<'_>]) -> Option<u64> {
    let opsets = model.iter().filter(|field| field.number == number::MODEL_OPSETS);
    for opset in opsets {
        let fields = wire::fields(opset.as_bytes()?)?;
        let domain = fields.iter().find(|field| field.number == number::OPSET_DOMAIN);
        if domain.is_none_or(|domain| matches!(domain.as_bytes(), Some(b"" | b"ai.onnx"))) {
            let version = fields.iter().find(|field| field.number == number::OPSET_VERSION);
            return version?.as_number();
        }
    }
    None
}

/// The name of an input or output of a graph.
pub(super) fn port_name(port: &Field<'_>) -> Option<String> {
    let fields = wire::fields(port.as_bytes()?)?;
    let name = fields.iter().find(|field| field.number == number::PORT_NAME)?;
    name.as_text().map(str::to_owned)
}
