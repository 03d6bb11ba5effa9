//! Writes what is made from the rules: the dashboard, and the rules for the Prometheus operator.
//!
//! `cargo run --example render`; a test fails while what is committed is older.

use std::{fs, io};

#[path = "../alerts/rules.rs"]
#[allow(dead_code, reason = "the test bed uses the rest")]
mod rules;

mod render;

fn main() -> io::Result<()> {
    for (path, text) in render::files() {
        fs::write(path, text)?;
    }
    Ok(())
}
