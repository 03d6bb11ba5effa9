//! Files of the machine that an agent runs on: they are read, and nothing is ever written.

use std::io;
use std::path::Path;

use crate::file;

/// No file that is read here is longer.
const LONGEST: u64 = 64 * 1024;

/// Reads a short file.
///
/// # Errors
///
/// As [`file::read`].
pub fn short(path: &Path) -> io::Result<String> {
    let bytes = file::read(path, LONGEST)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
