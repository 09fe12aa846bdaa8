//! The service on its listener: connections in, until it is told to stop.

use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::service::TowerToHyperService;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{interval, sleep, timeout};

use crate::carriers::CarrierSettings;
use crate::switchboard::Switchboard;
use crate::vapi::Vapi;

use super::app_state::{AppSettings, AppState, ServeError, Timeouts};
use super::consent::SignupSettings;
use super::key_attempts::Peer;
use super::media::audiosocket::{self, AudioSocketDoor};
use super::router::router;
use super::sessions::ConsoleSettings;

/// How often histograms are put together when nobody fetches the metrics.
const UPKEEP: Duration = Duration::from_secs(5);

/// How long to wait when the system gives no more connections, as when file descriptors run out.
const BREATH: Duration = Duration::from_millis(200);

/// The most bytes of a request's line and headers.
const LARGEST_HEAD: usize = 32 * 1024;

/// How and where to serve.
pub struct ServeSettings {
    /// Where requests come in; bound by the caller, who can ask it for its port.
    pub listener: TcpListener,
    /// Whether nobody needs a key; for loopback listeners only.
    pub insecure_dev: bool,
    /// How carriers are dealt with.
    pub carriers: CarrierSettings,
    /// The side that deals with Vapi.
    pub vapi: Option<Arc<Vapi>>,
    /// How users are asked for their voice in a browser.
    pub signup: SignupSettings,
    /// How long sessions of the console last.
    pub console: ConsoleSettings,
    /// Names besides that of the public address by which browsers reach the console.
    pub hosts: Vec<String>,
    /// How long things may take.
    pub timeouts: Timeouts,
    /// The most connections at a time; more wait in the system's queue.
    pub connections: usize,
    /// Where AudioSockets come in, if they do.
    pub audiosocket: Option<AudioSocketDoor>,
}

impl ServeSettings {
    /// The usual settings, on `listener`.
    pub fn new(listener: TcpListener) -> Self {
        Self {
            listener,
            insecure_dev: false,
            carriers: CarrierSettings::default(),
            vapi: None,
            signup: SignupSettings::default(),
            console: ConsoleSettings::default(),
            hosts: Vec::new(),
            timeouts: Timeouts::default(),
            connections: 2048,
            audiosocket: None,
        }
    }
}

/// Serves until `shutdown` comes about. Then nothing new is let in, live calls are finished and their
/// final verdicts recorded, and this returns, at the latest when the grace has passed.
///
/// # Errors
/// [`ServeError`] when it cannot start. A fault of one connection is never an error of the service.
pub async fn serve(
    board: Arc<Switchboard>,
    settings: ServeSettings,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), ServeError> {
    let address = settings.listener.local_addr()?;
    if settings.insecure_dev {
        if !address.ip().is_loopback() {
            return Err(ServeError::InsecureBeyondLoopback(address));
        }
        tracing::warn!("INSECURE: --insecure-dev asks nobody for a key; never use it for real callers");
    }
    let app = AppState::new(
        board,
        AppSettings {
            insecure_dev: settings.insecure_dev,
            carriers: settings.carriers,
            vapi: settings.vapi,
            signup: settings.signup,
            console: settings.console,
            hosts: settings.hosts,
            timeouts: settings.timeouts,
        },
    )?;
    let router = router(Arc::clone(&app));
    tracing::info!(%address, "serving on {address}");
    tokio::select! {
        () = accept(&settings.listener, &app, &router, settings.connections) => {}
        () = keep_up(&app) => {}
        () = answer_audiosockets(&app, settings.audiosocket.as_ref()) => {}
        () = shutdown => {}
    }
    drop((settings.listener, settings.audiosocket));
    leave(&app).await;
    Ok(())
}

/// Lets connections in, for ever.
async fn accept(listener: &TcpListener, app: &Arc<AppState>, router: &Router, most: usize) {
    let places = Arc::new(Semaphore::new(most));
    loop {
        // Taken before the connection: who finds no place waits in the system's queue.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let peer = Peer(peer.ip());
                let connection = attend(stream, peer, Arc::clone(app), router.clone(), place);
                app.tasks.spawn(connection);
            }
            Err(fault) => {
                tracing::warn!(%fault, "a connection could not be accepted: {fault}");
                sleep(BREATH).await;
            }
        }
    }
}

/// Serves one connection until it ends or the service does.
async fn attend(
    stream: TcpStream,
    peer: Peer,
    app: Arc<AppState>,
    router: Router,
    place: OwnedSemaphorePermit,
) {
    // Verdicts are small and wanted at once. A socket that refuses is about to fail anyway.
    let _ = stream.set_nodelay(true);
    let routed = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(peer);
        routed.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(app.timeouts.head)
        .max_header_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = app.leaving.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(fault) = ended {
        tracing::debug!(%fault, "a connection ended early: {fault}");
    }
    drop(place);
}

/// Lets AudioSockets in, for ever, where they are listened for.
async fn answer_audiosockets(app: &Arc<AppState>, door: Option<&AudioSocketDoor>) {
    match door {
        Some(door) => audiosocket::accept(app, door).await,
        None => std::future::pending().await,
    }
}

/// Keeps the histograms' memory bounded, for ever.
async fn keep_up(app: &AppState) {
    let mut ticks = interval(UPKEEP);
    loop {
        ticks.tick().await;
        app.metrics.run_upkeep();
    }
}

/// Ends what is going on: idle connections close, live calls are finished.
async fn leave(app: &AppState) {
    tracing::info!("shutting down: finishing what is going on");
    app.leaving.cancel();
    if let Some(vapi) = app.vapi.clone() {
        // Calls that Vapi told of have no connection here that would end them.
        app.tasks.spawn(async move { vapi.close().await });
    }
    app.tasks.close();
    if timeout(app.timeouts.grace, app.tasks.wait()).await.is_err() {
        let left = app.tasks.len();
        tracing::warn!(
            left,
            "{left} connections or calls did not end in time and are cut"
        );
    }
    if timeout(app.timeouts.grace, app.recorded()).await.is_err() {
        tracing::error!("the store cannot be written: what was said of calls last is not recorded");
    }
}
