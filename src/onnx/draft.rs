//! A graph put together in memory out of another's weights.
//!
//! Where a published file wraps a small network in branches and slices that are worked through again at every run, the
//! same arithmetic is written down once more without them, and the weights are read from the file ([`constants`]).

use std::borrow::Cow;
use std::collections::HashMap;

use super::proto::{INT64, number};
use super::wire::{self, Field, Value};

/// `TensorProto.FLOAT`.
const FLOAT: u64 = 1;
/// `AttributeProto.INT`, `STRING` and `INTS`.
const ATTRIBUTE_INT: u64 = 2;
const ATTRIBUTE_STRING: u64 = 3;
/// IR version 8 goes with operator set 16.
const IR_VERSION: u64 = 8;
const OPSET: u64 = 16;
/// How deep graphs may lie within each other to be looked into.
const DEEPEST: usize = 4;

/// Floats with a shape.
#[derive(Debug, Clone, PartialEq)]
pub struct Weights {
    /// The length of each axis.
    pub shape: Vec<usize>,
    /// The numbers, the last axis fastest.
    pub values: Vec<f32>,
}

/// What a node is told beside its inputs.
#[derive(Debug, Clone, Copy)]
pub enum Attribute {
    /// A whole number.
    Integer(i64),
    /// A string, UTF-8.
    Word(&'static str),
}

/// A graph in the making: inputs, weights and nodes in the order in which they are worked through.
#[derive(Debug, Clone, Default)]
pub struct Draft {
    fields: Vec<(u64, Vec<u8>)>,
}

impl Draft {
    /// Declares an input of floats; `None` is an axis of any length.
    pub fn input(&mut self, name: &str, shape: &[Option<u64>]) {
        self.fields.push((number::GRAPH_INPUTS, port(name, Some(shape))));
    }

    /// Declares an output of floats.
    pub fn output(&mut self, name: &str) {
        self.fields.push((number::GRAPH_OUTPUTS, port(name, None)));
    }

    /// Adds an initializer of 32-bit floats under `name`, with the shape of `weights`.
    pub fn floats(&mut self, name: &str, weights: &Weights) {
        let bytes = weights.values.iter().flat_map(|value| value.to_le_bytes());
        let shape = weights.shape.iter().map(|length| *length as u64);
        self.tensor(name, FLOAT, shape, bytes.collect());
    }

    /// Adds whole numbers in a row.
    pub fn integers(&mut self, name: &str, row: &[i64]) {
        let bytes = row.iter().flat_map(|value| value.to_le_bytes());
        self.tensor(name, INT64, [row.len() as u64].into_iter(), bytes.collect());
    }

    /// Adds a node; an input of no name is one that is left out.
    pub fn node(&mut self, kind: &str, inputs: &[&str], outputs: &[&str], attributes: &[(&str, Attribute)]) {
        let text = |number, text: &str| Field::bytes(number, text.as_bytes().to_vec());
        let mut fields: Vec<Field<'_>> = Vec::new();
        fields.extend(inputs.iter().map(|name| text(number::NODE_INPUTS, name)));
        fields.extend(outputs.iter().map(|name| text(number::NODE_OUTPUTS, name)));
        fields.push(text(number::NODE_KIND, kind));
        for (name, value) in attributes {
            let mut attribute = vec![text(number::ATTRIBUTE_NAME, name)];
            match value {
                Attribute::Integer(value) => {
                    attribute.push(Field::number(number::ATTRIBUTE_NUMBER, value.cast_unsigned()));
                    attribute.push(Field::number(number::ATTRIBUTE_KIND, ATTRIBUTE_INT));
                }
                Attribute::Word(word) => {
                    attribute.push(text(number::ATTRIBUTE_WORD, word));
                    attribute.push(Field::number(number::ATTRIBUTE_KIND, ATTRIBUTE_STRING));
                }
            }
            fields.push(Field::bytes(number::NODE_ATTRIBUTES, wire::message(&attribute)));
        }
        self.fields.push((number::GRAPH_NODES, wire::message(&fields)));
    }

    /// The model file that it comes to.
    pub fn model(&self) -> Vec<u8> {
        let mut graph: Vec<Field<'_>> = vec![Field::bytes(number::GRAPH_NAME, b"voxline".as_slice())];
        let parts = self.fields.iter();
        graph.extend(parts.map(|(number, bytes)| Field::bytes(*number, bytes.as_slice())));
        let opset = wire::message(&[Field::number(number::OPSET_VERSION, OPSET)]);
        wire::message(&[
            Field::number(number::MODEL_IR_VERSION, IR_VERSION),
            Field::bytes(number::MODEL_GRAPH, wire::message(&graph)),
            Field::bytes(number::MODEL_OPSETS, opset),
        ])
    }

    fn tensor(&mut self, name: &str, element: u64, shape: impl Iterator<Item = u64>, numbers: Vec<u8>) {
        let mut fields: Vec<Field<'_>> = shape
            .map(|length| Field::number(number::TENSOR_LENGTHS, length))
            .collect();
        fields.push(Field::number(number::TENSOR_ELEMENT, element));
        fields.push(Field::bytes(number::TENSOR_NAME, name.as_bytes()));
        fields.push(Field::bytes(number::TENSOR_RAW, numbers));
        self.fields.push((number::GRAPH_TENSORS, wire::message(&fields)));
    }
}

/// A `ValueInfoProto` of floats.
fn port(name: &str, shape: Option<&[Option<u64>]>) -> Vec<u8> {
    let axis = |length: &Option<u64>| {
        let known = length.map(|length| Field::number(number::AXIS_LENGTH, length));
        Field::bytes(number::SHAPE_AXES, wire::message(known.as_slice()))
    };
    let mut tensor = vec![Field::number(number::TYPE_ELEMENT, FLOAT)];
    if let Some(shape) = shape {
        let axes: Vec<Field<'_>> = shape.iter().map(axis).collect();
        tensor.push(Field::bytes(number::TYPE_SHAPE, wire::message(&axes)));
    }
    let kind = wire::message(&[Field::bytes(number::TYPE_TENSOR, wire::message(&tensor))]);
    wire::message(&[
        Field::bytes(number::PORT_NAME, name.as_bytes()),
        Field::bytes(number::PORT_KIND, kind),
    ])
}

/// The float constants of a model, those in graphs within its graph too, by the name of the value they give; `None` when
/// the bytes are no model.
pub(super) fn constants(model: &[u8]) -> Option<HashMap<String, Weights>> {
    let graph = wire::fields(model)?
        .into_iter()
        .find(|field| field.number == number::MODEL_GRAPH)?;
    let mut found = HashMap::new();
    collect(graph.value.into_borrowed()?, 0, &mut found)?;
    Some(found)
}

fn collect(graph: &[u8], depth: usize, found: &mut HashMap<String, Weights>) -> Option<()> {
    if depth > DEEPEST {
        return None;
    }
    let nodes = wire::fields(graph)?.into_iter();
    for node in nodes.filter(|field| field.number == number::GRAPH_NODES) {
        let fields = wire::fields(node.value.into_borrowed()?)?;
        let name = fields.iter().find(|field| field.number == number::NODE_OUTPUTS);
        let name = name
            .and_then(|name| name.as_text())
            .unwrap_or_default()
            .to_owned();
        let attributes = fields
            .into_iter()
            .filter(|field| field.number == number::NODE_ATTRIBUTES);
        for attribute in attributes {
            for Field { number, value } in wire::fields(attribute.value.into_borrowed()?)? {
                match number {
                    number::ATTRIBUTE_GRAPH => collect(value.into_borrowed()?, depth + 1, found)?,
                    number::ATTRIBUTE_TENSOR => {
                        let weights = floats(value.into_borrowed()?);
                        found.extend(weights.map(|weights| (name.clone(), weights)));
                    }
                    _ => {}
                }
            }
        }
    }
    Some(())
}

/// A `TensorProto` of floats; `None` when it is something else, or its numbers and its shape do not agree.
fn floats(tensor: &[u8]) -> Option<Weights> {
    let (mut shape, mut values, mut is_float) = (Vec::new(), Vec::new(), false);
    let four = |bytes: &[u8]| bytes.first_chunk().map(|four| f32::from_le_bytes(*four));
    for Field { number, value } in wire::fields(tensor)? {
        match (number, value) {
            (number::TENSOR_LENGTHS, Value::Varint(length)) => shape.push(usize::try_from(length).ok()?),
            (number::TENSOR_LENGTHS, Value::Bytes(row)) => {
                let lengths = wire::varints(&row)?.into_iter();
                shape.extend(lengths.filter_map(|length| usize::try_from(length).ok()));
            }
            (number::TENSOR_ELEMENT, Value::Varint(element)) => is_float = element == FLOAT,
            (number::TENSOR_RAW | number::TENSOR_FLOATS, Value::Bytes(Cow::Borrowed(bytes))) => {
                values.extend(bytes.chunks_exact(4).filter_map(four));
            }
            _ => {}
        }
    }
    let wanted = shape
        .iter()
        .try_fold(1usize, |product, length| product.checked_mul(*length))?;
    (is_float && values.len() == wanted).then_some(Weights { shape, values })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn silero() -> Vec<u8> {
        let file = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/models/silero_vad/weights/silero_vad.onnx"
        );
        std::fs::read(file).unwrap_or_else(|fault| panic!("run `make provision`: {fault}"))
    }

    #[test]
    fn weights_are_read_out_of_the_branches_of_a_graph() {
        let found = constants(&silero()).unwrap();
        for (branch, bins) in [("then", 129), ("else", 65)] {
            let name = format!("If_0_{branch}_branch__Inline_0__encoder.0.reparam_conv.weight");
            assert_eq!(found[&name].shape, [128, bins, 3], "{name}");
            assert_eq!(found[&name].values.len(), 128 * bins * 3);
        }
    }

    #[test]
    fn a_tensor_whose_numbers_and_shape_disagree_is_none() {
        let mut draft = Draft::default();
        let values = vec![1.0; 6];
        let shape = vec![2, 3];
        draft.floats("whole", &Weights { shape, values });
        let bytes = &draft.fields[0].1;
        assert_eq!(floats(bytes).unwrap().shape, [2, 3]);
        assert_eq!(floats(&bytes[..bytes.len() - 4]), None);
    }

    proptest! {
        #[test]
        fn any_bytes_hold_weights_or_none(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = constants(&bytes);
            let _ = floats(&bytes);
        }
    }
}
