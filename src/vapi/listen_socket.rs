//! The listen socket: opened, and opened again while the call goes on.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use secrecy::ExposeSecret;
use tokio::net::TcpStream;
use tokio::sync::mpsc::{Sender, channel};
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderValue, header};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use tracing::Instrument;

use crate::bytes::SOCKET_READ;
use crate::units::DialedNumber;

use super::service::Vapi;
use super::vapi_call::VapiCall;
use super::vapi_stream::{Event, VapiStream};

/// How long a connection may take to come about.
const CONNECT: Duration = Duration::from_secs(10);
/// How long nothing may come. A call's audio never pauses; silence is sent too.
const SILENCE: Duration = Duration::from_secs(30);
/// The most bytes of a frame: half a minute of 16 kHz stereo is far more than anybody sends at a time.
const LARGEST_FRAME: usize = 2 * 1024 * 1024;
/// How often a stream is opened anew without any audio in between. Then the call is heard by nobody, until something else is
/// told of it: it may have ended.
const MOST_TRIES: u32 = 8;
/// The first pause before a stream is opened anew, and the longest.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(8));
/// Frames that wait to be heard: some ten seconds of 20 ms each. Then the network waits.
const BACKLOG: usize = 512;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How a connection ended.
enum Cut {
    /// The call is over, the service leaves, or nobody hears any more.
    Over,
    /// The other side is gone; `true` when audio had come.
    Gone(bool),
}

/// Listens to a call until it is over, however often its stream is cut, and hears it to its end.
pub(super) async fn listen(vapi: Arc<Vapi>, vapi_call: Arc<VapiCall>, number: DialedNumber) {
    let (events, heard) = channel(BACKLOG);
    let vapi_stream = VapiStream::new(Arc::clone(&vapi), Arc::clone(&vapi_call), number);
    let span = tracing::info_span!("call", call.id = %vapi_call.id);
    let both = async { tokio::join!(keep_open(&vapi, &vapi_call, events), vapi_stream.follow(heard)) };
    Box::pin(both).instrument(span).await;
}

async fn keep_open(vapi: &Vapi, vapi_call: &VapiCall, events: Sender<Event>) {
    let (mut tries, mut pause) = (0, PAUSES.0);
    // What the log has of one round that brought nothing it need not have of the next.
    let mut is_news = vapi_call.state().given_up_at.is_none();
    let mut came = false;
    loop {
        match connection(vapi, vapi_call, &events, is_news && tries == 0).await {
            Cut::Over => return,
            Cut::Gone(true) => {
                (tries, pause) = (0, PAUSES.0);
                (is_news, came) = (true, true);
            }
            Cut::Gone(false) => tries += 1,
        }
        if tries >= MOST_TRIES {
            vapi_call.state().given_up_at = (!came).then(|| vapi_call.clock());
            if is_news {
                let id = &vapi_call.id;
                tracing::warn!(call.id = %id, "call {id} cannot be listened to: its listen stream does not come");
            }
            return;
        }
        if events.send(Event::Gap).await.is_err() {
            return;
        }
        tokio::select! {
            () = sleep(pause) => {}
            () = vapi_call.ended.cancelled() => return,
            () = vapi.leaving.cancelled() => return,
        }
        pause = (pause * 2).min(PAUSES.1);
    }
}

/// Opens the stream and passes its frames on to its end. That it was not opened is said in the log where that is news.
async fn connection(vapi: &Vapi, vapi_call: &VapiCall, events: &Sender<Event>, is_news: bool) -> Cut {
    let url = vapi_call.state().listen_url.clone().unwrap_or_default();
    let mut socket = match open(vapi, &url).await {
        Ok(socket) => socket,
        Err(why) => {
            let id = &vapi_call.id;
            if is_news {
                tracing::warn!(call.id = %id, "the listen stream of call {id} was not opened: {why}");
            }
            return Cut::Gone(false);
        }
    };
    let mut heard = false;
    loop {
        let frame = tokio::select! {
            biased;
            () = vapi_call.ended.cancelled() => return Cut::Over,
            () = vapi.leaving.cancelled() => return Cut::Over,
            frame = timeout(SILENCE, socket.next()) => frame,
        };
        let event = match frame {
            Ok(Some(Ok(Message::Binary(bytes)))) => {
                heard = true;
                Event::Audio(bytes, vapi_call.clock())
            }
            Ok(Some(Ok(Message::Text(text)))) => Event::Text(text.to_string()),
            Ok(Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_)))) => continue,
            Ok(Some(Ok(Message::Close(_)) | Err(_)) | None) | Err(_) => return Cut::Gone(heard),
        };
        if events.send(event).await.is_err() {
            return Cut::Over;
        }
    }
}

/// Opens the stream. The address itself is secret, so no fault quotes it.
async fn open(vapi: &Vapi, url: &str) -> Result<Socket, String> {
    let url = vapi.allowed.socket(url).map_err(|fault| fault.to_string())?;
    let request = url.as_str().into_client_request();
    let mut request = request.map_err(|_| "its address is odd".to_owned())?;
    if let Some(key) = &vapi.settings.public_key {
        let value = HeaderValue::from_str(&format!("Bearer {}", key.expose_secret()));
        let mut value = value.map_err(|_| "vapi.public_key cannot stand in a header".to_owned())?;
        value.set_sensitive(true);
        request.headers_mut().insert(header::AUTHORIZATION, value);
    }
    // TLS's cryptography is the process's choice; whoever made it first, it is ring.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let bounds = WebSocketConfig::default()
        .read_buffer_size(SOCKET_READ)
        .max_message_size(Some(LARGEST_FRAME))
        .max_frame_size(Some(LARGEST_FRAME));
    match timeout(CONNECT, connect_async_with_config(request, Some(bounds), true)).await {
        Ok(Ok((socket, _))) => Ok(socket),
        Ok(Err(Error::Http(response))) => Err(format!("the other side answered {}", response.status())),
        Ok(Err(Error::Io(fault))) => Err(fault.kind().to_string()),
        Ok(Err(Error::Tls(_))) => Err("TLS failed".to_owned()),
        Ok(Err(_)) => Err("the handshake failed".to_owned()),
        Err(_) => Err("it took too long".to_owned()),
    }
}
