//! The `voxline` program: everything it does is in the library.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    if let Err(fault) = voxline::onnx::without_telemetry() {
        eprintln!("voxline: cannot start with ONNX Runtime's telemetry off: {fault}");
        return ExitCode::FAILURE;
    }
    voxline::cli::run(voxline::cli::Args::parse())
}
