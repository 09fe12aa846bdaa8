//! `voxline serve`.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::MissedTickBehavior;
use tracing::Level;

use crate::carriers::AudioSocketSettings;
use crate::config::Config;
use crate::reply::{AudioSocketDoor, ConsentTexts, ServeSettings, TlsDoor, serve};
use crate::settings::{Fault, Faults};
use crate::switchboard::Switchboard;
use crate::vapi::Vapi;

use super::log;
use super::opening::KEY_REMEDY;

#[derive(Debug, clap::Args)]
pub(super) struct ServeArgs {
    /// Address and port; port 0 takes a free one [default: 127.0.0.1:8080]
    #[arg(long, value_name = "ADDRESS")]
    pub listen: Option<String>,
    /// Show the reports of `voxline bench --out` in this folder [default: accuracy in the data folder]
    #[arg(long, value_name = "DIR")]
    pub accuracy: Option<String>,
    /// Ask nobody for a key. For development, on a loopback address only
    #[arg(long)]
    pub insecure_dev: bool,
}

pub(super) async fn run(config: &Config, args: &ServeArgs) -> anyhow::Result<bool> {
    refuse_insecurity_abroad(config.reply.listen, args.insecure_dev)?;
    let consent = ConsentTexts::read(config.reply.signup.consent_file.as_deref())?;
    let tls = config
        .reply
        .tls
        .as_ref()
        .map(TlsDoor::open)
        .transpose()?
        .map(Arc::new);
    // The port first: whoever finds it taken need not wait for the models.
    let listener = TcpListener::bind(config.reply.listen)
        .await
        .with_context(|| format!("{} cannot be listened on", config.reply.listen))?;
    let address = listener.local_addr()?;
    let audiosocket = audiosocket(config.carriers.audiosocket.as_ref()).await?;
    let board = Arc::new(Switchboard::open(&config.board).await?);
    warn_without_keys(&board, args.insecure_dev).await?;
    if let Some(key) = board.store().key_for_others() {
        let key = key.display();
        tracing::warn!(%key, "others may read or write the master key {key}: {KEY_REMEDY}");
    }
    board.prepare().await;

    let mut settings = ServeSettings::new(listener, config.reply.clone(), config.carriers.clone());
    settings.tls.clone_from(&tls);
    settings.app.insecure_dev = args.insecure_dev;
    settings.app.consent = consent;
    settings.audiosocket = audiosocket;
    settings.app.vapi = Some(Vapi::open(Arc::clone(&board), config.vapi.clone()).await?);
    let ended = ended()?;
    tokio::spawn(follow_the_store(Arc::clone(&board)));
    tokio::spawn(examine_the_store(Arc::clone(&board)));
    tokio::spawn(follow_the_model(Arc::clone(&board)));
    tokio::spawn(follow_the_schedule(Arc::clone(&board)));
    tokio::spawn(follow_the_other_nodes(Arc::clone(&board)));
    if let Some(door) = &settings.audiosocket {
        say(&format!(
            "AudioSockets come in at {}",
            door.listener.local_addr()?
        ));
    }
    if let Some(door) = tls {
        tokio::spawn(read_again_when_told(signal(SignalKind::hangup())?, door));
        say(&format!("listening on https://{address}"));
    } else {
        say(&format!("listening on http://{address}"));
    }
    serve(board, settings, ended).await?;
    say("ended");
    Ok(true)
}

/// Says how the service goes.
fn say(text: &str) {
    log::say(Level::INFO, text);
}

/// Has the certificate read again at each SIGHUP.
async fn read_again_when_told(mut told: Signal, door: Arc<TlsDoor>) {
    while told.recv().await.is_some() {
        door.read_again();
    }
}

/// The listener for AudioSocket, where one is configured.
async fn audiosocket(wanted: Option<&AudioSocketSettings>) -> anyhow::Result<Option<AudioSocketDoor>> {
    let Some(wanted) = wanted else {
        return Ok(None);
    };
    let listener = TcpListener::bind(wanted.address)
        .await
        .with_context(|| format!("{} cannot be listened on for AudioSocket", wanted.address))?;
    Ok(Some(AudioSocketDoor {
        listener,
        peers: wanted.peers.clone(),
        connections: wanted.connections,
    }))
}

/// Lets go of calls that are over, and keeps the gallery equal to the store also when nobody calls: what another process erased must not
/// stay in a Qdrant server until the next call to that number.
async fn follow_the_store(board: Arc<Switchboard>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(15));
    loop {
        ticks.tick().await;
        board.refresh().await;
        board.tidy_call_sessions().await;
        board.store().write_erased_list().await;
    }
}

/// Looks for pages of the store that were destroyed.
async fn examine_the_store(board: Arc<Switchboard>) {
    board.store().keep_examining().await;
}

/// Takes up a model that `voxline models switch` put in use: looking costs one indexed row.
async fn follow_the_model(board: Arc<Switchboard>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(2));
    loop {
        ticks.tick().await;
        board.follow_model().await;
    }
}

/// Removes what is older than it is kept, at once and then once an hour.
async fn follow_the_schedule(board: Arc<Switchboard>) {
    let mut ticks = tokio::time::interval(Duration::from_secs(3600));
    loop {
        ticks.tick().await;
        if let Err(fault) = board.retain().await {
            tracing::error!(%fault, "what is older than it is kept is still there, and goes within the hour: {fault}");
        }
    }
}

/// Takes in what other nodes of a shared store say of the calls under way, and the records of calls that began without them.
async fn follow_the_other_nodes(board: Arc<Switchboard>) {
    let mut ticks = tokio::time::interval(Duration::from_millis(300));
    // A store that hung is not asked at once for every tick that was missed.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        board.follow_other_nodes().await;
    }
}

/// Said before anything is loaded; the service itself refuses as well.
fn refuse_insecurity_abroad(listen: SocketAddr, insecure_dev: bool) -> Result<(), Faults> {
    if !insecure_dev || listen.ip().is_loopback() {
        return Ok(());
    }
    Err(Faults(vec![Fault {
        what: "--insecure-dev".to_owned(),
        why: format!("asks nobody for a key and is for loopback addresses only, not for {listen}"),
    }]))
}

/// Nobody can use a service that knows no key: say so at once, and how to make one.
async fn warn_without_keys(board: &Switchboard, insecure_dev: bool) -> anyhow::Result<()> {
    let keys = board.store().keys().await?;
    if !insecure_dev && !keys.iter().any(|key| key.revoked_at.is_none()) {
        say("there is no API key yet: create one with `voxline keys create --scope admin`");
    }
    Ok(())
}

/// Comes about when the service is told to end: Ctrl-C, or SIGTERM by a supervisor.
fn ended() -> anyhow::Result<impl Future<Output = ()> + Send> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        say("ending: nothing new is let in, live calls are being finished");
    })
}
