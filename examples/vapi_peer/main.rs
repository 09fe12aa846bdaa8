//! The Vapi peer as a process: driven by JSON lines on stdin, or, with `bench`, measuring a deployment of its own.
//!
//! ```sh
//! cargo run --release --example vapi_peer               # see the table in peer.rs
//! cargo run --release --example vapi_peer -- bench 200 8 4
//! # how long answers take (make bench-vapi): ringing calls, live calls beside them, rounds
//! ```

mod bench;
mod peer;

#[tokio::main]
async fn main() {
    let mut words = std::env::args().skip(1);
    match words.next().as_deref() {
        Some("bench") => {
            let mut count = |usual| words.next().and_then(|count| count.parse().ok()).unwrap_or(usual);
            bench::run(count(200), count(8), count(4)).await;
        }
        _ => peer::follow_stdin().await,
    }
}
