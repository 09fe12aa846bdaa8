//! Flags that every command takes.

use std::path::PathBuf;

/// Flags that every command takes. The places are text, not paths: a name that is no Unicode is refused
/// by the parser instead of being bent into another one.
#[derive(Debug, clap::Args)]
#[command(next_help_heading = "Everywhere")]
pub(super) struct Common {
    /// Print JSON on stdout and nothing else there
    #[arg(long, global = true)]
    pub json: bool,
    /// Read settings from this file instead of ./voxline.toml
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Keep the store in this folder [default: ./data]
    #[arg(long, global = true, value_name = "DIR")]
    pub data_dir: Option<String>,
    /// Find the models' cards in this folder [default: beside the program or here]
    #[arg(long, global = true, value_name = "DIR")]
    pub models_dir: Option<String>,
    /// Load ONNX Runtime from this file [default: beside the program or in runtime/]
    #[arg(long, global = true, value_name = "FILE")]
    pub ort_lib: Option<String>,
}

impl Common {
    /// The flags that are settings, by key.
    pub(super) fn settings(&self) -> Vec<(&'static str, String)> {
        let given = [
            ("data_dir", &self.data_dir),
            ("models_dir", &self.models_dir),
            ("ort_lib", &self.ort_lib),
        ];
        given
            .into_iter()
            .filter_map(|(key, value)| Some((key, value.clone()?)))
            .collect()
    }
}
