//! The integration tests: one binary, one file a topic.

mod audio;
mod gallery;
mod serving;
mod store;
