//! Vapi end to end: the real program, a peer that stands in for Vapi in a process of its own, real sockets between.

#[path = "../../examples/vapi_peer/peer.rs"]
mod peer;

#[path = "../../examples/vapi_peer/backend.rs"]
mod backend;

#[path = "../../examples/vapi_peer/lines.rs"]
mod lines;

mod account;
mod afterwards;
mod broken;
mod calls;
mod doors;
mod driven;
mod enrolling;
mod finding;
mod harness;
mod hostile;
mod leaving;
mod listening;
mod nodes;
mod office;
mod passports;
mod pins;
mod relay;
mod relay_faults;
mod setup;
mod taking_over;
mod undoing;
mod weather;

/// Not a test: the peer's own process, which the others start from this same binary.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the peer of the other tests, started by them"]
async fn peer_process() {
    if std::env::var_os("VOXLINE_TEST_VAPI_PEER").is_some() {
        peer::run().await;
    }
}

/// Not a test: the process of a customer's backend, likewise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "the backend of the other tests, started by them"]
async fn backend_process() {
    let set = |name| std::env::var(name).ok();
    if let (Some(port), Some(secret)) = (set("VOXLINE_TEST_VAPI_BACKEND"), set("VOXLINE_TEST_VAPI_SECRET")) {
        backend::run(port.parse().unwrap(), &secret).await;
    }
}
