//! What is read of the machine that an agent runs on: files, and nothing is ever written.

pub mod cgroup;
pub mod readings;
pub mod resolv_conf;

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// No file that is read here is longer.
const LONGEST: u64 = 64 * 1024;

/// Reads a short file; what follows after the longest length is not.
fn short(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LONGEST).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
