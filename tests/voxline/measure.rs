//! The measuring room: figures against other implementations, laws, lists, the benchmark itself.

mod bench;
mod contradictions;
mod goldens;
mod laws;
mod lists;
mod protocols;
mod scores;
