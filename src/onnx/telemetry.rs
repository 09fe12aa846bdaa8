//! ONNX Runtime's own reports, kept off.
//!
//! Official builds for Linux and macOS (1.31.1 is one) report on their use to their maker: an id and a queue of
//! events are kept in the user's folders and sent when there is a network. The switch of the programming interface
//! leaves the "essential" ones on; the environment variable, read once when the library is loaded, turns off
//! everything. Voxline promises that nothing is sent anywhere, so it never loads the library without it.

use std::io;
use std::os::unix::process::CommandExt;
use std::process::Command;

/// The variable that turns the reports off.
pub(super) const SWITCH: &str = "ORT_DISABLE_TELEMETRY";

/// Whether this process was started with the reports off.
pub(super) fn is_off() -> bool {
    std::env::var_os(SWITCH).is_some_and(|value| value == "1")
}

/// Makes sure that ONNX Runtime will report nothing: a process that was started otherwise is started over in place,
/// under the same id and with the same arguments (a variable cannot safely be set in a running process). To be
/// called first in `main`; comes back only in a process that may load the library.
///
/// # Errors
/// The system's, when the program cannot be started over.
pub fn without_telemetry() -> io::Result<()> {
    if is_off() {
        return Ok(());
    }
    let mut arguments = std::env::args_os();
    let mut again = Command::new(std::env::current_exe()?);
    if let Some(name) = arguments.next() {
        again.arg0(name);
    }
    Err(again.args(arguments).env(SWITCH, "1").exec())
}
