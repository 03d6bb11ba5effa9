//! What is read of the machine that an agent runs on: files, and nothing is ever written.

pub mod cgroup;
pub mod readings;
pub mod resolv_conf;

use std::io;
use std::path::Path;

use crate::file;

/// No file that is read here is longer.
const LONGEST: u64 = 64 * 1024;

/// Reads a short file.
fn short(path: &Path) -> io::Result<String> {
    let bytes = file::read(path, LONGEST)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
