//! The program: reads its command line, begins to log, runs a role.

use std::io::{self, Write};
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
    let code = run().unwrap_or_else(|(code, error)| {
        log::tell(format_args!("netvitals: {error}"));
        ExitCode::from(code)
    });
    log::flush();
    code
}

fn run() -> Result<ExitCode, (u8, String)> {
    let usage = |error| (USAGE, error);
    let command = args::read().map_err(usage)?;
    let directives = std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty());
    let (level, form) = command.log;
    let set_level = log::start(level, form, directives).map_err(usage)?;
    if command.check {
        // It is as valid where no reader is left: the exit code says so too.
        _ = writeln!(io::stdout(), "the configuration is valid");
        return Ok(ExitCode::SUCCESS);
    }
    let reload = Reload { read: args::read_again, set_level };
    role::run(command, &reload).map_err(|error| (1, error))
}
