#![doc = "Voxline: know who is on the line."]
#![forbid(unsafe_code)]
#![warn(missing_docs)]

pub mod units;

pub mod bytes;
pub mod decision;
pub mod gallery;
pub mod onnx;
pub mod samples;
pub mod speech;
pub mod store;
pub mod voiceprint;
