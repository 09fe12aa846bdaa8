//! The measuring room: figures against other implementations, laws, lists, the benchmark itself.

mod goldens;
mod laws;
