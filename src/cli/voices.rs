//! `voxline enroll`, `voxline identify` and `voxline embed`.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use serde::Serialize;

use crate::bytes::{Headerless, Limits};
use crate::config::Config;
use crate::engine::{Analyst, Asker};
use crate::onnx::Runtime;
use crate::samples::{self, RATE};
use crate::switchboard::{Agreement, ClipBytes, EnrolmentReport, Identification, Switchboard, check_offer};
use crate::units::{DialedNumber, Seconds, UserId};
use crate::verdict::{OutcomeName, hear};
use crate::voiceprint::{Embedding, ModelId};

use super::chosen::{Chosen, chosen_model};
use super::fault::whole;
use super::output::Output;
use super::phrases::id;

/// How long an answer waits for its entry in the audit log: as long as the store waits for whoever writes, and a little.
const ACCOUNTING: Duration = Duration::from_secs(12);

// What a recording does not say of itself. (A doc comment here would be taken for the commands' own.)
#[derive(Debug, clap::Args)]
pub(super) struct SoundArgs {
    /// Which channel of a stereo recording holds the voice that is meant
    #[arg(long, value_name = "0|1", value_parser = clap::value_parser!(u16).range(0..=1))]
    pub channel: Option<u16>,
    /// What a file without a header holds
    #[arg(long, value_name = "g722|mulaw|alaw")]
    pub format: Option<Headerless>,
}

#[derive(Debug, clap::Args)]
pub(super) struct EnrolArgs {
    /// The user's id
    #[arg(long, value_name = "ID", value_parser = id::<UserId>)]
    pub user: UserId,
    /// The words the user agreed to
    #[arg(long, value_name = "TEXT")]
    pub consent: String,
    /// Those words also allow keeping the recordings, sealed (done where enrollment.retain_audio is set)
    #[arg(long)]
    pub keep_audio: bool,
    /// The voice may be that of another user of the same number: one person with two users
    #[arg(long)]
    pub allow_duplicate: bool,
    /// Enrol the voice even if it is unlike the one this user enrolled before
    #[arg(long)]
    pub allow_other_voice: bool,
    #[command(flatten)]
    pub sound: SoundArgs,
    /// Recordings of the user alone: WAV, FLAC, MP3, M4A, AAC, Ogg, WebM, AMR and more
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub(super) struct IdentifyArgs {
    /// The dialed number
    #[arg(long, value_name = "E164")]
    pub number: DialedNumber,
    /// A recording of the call: WAV, FLAC, MP3, M4A, AAC, Ogg, WebM, AMR and more
    pub file: PathBuf,
    #[command(flatten)]
    pub sound: SoundArgs,
    /// Print what a live call would have been told, one JSON line an update
    #[arg(long)]
    pub stream: bool,
}

#[derive(Debug, clap::Args)]
pub(super) struct EmbedArgs {
    /// The speaker model [default: the one in use]
    #[arg(long, value_name = "ID")]
    pub model: Option<String>,
    /// Embed the whole recording, silence and all
    #[arg(long)]
    pub no_vad: bool,
    #[command(flatten)]
    pub sound: SoundArgs,
    /// Recordings
    #[arg(required = true, value_name = "FILE")]
    pub files: Vec<PathBuf>,
}

pub(super) async fn enroll(args: EnrolArgs, board: &Switchboard, output: Output) -> anyhow::Result<bool> {
    // Before they are read: a pattern may match more than the machine has memory for.
    check_offer(&args.consent, args.files.len())?;
    let clips = args
        .files
        .iter()
        .map(|file| read(file, args.sound.format, board.limits()))
        .collect::<anyhow::Result<Vec<_>>>()?;
    let admitted = board.admit(Asker::recording(None))?;
    let spinner = Output::spinner("listening to the recordings");
    let agreement = Agreement {
        text: args.consent,
        keep_audio: args.keep_audio,
        allow_duplicate: args.allow_duplicate,
        allow_other_voice: args.allow_other_voice,
        version: None,
        invite: None,
    };
    let report = board
        .enrol(&admitted, args.user, agreement, clips, args.sound.channel)
        .await;
    spinner.finish_and_clear();
    accounted_for(board).await?;
    let report = report?;
    output.result(&report, || enrolment_text(&report, output))?;
    Ok(report.accepted)
}

pub(super) async fn identify(
    args: IdentifyArgs,
    board: &Switchboard,
    output: Output,
) -> anyhow::Result<bool> {
    let recording = read(&args.file, args.sound.format, board.limits())?;
    let admitted = board.admit(Asker::recording(None))?;
    let said = board
        .identify(
            &admitted,
            &args.number,
            recording,
            args.sound.channel,
            args.stream,
        )
        .await;
    accounted_for(board).await?;
    let said = said?;
    if args.stream {
        said.iter().try_for_each(Output::json_line)?;
    } else {
        let last = said.last();
        let last = last.context("a recording always ends in an identification. This is a bug.")?;
        output.result(last, || identification_text(last, output))?;
    }
    Ok(true)
}

/// Waits until what was done is in the audit log: what is not is not shown.
async fn accounted_for(board: &Switchboard) -> anyhow::Result<()> {
    let accounted = tokio::time::timeout(ACCOUNTING, board.recorded()).await;
    accounted.context(
        "the audit log cannot be written, so the answer is not given: see what is wrong with the store",
    )
}

/// One line of `voxline embed`.
#[derive(Serialize)]
struct Embedded<'a> {
    file: &'a Path,
    model: &'a ModelId,
    dim: usize,
    net_speech_seconds: f64,
    embedding: &'a [f32],
}

pub(super) async fn embed(args: &EmbedArgs, config: &Config, output: Output) -> anyhow::Result<bool> {
    let Chosen { card, models } = chosen_model(args.model.as_deref(), config).await?;
    let mut analyst = Analyst::load(&Runtime::load(&models.library)?, &models)?;
    let bar = Output::bar(args.files.len());
    let mut all_done = true;
    for file in &args.files {
        match embed_file(&mut analyst, file, args, &config.board.limits) {
            Ok((embedding, net)) => bar.suspend(|| {
                Output::json_line(&Embedded {
                    file,
                    model: card.id(),
                    dim: embedding.dim(),
                    net_speech_seconds: net.get(),
                    embedding: embedding.as_slice(),
                })
            })?,
            Err(fault) => {
                all_done = false;
                let said = whole(&fault);
                bar.suspend(|| Output::complain(&said));
                if output.is_json() {
                    Output::json_line(&serde_json::json!({ "file": file, "error": said }))?;
                }
            }
        }
        bar.inc(1);
    }
    bar.finish_and_clear();
    Ok(all_done)
}

fn embed_file(
    analyst: &mut Analyst,
    file: &Path,
    args: &EmbedArgs,
    limits: &Limits,
) -> anyhow::Result<(Embedding, Seconds)> {
    let ClipBytes { name, bytes } = read(file, args.sound.format, limits)?;
    if args.no_vad {
        let mut clip = samples::load(bytes, args.sound.channel, limits).context(name)?;
        samples::HighPass::default().filter(&mut clip.samples);
        let embedding = analyst.extractor.embed(&clip.samples)?;
        return Ok((embedding, RATE.seconds(clip.samples.len())));
    }
    let mut heard = hear(analyst, bytes, args.sound.channel, limits, &[]).with_context(|| name.clone())?;
    let look = heard
        .checkpoints
        .pop()
        .context("a recording always ends in a checkpoint. This is a bug.")?;
    let net = look.net_speech;
    let needed = analyst.extractor.card().minimum_net_speech();
    let print = look.print;
    let print = print.with_context(|| format!("{name}: {net} of speech, the model needs {needed}"))?;
    Ok((print.embedding, net))
}

/// Reads a recording; one larger than the limit is refused before it is in memory. Without a header it is what is
/// `stated`.
fn read(file: &Path, stated: Option<Headerless>, limits: &Limits) -> anyhow::Result<ClipBytes> {
    use std::io::Read;

    let name = file.display().to_string();
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).with_context(|| format!("{name} cannot be opened"))?;
    // One byte more than the limit is enough for the decoder to say that it is too large.
    let bounded = opened
        .take(limits.max_bytes.saturating_add(1))
        .read_to_end(&mut bytes);
    bounded.with_context(|| format!("{name} cannot be read"))?;
    Ok(ClipBytes::new(name, bytes, stated))
}

fn enrolment_text(report: &EnrolmentReport, output: Output) -> String {
    let word = if report.accepted { "accepted" } else { "refused" };
    let mut text = format!(
        "{}: {:.1} s of speech",
        output.strong(word),
        report.net_speech_seconds
    );
    for issue in &report.issues {
        let _ = write!(text, "\n  {}", issue.message);
    }
    match report.audio_kept {
        Some(true) => text.push_str("\n  the recordings are kept, sealed"),
        Some(false) if report.accepted => {
            text.push_str("\n  the recordings are not kept: enrollment.retain_audio is not set");
        }
        _ => {}
    }
    text
}

fn identification_text(said: &Identification, output: Output) -> String {
    let mut text = match said.outcome {
        OutcomeName::Identified => {
            let name = said.user_name.as_deref().unwrap_or("(no name)");
            let id = said.user_id.map(|id| id.to_string()).unwrap_or_default();
            format!("{}  {name}  {id}", output.strong("identified"))
        }
        OutcomeName::Unknown => format!("{}: nobody on this number", output.strong("unknown")),
        OutcomeName::Inconclusive => {
            let reason = said
                .reason
                .map(|reason| format!("{reason:?}"))
                .unwrap_or_default();
            format!("{}: {}", output.strong("inconclusive"), words(&reason))
        }
    };
    let _ = write!(text, "\n  {:.1} s of speech", said.net_speech_seconds);
    if let Some(posterior) = said.posterior {
        let _ = write!(text, ", probability {posterior:.4}");
    }
    if let Some(quality) = said.quality {
        let snr = quality
            .snr_db
            .map(|snr| format!(", {snr:.0} dB above background"))
            .unwrap_or_default();
        let _ = write!(text, ", {} band{snr}", quality.bandwidth);
    }
    let work = said.timing_ms;
    let total = work.decode + work.vad + work.embed + work.search + work.decide;
    let _ = write!(text, ", {total:.0} ms of work");
    for warning in &said.warnings {
        let _ = write!(text, "\n  {}", warning.message);
    }
    text
}

/// `TooLittleSpeech` as "too little speech".
fn words(variant: &str) -> String {
    let mut text = String::new();
    for letter in variant.chars() {
        if letter.is_uppercase() && !text.is_empty() {
            text.push(' ');
        }
        text.extend(letter.to_lowercase());
    }
    text
}
