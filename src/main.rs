//! The program: reads its command line, begins to log, runs a role.

use std::process::ExitCode;

use netvitals::role::reload::Reload;
use netvitals::{args, log, role};

// A static glibc keeps what it once took.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// The command line, the environment or the file is wrong, as with clap's own errors.
const USAGE: u8 = 2;

fn main() -> ExitCode {
    let fail = |code: u8| {
        move |error: String| {
            eprintln!("netvitals: {error}");
            ExitCode::from(code)
        }
    };
    let run = || {
        let command = args::read().map_err(fail(USAGE))?;
        let directives = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
        let (level, form) = command.log;
        let set_level = log::start(level, form, directives).map_err(fail(USAGE))?;
        if command.check {
            println!("the configuration is valid");
            return Ok(ExitCode::SUCCESS);
        }
        role::run(command, &Reload { read: args::read_again, set_level }).map_err(fail(1))
    };
    run().unwrap_or_else(|code| code)
}
