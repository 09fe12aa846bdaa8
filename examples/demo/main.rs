//! `make demo`: the whole journey on real audio over real sockets.
//!
//! Starts the service on a fresh store, enrols the synthetic voices of `enrollment_samples/` over HTTP,
//! plays every call of the manifest into `/media/pcm` (and one into `/media/twilio`), prints what is
//! said as speech accumulates, and compares the last word with what the manifest expects. Exits with 1
//! if any verdict is wrong.

mod calls;
mod manifest;
mod report;
mod service;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;

use manifest::Manifest;
use report::Report;
use service::Service;

#[tokio::main]
async fn main() -> ExitCode {
    match demo().await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(fault) => {
            eprintln!("demo: {fault:#}");
            ExitCode::FAILURE
        }
    }
}

async fn demo() -> anyhow::Result<bool> {
    let project = Path::new(env!("CARGO_MANIFEST_DIR"));
    let out = project.join("demo-out");
    let manifest = Manifest::read(&project.join("enrollment_samples"))?;
    let data = fresh(&out.join("data"))?;

    println!("Starting the service on an empty store in {}.", data.display());
    let service = Service::start(&program(project)?, &data)?;
    println!("It listens on {}.\n", service.base());

    enrol(&service, &manifest).await?;
    let mut report = Report::default();
    println!(
        "\nPlaying {} calls into /media/pcm, 8 kHz mu-law, 20 ms a frame:",
        manifest.call.len()
    );
    for call in &manifest.call {
        report.add(calls::play_pcm(&service, &manifest, call).await?);
    }
    if let Some(call) = manifest.call.first() {
        println!("\nAnd the first one again as Twilio would send it, into /media/twilio:");
        report.add(calls::play_twilio(&service, &manifest, call).await?);
    }
    service.stop().await?;

    let file = out.join("report.md");
    std::fs::write(&file, report.to_markdown())
        .with_context(|| format!("{} cannot be written", file.display()))?;
    println!("\n{}\nThe report is in {}.", report.summary(), file.display());
    println!(
        "For few calls at once there is a model that names more of them: `model = \"voxline-phone-3\"` (docs/accuracy.md)"
    );
    Ok(report.all_right())
}

/// Adds numbers and users and enrols each user's recordings.
async fn enrol(service: &Service, manifest: &Manifest) -> anyhow::Result<()> {
    for number in &manifest.number {
        service.add_number(&number.number, &number.name).await?;
    }
    for user in &manifest.user {
        let id = service.add_user(&user.name, &user.number).await?;
        let clips = user
            .signup
            .iter()
            .map(|file| manifest.path(file))
            .collect::<Vec<PathBuf>>();
        let report = service.enrol(&id, &user.consent, &clips).await?;
        anyhow::ensure!(
            report["accepted"] == true,
            "{} was not enrolled: {report}",
            user.name
        );
        let net = report["net_speech_seconds"].as_f64().unwrap_or_default();
        println!(
            "enrolled {:8} on {}  {net:4.1} s of speech in {} recordings",
            user.name,
            user.number,
            clips.len()
        );
    }
    Ok(())
}

/// An empty folder for the demo's store: whatever an earlier demo left is removed.
fn fresh(folder: &Path) -> anyhow::Result<PathBuf> {
    if folder.exists() {
        std::fs::remove_dir_all(folder).with_context(|| format!("{} cannot be emptied", folder.display()))?;
    }
    std::fs::create_dir_all(folder).with_context(|| format!("{} cannot be made", folder.display()))?;
    Ok(folder.to_owned())
}

/// The program beside this example: `target/<profile>/examples/demo` finds `target/<profile>/voxline`.
fn program(project: &Path) -> anyhow::Result<PathBuf> {
    let here = std::env::current_exe()?;
    let profile = here.ancestors().nth(2).unwrap_or(project);
    let program = profile.join("voxline");
    anyhow::ensure!(
        program.is_file(),
        "{} is not built; `make demo` builds it",
        program.display()
    );
    Ok(program)
}
