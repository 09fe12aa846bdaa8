//! The integration tests: one binary, one file a topic.

mod audio;
mod cli;
mod gallery;
mod store;
