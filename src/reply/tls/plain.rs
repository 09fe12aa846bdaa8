//! Whoever speaks HTTP where TLS is spoken: told so in their own language.

use std::convert::Infallible;
use std::time::Duration;

use axum::body::Body;
use axum::http::header;
use axum::response::Response;
use hyper::Request;
use hyper::body::Incoming;
use hyper::header::HeaderValue;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};

use super::super::connection::Connection;
use super::super::drain_body::lend;
use super::super::problem::{Kind, Problem};

/// Answers one request with a refusal. There is no redirect: a key that came in the clear would come so again, unnoticed.
pub(super) async fn refuse(stream: Connection, patience: Duration) {
    let service = service_fn(|request: Request<Incoming>| async move {
        let (_, rest) = lend(Body::new(request.into_body()));
        // Read before the answer: it is small, or not waited for.
        rest.discard().await;
        Ok::<_, Infallible>(refusal())
    });
    let answered = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(patience)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(fault) = answered {
        tracing::debug!(%fault, "a connection in the clear ended early: {fault}");
    }
}

fn refusal() -> Response {
    let detail = "this port speaks TLS, and the request came in the clear: ask for https:// (or wss://) at the same host \
                  and port";
    let mut response = Problem::new(Kind::BadRequest, detail).answer(None);
    response
        .headers_mut()
        .insert(header::CONNECTION, HeaderValue::from_static("close"));
    response
}
