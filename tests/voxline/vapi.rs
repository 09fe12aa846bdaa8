//! Vapi end to end: the real program, a peer that stands in for Vapi in a process of its own, real sockets between.

#[path = "../../examples/vapi_peer/peer.rs"]
mod peer;

mod account;
mod afterwards;
mod broken;
mod calls;
mod doors;
mod finding;
mod harness;
mod hostile;
mod passports;
mod pins;
mod setup;
mod taking_over;
mod undoing;

/// Not a test: the peer's own process, which the others start from this same binary.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the peer of the other tests, started by them"]
async fn peer_process() {
    if std::env::var_os("VOXLINE_TEST_VAPI_PEER").is_some() {
        peer::follow_stdin().await;
    }
}
