//! The door: handshakes with the certificate of now, and the certificate taken up again when its files change.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use time::OffsetDateTime;
use tokio::sync::{Notify, Semaphore};
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::reply::settings::TlsFiles;

use super::super::connection::Connection;
use super::super::telemetry::{self, HandshakeEnd};
use super::certificate::{Certificate, CertificateFault};
use super::handshakes::Handshakes;
use super::plain;

/// How often the files are looked at. By their bytes: names may be links, and times of files are set by whoever copies them.
const LOOK: Duration = Duration::from_secs(5);

/// The most handshakes at a time. They take some hundred milliseconds each, and most of that on the way.
const MOST_HANDSHAKES: usize = 256;

/// The type of a TLS record that begins a handshake (RFC 8446 section 5.1).
const HANDSHAKE_RECORD: u8 = 0x16;

/// TLS on a listener.
pub struct TlsDoor {
    files: TlsFiles,
    serving: RwLock<Arc<Certificate>>,
    asked: Notify,
    handshakes: Handshakes,
}

/// What is wrong with the files now.
#[derive(Debug, PartialEq, Eq)]
enum Doubt {
    None,
    /// Seen once: somebody may be in the midst of writing them.
    Seen(String),
    /// It was written to the log.
    Told(String),
}

impl Doubt {
    /// After one more look at the files: whether it is to be told now.
    fn after(self, found: Option<String>, was_asked: bool) -> (Self, bool) {
        match (self, found) {
            (_, None) => (Self::None, false),
            (Self::Told(before), Some(now)) if before == now => (Self::Told(now), false),
            (Self::Seen(before), Some(now)) if before == now => (Self::Told(now), true),
            (_, Some(now)) if was_asked => (Self::Told(now), true),
            (_, Some(now)) => (Self::Seen(now), false),
        }
    }
}

impl TlsDoor {
    /// Reads the certificate. One whose time is over is served all the same, since there is no other, and the log says so.
    ///
    /// # Errors
    /// [`CertificateFault`].
    pub fn open(files: &TlsFiles) -> Result<Self, CertificateFault> {
        let serving = Certificate::read(files)?;
        Ok(Self {
            files: files.clone(),
            serving: RwLock::new(Arc::new(serving)),
            asked: Notify::new(),
            handshakes: Handshakes::new(MOST_HANDSHAKES),
        })
    }

    /// Has the files read again at once.
    pub fn read_again(&self) {
        self.asked.notify_one();
    }

    /// Takes up what the files have become, for ever.
    pub(in super::super) async fn follow(&self) {
        let (mut doubt, mut warned_of) = (Doubt::None, None);
        loop {
            let serving = self.serving();
            if !serving.lasts(OffsetDateTime::now_utc()) && warned_of != Some(serving.digest) {
                warned_of = Some(serving.digest);
                let (begins, ends) = serving.period();
                tracing::warn!(%begins, %ends, "the certificate of tls.certificate is good from {begins} until {ends}: renew it");
            }
            telemetry::certificate(serving.period().1, matches!(doubt, Doubt::Told(_)));
            let was_asked = tokio::select! {
                () = self.asked.notified() => true,
                () = sleep(LOOK) => false,
            };
            let found = self.look(&serving).await.err().map(|fault| fault.to_string());
            let is_to_be_told;
            (doubt, is_to_be_told) = doubt.after(found, was_asked);
            if let (true, Doubt::Told(fault)) = (is_to_be_told, &doubt) {
                tracing::error!(
                    %fault,
                    "the certificate before is served on, until {}: {fault}",
                    serving.period().1
                );
            }
        }
    }

    /// Reads the files and serves what they have, if that is another certificate than `before`.
    async fn look(&self, before: &Certificate) -> Result<(), CertificateFault> {
        let files = self.files.clone();
        let Ok(read) = tokio::task::spawn_blocking(move || Certificate::read(&files)).await else {
            return Ok(());
        };
        let found = read?;
        if found.digest == before.digest {
            return Ok(());
        }
        let found = found.refuse_ended(&self.files, OffsetDateTime::now_utc())?;
        let (_, ends) = found.period();
        tracing::info!(%ends, "another certificate is served from now on, good until {ends}");
        *self.serving.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(found);
        Ok(())
    }

    fn serving(&self) -> Arc<Certificate> {
        Arc::clone(&self.serving.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// The handshake with who has connected, and a place for the connection. `None` where both did not come about within
    /// `patience`, for whatever reason.
    pub(in super::super) async fn let_in(
        &self,
        stream: Connection,
        places: Arc<Semaphore>,
        patience: Duration,
    ) -> Option<TlsStream<Connection>> {
        let turn = self.handshakes.begin();
        let config = Arc::clone(&self.serving().config);
        let secured = async {
            let mut stream = shake(stream, config, patience).await?;
            let place = places.acquire_owned().await;
            stream.get_mut().0.keep(place.map_err(|_| HandshakeEnd::Failed)?);
            Ok(stream)
        };
        let ended = tokio::select! {
            biased;
            () = turn.cut() => Err(HandshakeEnd::Crowded),
            ended = timeout(patience, secured) => ended.unwrap_or(Err(HandshakeEnd::Late)),
        };
        telemetry::handshake(ended.as_ref().err().copied().unwrap_or(HandshakeEnd::Done));
        ended.ok()
    }
}

async fn shake(
    stream: Connection,
    config: Arc<ServerConfig>,
    patience: Duration,
) -> Result<TlsStream<Connection>, HandshakeEnd> {
    let mut first = [0];
    match stream.socket().peek(&mut first).await {
        Ok(1) => {}
        _ => return Err(HandshakeEnd::Failed),
    }
    if first[0] != HANDSHAKE_RECORD {
        // Methods begin with a letter; what does not is answered with silence.
        if first[0].is_ascii_alphabetic() {
            plain::refuse(stream, patience).await;
            return Err(HandshakeEnd::Plain);
        }
        return Err(HandshakeEnd::Failed);
    }
    TlsAcceptor::from(config).accept(stream).await.map_err(|fault| {
        tracing::debug!(%fault, "a TLS handshake failed: {fault}");
        HandshakeEnd::Failed
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_files_are_told_of_once_and_not_while_they_are_written() {
        let mut doubt = Doubt::None;
        let told: Vec<bool> = [
            (Some("a"), false),
            (None, false),
            (Some("a"), false),
            (Some("a"), false),
            (Some("a"), true),
            (Some("b"), false),
            (Some("c"), true),
            (None, true),
        ]
        .map(|(found, was_asked)| {
            let told;
            (doubt, told) =
                std::mem::replace(&mut doubt, Doubt::None).after(found.map(str::to_owned), was_asked);
            told
        })
        .into();
        assert_eq!(told, [false, false, false, true, false, false, true, false]);
        assert_eq!(doubt, Doubt::None);
    }
}
