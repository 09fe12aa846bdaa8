//! Voxline: know who is on the line.
//!
//! Users forward their phones to a handful of shared numbers. Voxline tells, from the voice on the
//! call, which of a number's users is speaking, or that it is nobody it knows, or that it cannot be
//! said yet. The rooms stand in the order of a call's journey. Each arrow between two of them is a public
//! function by itself; a live call goes them all by [`switchboard::LiveCall::push`]:
//!
//! | room | arrow | from → to |
//! |---|---|---|
//! | [`bytes`] | [`bytes::Decoder::next_block`], [`bytes::RawStream::push`] | a file or a carrier's stream → PCM frames |
//! | [`samples`] | [`samples::CallerIntake::push`] | PCM frames → 16 kHz mono samples |
//! | [`speech`] | [`speech::SpeechFinder::hear`], [`speech::SpeechFinder::advance`] | samples → speech |
//! | [`voiceprint`] | [`voiceprint::Extractor::embed`] | speech → voiceprint |
//! | [`evidence`] | [`evidence::read_facts`] | what carriers say of a call → whose line it came through |
//! | [`gallery`] | [`gallery::Gallery::search`] | voiceprint and dialed number → similarities |
//! | [`decision`] | [`decision::SequentialDecision::hear`] | similarities as ratios → decision |
//! | [`verdict`] | [`verdict::StreamSession::push`] | a call's audio → checkpoints |
//! | [`verdict`] | [`verdict::scoring::judge`] | a checkpoint and its similarities → what is said |
//! | [`switchboard`] | [`switchboard::LiveCall::push`] | a call's audio → verdicts, by all of the above |
//! | [`carriers`] | [`carriers::CarrierStream::take`] | a carrier's messages → a call's audio |
//! | [`reply`] | [`reply::serve`] | verdicts → HTTP and WebSocket |
//!
//! They stand on [`units`] (numbers that never travel alone), [`settings`] (how settings are read; each room has
//! its own, and [`config`] puts them together), [`onnx`] (the one room that knows ONNX Runtime), [`store`] (the one
//! that knows SQL) and [`engine`] (inference threads, deadlines and permits). [`measure`] says how good all of it
//! is. [`switchboard`] joins them for whoever asks: [`reply`] is the one room that serves over HTTP, [`hub`] fetches
//! models over it when told to, [`carriers`] is what carriers send and are answered (and commands one of them,
//! Telnyx), [`vapi`] asks Vapi (the calls' audio, its control address, its API), [`outward`] says which hosts may be
//! asked at all, [`cli`] is the one that knows flags.
//!
//! Architecture invariants: a room uses only the rooms before it; no search exists without a dialed
//! number ([`gallery::Query`] cannot be made without one); acceptance is a true comparison of finite
//! numbers ([`units::Llr`] and [`units::Posterior`] hold no NaN).

#![warn(missing_docs)]

pub mod units;
pub mod settings;

pub mod bytes;
pub mod samples;

pub mod onnx;
pub mod speech;
pub mod voiceprint;

pub mod outward;
pub mod hub;

pub mod engine;
pub mod store;

pub mod evidence;

pub mod gallery;
pub mod decision;
pub mod verdict;

pub mod measure;

pub mod switchboard;

pub mod carriers;
pub mod vapi;

pub mod reply;
pub mod config;

pub mod cli;
