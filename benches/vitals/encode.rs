//! A page of 100,000 series, in both formats.

use netvitals::family::{Family, Rows};
use netvitals::page::{Format, write};

use super::child::do_not_stay;
use super::figure::Figure;
use super::machine::cpu;

const SERIES: usize = 100_000;

/// The best of so many, because nothing makes it faster than it is.
const RUNS: usize = 5;

static FAMILY: Family<3> = Family::gauge(
    "netvitals_bench_ratio",
    "As wide as the widest family.",
    ["namespace", "service", "class"],
);

pub(crate) fn measure() -> Vec<Figure> {
    do_not_stay();
    let mut rows = Rows::default();
    for n in 0..SERIES {
        let (namespace, service) = (format!("team-{:03}", n % 200), format!("checkout-{n:06}"));
        rows.push(&FAMILY, [&namespace, &service, "missing"], n as f64 / SERIES as f64);
    }
    let mut figures = Vec::new();
    for (format, name) in [(Format::Text, "text 0.0.4"), (Format::OpenMetrics, "OpenMetrics")] {
        let mut best = f64::INFINITY;
        let mut length = 0;
        for _ in 0..RUNS {
            let before = cpu();
            let page = write(&[&rows], format);
            best = best.min((cpu() - before).as_secs_f64());
            assert_eq!(page.lines().filter(|line| !line.starts_with('#')).count(), SERIES);
            length = page.len();
        }
        let figure = |what: &str, value, unit: &str| {
            Figure::new(&format!("page of {SERIES} series, {name}: {what}"), value, unit)
        };
        figures.push(figure("CPU", best * 1e9 / SERIES as f64, "ns/series"));
        figures.push(figure("size", length as f64 / 1e6, "MB"));
    }
    figures
}
