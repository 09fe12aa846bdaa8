//! The service over real sockets: who may do what, what is refused in which words, and calls from their
//! first frame to their last verdict.

mod accesses;
mod accuracy;
mod audiosocket;
mod calls;
mod console;
mod document;
mod doors;
mod enrolment;
mod harness;
mod life;
mod live_enrolment;
mod people;
mod recordings;
mod refusals;
mod signup;
mod sockets;
mod strangers;
mod tenants;
mod twilio;
mod without_scores;
