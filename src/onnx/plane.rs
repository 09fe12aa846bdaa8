//! Convolutions over time, written as convolutions over a plane one cell high.
//!
//! ONNX Runtime has two ways to convolve. Its fast kernels, which keep the channels in blocks (`NCHWc`), take two
//! spatial dimensions; a convolution over time alone has one and goes the slow way, by a matrix of copies. The
//! two are the same arithmetic, so a graph is rewritten in memory as it is loaded: an axis of length one is put
//! in before the last of each such convolution's tensors, and stays through what stands between them and
//! works element by element. The file is left as it is; models/README.md says what it gains.
//!
//! What is not understood is left alone: nothing here refuses a graph, the runtime does.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use super::proto::{INT64, Node, Tensor, number, opset, port_name, with_height};
use super::wire::{self, Field, Value};

/// The first version of the operators whose `Squeeze` and `Unsqueeze` take the axes as an input.
const FIRST_OPSET: u64 = 13;
/// The tensor that says which axis has length one: the third of four.
const HEIGHT: &str = "voxline/height";

/// The model with its convolutions over time as ones over a plane; `None` when it has none that can be written so.
pub(super) fn on_a_plane(model: &[u8]) -> Option<Vec<u8>> {
    let mut fields = wire::fields(model)?;
    if opset(&fields)? < FIRST_OPSET {
        return None;
    }
    let mut graphs = fields
        .iter_mut()
        .filter(|field| field.number == number::MODEL_GRAPH);
    let (graph, None) = (graphs.next()?, graphs.next()) else {
        return None;
    };
    graph.value = Value::Bytes(Cow::Owned(rewritten(graph.as_bytes()?)?));
    Some(wire::message(&fields))
}

fn rewritten(graph: &[u8]) -> Option<Vec<u8>> {
    let fields = wire::fields(graph)?;
    let of = |number| fields.iter().filter(move |field| field.number == number);
    let nodes = of(number::GRAPH_NODES).map(|node| Node::read(node.as_bytes()?));
    let nodes: Vec<Node<'_>> = nodes.collect::<Option<_>>()?;
    let tensors = of(number::GRAPH_TENSORS).map(|tensor| Tensor::read(tensor.as_bytes()?));
    let tensors: Vec<Tensor<'_>> = tensors.collect::<Option<_>>()?;
    // Numbers in a file beside the model are found by the model's path, which one in memory has not.
    if tensors.iter().any(|tensor| !tensor.is_here) {
        return None;
    }
    let ports = of(number::GRAPH_INPUTS).chain(of(number::GRAPH_OUTPUTS));
    let ports: HashSet<String> = ports.map(|port| port_name(port)).collect::<Option<_>>()?;

    let filters = filters(&nodes, &tensors, &ports);
    if filters.is_empty() {
        return None;
    }
    let mut plane = Plane::new(&nodes, &tensors, &ports)?;
    for node in &nodes {
        plane.add(node, &filters);
    }

    let mut out: Vec<Field<'_>> = plane.written(&ports);
    let rest = fields
        .iter()
        .filter(|field| !matches!(field.number, number::GRAPH_NODES | number::GRAPH_TENSORS));
    out.extend(rest.cloned());
    out.push(Field::bytes(number::GRAPH_TENSORS, height()));
    for tensor in &tensors {
        let bytes: Cow<'_, [u8]> = if filters.contains(tensor.name) {
            tensor.with_height().into()
        } else {
            tensor.bytes.into()
        };
        out.push(Field::bytes(number::GRAPH_TENSORS, bytes));
    }
    Some(wire::message(&out))
}

/// Names of the tensors that are filters over time, and nothing else to anybody.
fn filters<'a>(nodes: &[Node<'_>], tensors: &[Tensor<'a>], ports: &HashSet<String>) -> HashSet<&'a str> {
    let mut used: HashMap<&str, bool> = HashMap::new();
    for node in nodes {
        let convolves = node.convolves_over_time();
        for (at, input) in node.inputs.iter().enumerate() {
            *used.entry(input).or_insert(true) &= convolves && at == 1;
        }
        for name in &node.captured {
            used.insert(name, false);
        }
    }
    let over_time = |tensor: &&Tensor<'_>| {
        tensor.lengths.len() == 3 && !ports.contains(tensor.name) && used.get(tensor.name) == Some(&true)
    };
    tensors
        .iter()
        .filter(over_time)
        .map(|tensor| tensor.name)
        .collect()
}

/// The tensor called [`HEIGHT`].
fn height() -> Vec<u8> {
    wire::message(&[
        Field::number(number::TENSOR_LENGTHS, 1),
        Field::number(number::TENSOR_ELEMENT, INT64),
        Field::number(number::TENSOR_NUMBERS, 2),
        Field::bytes(number::TENSOR_NAME, HEIGHT.as_bytes()),
    ])
}

/// The nodes of a graph as they are rewritten.
struct Plane<'a> {
    /// Names of the values that are also there with a height.
    tall: HashSet<&'a str>,
    nodes: Vec<Made<'a>>,
}

/// A node that was made, or kept.
struct Made<'a> {
    inputs: Vec<Cow<'a, str>>,
    bytes: Cow<'a, [u8]>,
    /// The value that a node only takes the height from, so that it is not needed when nobody uses that.
    flat: Option<&'a str>,
}

impl<'a> Plane<'a> {
    /// Nothing yet; `None` where a name that will be made up is taken.
    fn new(nodes: &[Node<'a>], tensors: &[Tensor<'a>], ports: &HashSet<String>) -> Option<Self> {
        let values = nodes
            .iter()
            .flat_map(|node| node.uses().chain(node.outputs.iter().copied()));
        let mut names = values.chain(tensors.iter().map(|tensor| tensor.name));
        let is_ours = |name: &str| name == HEIGHT || name.ends_with(TALL);
        if names.any(is_ours) || ports.iter().any(|port| is_ours(port)) {
            return None;
        }
        Some(Self {
            tall: HashSet::new(),
            nodes: Vec::new(),
        })
    }

    /// Takes the graph's next node.
    fn add(&mut self, node: &Node<'a>, filters: &HashSet<&str>) {
        let all_tall = || node.inputs.iter().all(|input| self.tall.contains(input));
        match (node.kind, node.inputs.as_slice(), node.outputs.as_slice()) {
            ("Conv", [heard, filter, bias @ ..], [output]) if filters.contains(filter) => {
                self.raise(heard);
                let mut inputs = vec![tall(heard), Cow::Borrowed(*filter)];
                inputs.extend(bias.iter().map(|bias| Cow::Borrowed(*bias)));
                let attributes = node.attributes.iter();
                let raised = attributes.map(|one| with_height(one).map_or(Cow::Borrowed(*one), Cow::Owned));
                self.make("Conv", inputs, output, raised.collect());
            }
            ("Relu" | "Sigmoid", [_], [output]) | ("Add" | "Mul", [_, _], [output]) if all_tall() => {
                let inputs = node.inputs.iter().map(|input| tall(input)).collect();
                let attributes = node.attributes.iter().map(|one| Cow::Borrowed(*one));
                self.make(node.kind, inputs, output, attributes.collect());
            }
            _ => self.nodes.push(Made {
                inputs: node.uses().map(Cow::Borrowed).collect(),
                bytes: node.bytes.into(),
                flat: None,
            }),
        }
    }

    /// Makes sure that a value is there with a height.
    fn raise(&mut self, value: &'a str) {
        if self.tall.insert(value) {
            let inputs = vec![Cow::Borrowed(value), Cow::Borrowed(HEIGHT)];
            self.push("Unsqueeze", inputs, &tall(value), Vec::new(), None);
        }
    }

    /// A node whose output has a height, and one that takes it from it.
    fn make(
        &mut self,
        kind: &str,
        inputs: Vec<Cow<'a, str>>,
        output: &'a str,
        attributes: Vec<Cow<'a, [u8]>>,
    ) {
        self.push(kind, inputs, &tall(output), attributes, None);
        self.tall.insert(output);
        let inputs = vec![tall(output), Cow::Borrowed(HEIGHT)];
        self.push("Squeeze", inputs, output, Vec::new(), Some(output));
    }

    fn push(
        &mut self,
        kind: &str,
        inputs: Vec<Cow<'a, str>>,
        output: &str,
        attributes: Vec<Cow<'a, [u8]>>,
        flat: Option<&'a str>,
    ) {
        let mut fields: Vec<Field<'_>> = inputs
            .iter()
            .map(|input| Field::bytes(number::NODE_INPUTS, input.as_bytes()))
            .collect();
        fields.push(Field::bytes(number::NODE_OUTPUTS, output.as_bytes()));
        fields.push(Field::bytes(number::NODE_KIND, kind.as_bytes()));
        let attributes = attributes.iter();
        fields.extend(attributes.map(|one| Field::bytes(number::NODE_ATTRIBUTES, &**one)));
        let bytes = wire::message(&fields).into();
        self.nodes.push(Made { inputs, bytes, flat });
    }

    /// The nodes as fields of a graph, without those that nobody needs.
    fn written(self, ports: &HashSet<String>) -> Vec<Field<'a>> {
        let used: HashSet<String> = self
            .nodes
            .iter()
            .flat_map(|node| node.inputs.iter().map(|input| input.to_string()))
            .collect();
        let needed = |node: &Made<'_>| {
            node.flat
                .is_none_or(|flat| used.contains(flat) || ports.contains(flat))
        };
        let needed = self.nodes.into_iter().filter(needed);
        needed
            .map(|node| Field::bytes(number::GRAPH_NODES, node.bytes))
            .collect()
    }
}

/// What is added to the name of a value that has a height.
const TALL: &str = "/voxline/tall";

fn tall<'a>(value: &str) -> Cow<'a, str> {
    Cow::Owned(format!("{value}{TALL}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn graph(name: &str) -> Vec<u8> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/data/graphs");
        std::fs::read(format!("{folder}/{name}.onnx")).unwrap()
    }

    /// The kinds of a model's nodes, and how many axes the filters of its convolutions have.
    fn kinds(model: &[u8]) -> (Vec<String>, Vec<usize>) {
        let model = wire::fields(model).unwrap();
        let graph = model.iter().find(|field| field.number == number::MODEL_GRAPH);
        let graph = wire::fields(graph.unwrap().as_bytes().unwrap()).unwrap();
        let of = |number| graph.iter().filter(move |field| field.number == number);
        let nodes: Vec<Node<'_>> = of(number::GRAPH_NODES)
            .map(|node| Node::read(node.as_bytes().unwrap()).unwrap())
            .collect();
        let tensors: Vec<Tensor<'_>> = of(number::GRAPH_TENSORS)
            .map(|tensor| Tensor::read(tensor.as_bytes().unwrap()).unwrap())
            .collect();
        let filters = nodes.iter().filter(|node| node.kind == "Conv").map(|node| {
            let filter = tensors.iter().find(|tensor| tensor.name == node.inputs[1]);
            filter.unwrap().lengths.len()
        });
        (
            nodes.iter().map(|node| node.kind.to_owned()).collect(),
            filters.collect(),
        )
    }

    #[test]
    fn convolutions_over_time_become_planar_unless_their_filters_are_shared() {
        let plain = graph("convolutions");
        assert_eq!(kinds(&plain).1, [3; 7]);
        let (kinds, filters) = kinds(&on_a_plane(&plain).unwrap());
        assert_eq!(filters, [4, 4, 4, 4, 4, 3, 3]);
        let count = |kind: &str| kinds.iter().filter(|other| *other == kind).count();
        // What is heard and what was pooled goes onto the plane; what is pooled, the two that are joined and the two
        // that a graph within the graph takes come down from it.
        assert_eq!((count("Unsqueeze"), count("Squeeze")), (2, 4));
    }

    #[test]
    fn a_graph_without_convolutions_over_time_is_left_alone() {
        for name in ["mean", "nemo", "waveform", "slow"] {
            assert_eq!(on_a_plane(&graph(name)), None, "{name}");
        }
        assert_eq!(
            on_a_plane(&on_a_plane(&graph("convolutions")).unwrap()),
            None,
            "names are taken"
        );
    }

    proptest! {
        #[test]
        fn a_broken_file_is_left_to_the_runtime(
            cut in any::<prop::sample::Index>(), at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let mut bytes = graph("convolutions");
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let _ = on_a_plane(&bytes);
            bytes.truncate(cut.index(bytes.len()));
            let _ = on_a_plane(&bytes);
        }
    }
}
