//! Where and with what was measured, and what this process has used so far.

use std::fs;
use std::time::Duration;

use nix::time::{ClockId, clock_gettime};

/// The libraries whose versions matter to the figures.
const LIBRARIES: [&str; 7] =
    ["hickory-resolver", "hyper", "internment", "kube", "serde_json", "tikv-jemallocator", "tokio"];

/// Returns a line on the machine, and one on the versions.
pub(crate) fn describe() -> String {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let cpu = read("/proc/cpuinfo");
    let model = cpu.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or("?");
    let cores = cpu.lines().filter(|line| line.starts_with("processor")).count();
    let model = model.trim_start_matches([' ', '\t', ':']);
    let kernel = read("/proc/sys/kernel/osrelease");
    let load = read("/proc/loadavg");
    let load = load.split(' ').next().unwrap_or("?");
    let versions = LIBRARIES.map(|library| format!("{library} {}", version(library)));
    format!(
        "machine: {model}, {cores} cores, Linux {}, load {load}\nversions: netvitals {}, {}",
        kernel.trim(),
        env!("CARGO_PKG_VERSION"),
        versions.join(", ")
    )
}

fn version(library: &str) -> &'static str {
    let lock = include_str!("../../Cargo.lock");
    let package = format!("name = \"{library}\"\nversion = \"");
    let after = lock.split(&package).nth(1).and_then(|rest| rest.split('"').next());
    after.expect("a library of the lock file")
}

/// Returns the processor time of this process, all threads together.
pub(crate) fn cpu() -> Duration {
    clock_gettime(ClockId::CLOCK_PROCESS_CPUTIME_ID).expect("every process has this clock").into()
}

/// Returns a field of `/proc/self/status` that is in kB, in bytes.
pub(crate) fn status(field: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").expect("/proc");
    let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("a field");
    let kilobytes = line.trim_matches([':', ' ', '\t', 'k', 'B']).parse::<f64>();
    kilobytes.expect("a number") * 1024.0
}

/// Returns a counter of `/proc/net/snmp`, of this network namespace.
pub(crate) fn snmp(protocol: &str, counter: &str) -> u64 {
    let snmp = fs::read_to_string("/proc/net/snmp").expect("/proc");
    let mut lines = snmp.lines().filter(|line| line.starts_with(&format!("{protocol}:")));
    let (names, values) = (lines.next().expect("names"), lines.next().expect("values"));
    let at = names.split(' ').position(|name| name == counter).expect("a counter");
    values.split(' ').nth(at).and_then(|value| value.parse().ok()).expect("a number")
}
