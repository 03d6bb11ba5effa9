//! A cluster in one process: the API, DNS, pods, Services and control groups, on loopback.
//!
//! What it serves is plain JSON, as an API server would write it, and never made of the types
//! that read it: a field misspelt on one side has to show.

mod addresses;
pub mod api;
pub mod cgroup;
pub mod cluster;
pub mod dns;
mod manifests;
mod objects;
pub mod pods;
pub mod scenario;
mod world;

use std::io;
use std::net::SocketAddr;

/// Says what to do about an address that cannot be listened on.
fn cannot_listen(address: SocketAddr, error: &io::Error) -> io::Error {
    let remedy = "stop what listens there (ss -lntup shows it)";
    io::Error::new(error.kind(), format!("cannot listen on {address}: {error}; {remedy}"))
}
