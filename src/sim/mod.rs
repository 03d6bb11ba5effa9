//! A cluster in one process: the API, DNS, pods, Services and control groups, on loopback.
//!
//! What it serves is plain JSON, as an API server would write it, and never made of the types
//! that read it: a field misspelt on one side has to show.

pub mod api;
pub mod dns;

use std::fmt::Display;
use std::io;
use std::net::SocketAddr;

/// Says what to do about an address that cannot be listened on.
fn cannot_listen(address: SocketAddr, error: &dyn Display) -> io::Error {
    io::Error::other(format!(
        "cannot listen on {address}: {error}; stop what listens there (ss -lntup shows it)"
    ))
}
