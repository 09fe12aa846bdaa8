//! The program with nothing of the operator's: neither the settings of the environment nor a `voxline.toml` of the working
//! folder, which would have it work on their store and not on one of its own.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

/// Where models and library lie says nothing of whose store it is.
const PLACES: [&str; 2] = ["VOXLINE_MODELS_DIR", "VOXLINE_ORT_LIB"];

/// `program` on the store in `data`, with what of `environment` is no setting.
pub fn program_alone(
    program: &Path,
    data: &Path,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> Command {
    let is_setting = |name: &OsString| {
        let name = name.to_string_lossy();
        name.starts_with("VOXLINE_") && !PLACES.contains(&&*name)
    };
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs(environment.into_iter().filter(|(name, _)| !is_setting(name)));
    // An empty configuration in place of `voxline.toml`.
    command
        .args(["--config", "/dev/null"])
        .arg("--data-dir")
        .arg(data);
    command
}
