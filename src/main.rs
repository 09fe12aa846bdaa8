//! The `voxline` program: everything it does is in the library.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    voxline::cli::run(voxline::cli::Args::parse())
}
