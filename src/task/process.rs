//! The process itself: its version, and what the kernel says it uses.

use std::fs;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use nix::sys::resource::{Resource, UsageWho, getrlimit, getrusage};
use nix::sys::time::TimeValLike;

use crate::family::{Desc, Family, Rows};

/// The families of the process; their names are those of every exporter, without a prefix.
pub static FAMILIES: &[Desc] = &[
    BUILD.desc(),
    RELOADED.desc(),
    CPU.desc(),
    RESIDENT.desc(),
    VIRTUAL.desc(),
    FILES.desc(),
    MOST_FILES.desc(),
    START.desc(),
    THREADS.desc(),
];

static BUILD: Family<2> = Family::gauge(
    "netvitals_build_info",
    "The version of this program; always 1.",
    ["version", "revision"],
);

static RELOADED: Family<0> = Family::gauge(
    "netvitals_config_last_reload_successful",
    "Whether the configuration was valid when it was last read; else the one before is in use.",
    [],
);

static CPU: Family<0> =
    Family::counter("process_cpu_seconds_total", "Processor time used, in seconds.", []);

static RESIDENT: Family<0> =
    Family::gauge("process_resident_memory_bytes", "Resident memory, in bytes.", []);

static VIRTUAL: Family<0> =
    Family::gauge("process_virtual_memory_bytes", "Virtual memory, in bytes.", []);

static FILES: Family<0> = Family::gauge("process_open_fds", "Open file descriptors.", []);

static MOST_FILES: Family<0> =
    Family::gauge("process_max_fds", "Most file descriptors that may be open.", []);

static START: Family<0> = Family::gauge(
    "process_start_time_seconds",
    "When the process started, in seconds since 1970.",
    [],
);

static THREADS: Family<0> = Family::gauge("process_threads", "Threads of the process.", []);

/// The version of the package.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit that was built, where the build said so by `NETVITALS_REVISION`, as `make image`
/// does; else empty, which Prometheus takes for absent.
pub const REVISION: &str = match option_env!("NETVITALS_REVISION") {
    Some(revision) => revision,
    None => "",
};

static STARTED: LazyLock<Duration> = LazyLock::new(|| {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO)
});

/// Notes the time as that of the start; only the first call does.
pub fn start() {
    LazyLock::force(&STARTED);
}

/// Whether the last reading of the configuration failed; the first one ends the process.
static MISREAD: AtomicBool = AtomicBool::new(false);

/// Notes whether the configuration was valid when it was read again.
pub fn reloaded(valid: bool) {
    MISREAD.store(!valid, Ordering::Relaxed);
}

/// Reads what the process uses now. What cannot be read is absent.
pub fn rows() -> Rows {
    let mut rows = Rows::default();
    rows.push(&BUILD, [VERSION, REVISION], 1.0);
    rows.push(&RELOADED, [], f64::from(u8::from(!MISREAD.load(Ordering::Relaxed))));
    rows.push(&START, [], STARTED.as_secs_f64());
    if let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) {
        let micros = (usage.user_time() + usage.system_time()).num_microseconds();
        rows.push(&CPU, [], micros as f64 / 1e6);
    }
    if let Ok((most, _)) = getrlimit(Resource::RLIMIT_NOFILE) {
        rows.push(&MOST_FILES, [], most as f64);
    }
    if let Ok(files) = fs::read_dir("/proc/self/fd") {
        // One of them is the folder that is being read.
        rows.push(&FILES, [], files.count().saturating_sub(1) as f64);
    }
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    for (family, field, unit) in
        [(&RESIDENT, "VmRSS", 1024.0), (&VIRTUAL, "VmSize", 1024.0), (&THREADS, "Threads", 1.0)]
    {
        if let Some(value) = read(&status, field) {
            rows.push(family, [], value * unit);
        }
    }
    rows
}

/// Reads a field of `/proc/self/status`.
fn read(status: &str, field: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'))?;
    line.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::page::{Format, write};

    #[test]
    fn every_family_has_a_likely_value() {
        start();
        let page = write(&[&rows()], Format::Text);
        let value = |name: &str| -> f64 {
            let line = page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            line.unwrap_or_else(|| panic!("{name} in {page}")).parse().unwrap()
        };
        assert!(page.contains(&format!(
            "netvitals_build_info{{version=\"{VERSION}\",revision=\"{REVISION}\"}} 1\n"
        )));
        assert!((1e6..1e10).contains(&value("process_resident_memory_bytes")));
        assert!(value("process_virtual_memory_bytes") >= value("process_resident_memory_bytes"));
        assert!((3.0..=value("process_max_fds")).contains(&value("process_open_fds")));
        assert!(value("process_threads") >= 1.0);
        assert!(value("process_start_time_seconds") > 1.7e9);
        assert!((0.0..3600.0).contains(&value("process_cpu_seconds_total")));
        assert_eq!(page.matches("# TYPE").count(), FAMILIES.len());
    }
}
