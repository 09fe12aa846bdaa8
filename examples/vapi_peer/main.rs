//! The Vapi peer as a process: driven by JSON lines on stdin, or, with `bench`, measuring a deployment of its own.
//!
//! ```sh
//! cargo run --release --example vapi_peer               # see the table in peer.rs
//! cargo run --release --example vapi_peer -- bench 200 8 4
//! # how long answers take (make bench-vapi): ringing calls, live calls beside them, rounds
//! cargo run --release --example vapi_peer -- bench-relay 1000 3
//! # what the relay to a customer's backend costs (make bench-relay): calls, fifty a second, and rounds of them
//! ```

mod backend;
mod bench;
mod lines;
mod peer;
mod relay_bench;

#[tokio::main]
async fn main() {
    let mut words = std::env::args().skip(1);
    let mode = words.next();
    let mut count = |usual| words.next().and_then(|count| count.parse().ok()).unwrap_or(usual);
    match mode.as_deref() {
        Some("bench") => bench::run(count(200), count(8), count(4)).await,
        Some("bench-relay") => relay_bench::run(count(1000), count(3)).await,
        Some("backend") => backend::run(0, bench::SECRET).await,
        _ => peer::run().await,
    }
}
