//! The integration tests: one binary, one file a topic.

mod audio;
mod browser;
mod carriers;
mod chain;
mod cli;
mod documented;
mod drafted_cards;
mod engine;
mod evidence;
mod front_ends;
mod gallery;
mod goldens;
mod hostile;
mod kinds;
mod listener;
mod measure;
mod models;
mod parity;
mod process;
mod public_models;
mod serving;
mod speech;
mod store;
mod support;
mod switchboard;
mod vapi;
