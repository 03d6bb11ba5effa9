//! The program and its roles as they run: on the command line, against servers on loopback, in paused time.
//!
//! One binary, because each is linked for a second or more: `cargo test --test program watching` runs the tests of one
//! module.

mod agent;
mod cli;
mod demo;
mod from_api_to_report;
mod watching;
