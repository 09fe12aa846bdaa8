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
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{interval, sleep, timeout};
use tokio_rustls::server::TlsStream;

use crate::carriers::CarrierSettings;
use crate::switchboard::Switchboard;

use super::app_state::{AppSettings, AppState, ServeError, Timeouts};
use super::connection::Connection;
use super::consent::ConsentTexts;
use super::key_attempts::Peer;
use super::media::audiosocket::{self, AudioSocketDoor};
use super::router::router;
use super::sessions::ConsoleSettings;
use super::settings::ReplySettings;
use super::tls::TlsDoor;

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
    /// TLS on it; without it the service speaks in the clear.
    pub tls: Option<Arc<TlsDoor>>,
    /// What the handlers work with.
    pub app: AppSettings,
    /// The most connections at a time, WebSockets among them; more wait in the system's queue.
    pub connections: usize,
    /// Where AudioSockets come in, if they do.
    pub audiosocket: Option<AudioSocketDoor>,
}

impl ServeSettings {
    /// These settings on `listener`, and the usual ones beside them.
    pub fn new(listener: TcpListener, reply: ReplySettings, carriers: CarrierSettings) -> Self {
        Self {
            listener,
            tls: None,
            app: AppSettings {
                reply,
                insecure_dev: false,
                carriers,
                vapi: None,
                consent: ConsentTexts::default(),
                console: ConsoleSettings::default(),
                timeouts: Timeouts::default(),
            },
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
    if settings.app.insecure_dev {
        if !address.ip().is_loopback() {
            return Err(ServeError::InsecureBeyondLoopback(address));
        }
        tracing::warn!("INSECURE: --insecure-dev asks nobody for a key; never use it for real callers");
    }
    let app = AppState::new(board, settings.app)?;
    app.carriers.take_up().await;
    let router = router(Arc::clone(&app));
    let tls = settings.tls.as_ref();
    tracing::info!(%address, "serving on {address}");
    tokio::select! {
        () = accept(&settings.listener, tls, &app, &router, settings.connections) => {}
        () = keep_up(&app) => {}
        () = follow_certificate(tls) => {}
        () = answer_audiosockets(&app, settings.audiosocket.as_ref()) => {}
        () = shutdown => {}
    }
    drop((settings.listener, settings.audiosocket));
    leave(&app).await;
    Ok(())
}

/// Lets connections in, for ever.
async fn accept(
    listener: &TcpListener,
    tls: Option<&Arc<TlsDoor>>,
    app: &Arc<AppState>,
    router: &Router,
    most: usize,
) {
    let places = Arc::new(Semaphore::new(most));
    loop {
        let place = match tls {
            // Taken before the connection: who finds no place waits in the system's queue.
            None => Arc::clone(&places).acquire_owned().await.ok(),
            // Taken after the handshake: who connects and says nothing has none.
            Some(_) => None,
        };
        match listener.accept().await {
            Ok((stream, peer)) => {
                let peer = Peer(peer.ip());
                // Verdicts are small and wanted at once. A socket that refuses is about to fail anyway.
                let _ = stream.set_nodelay(true);
                let mut stream = Connection::new(stream, app.timeouts.answer);
                let (app, router) = (Arc::clone(app), router.clone());
                let tasks = app.tasks.clone();
                match (tls, place) {
                    (Some(door), _) => {
                        let (door, places) = (Arc::clone(door), Arc::clone(&places));
                        tasks.spawn(async move {
                            if let Some(stream) = secured(&door, stream, places, &app).await {
                                attend(stream, peer, app, router).await;
                            }
                        });
                    }
                    (None, Some(place)) => {
                        stream.keep(place);
                        tasks.spawn(attend(stream, peer, app, router));
                    }
                    (None, None) => return,
                }
            }
            Err(fault) => {
                tracing::warn!(%fault, "a connection could not be accepted: {fault}");
                sleep(BREATH).await;
            }
        }
    }
}

/// The connection after its handshake, with a place for it; `None` where that did not come about, or the service ends.
async fn secured(
    door: &TlsDoor,
    stream: Connection,
    places: Arc<Semaphore>,
    app: &AppState,
) -> Option<TlsStream<Connection>> {
    tokio::select! {
        secured = door.let_in(stream, places, app.timeouts.handshake) => secured,
        () = app.leaving.cancelled() => None,
    }
}

/// Serves one connection until it ends, becomes a WebSocket, or the service ends.
async fn attend(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    peer: Peer,
    app: Arc<AppState>,
    router: Router,
) {
    let routed = TowerToHyperService::new(router);
    let (leaving, head) = (app.leaving.clone(), app.timeouts.head);
    let service = service_fn(move |mut request: Request<Incoming>| {
        let sender = app.proxies.sender(peer, request.headers());
        request.extensions_mut().insert(sender);
        routed.call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head)
        .max_header_size(LARGEST_HEAD)
        .serve_connection(TokioIo::new(stream), service)
        .with_upgrades();
    let mut connection = pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = leaving.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(fault) = ended {
        tracing::debug!(%fault, "a connection ended early: {fault}");
    }
}

/// Lets AudioSockets in, for ever, where they are listened for.
async fn answer_audiosockets(app: &Arc<AppState>, door: Option<&AudioSocketDoor>) {
    match door {
        Some(door) => audiosocket::accept(app, door).await,
        None => std::future::pending().await,
    }
}

/// Takes up the certificate's files as they change, for ever, where there is one.
async fn follow_certificate(door: Option<&Arc<TlsDoor>>) {
    match door {
        Some(door) => door.follow().await,
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
    let kept = async { tokio::join!(app.carriers.put_down(), app.recorded()) };
    if timeout(app.timeouts.grace, kept).await.is_err() {
        tracing::error!("the store cannot be written: what was said of calls last is not recorded");
    }
}
