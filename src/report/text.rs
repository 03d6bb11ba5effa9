//! A report as text for a terminal: a ladder in debug order, and what to repair first.

use std::fmt::{self, Write};

use super::{Answer, Report, Source, Verdict, json, remedy};
use crate::check::{Finding, Severity};
use crate::model::Unanswered;

/// At most this many findings of a check are printed; the page and JSON have more.
const SHOWN: usize = 5;

/// Where the answers begin; a longer name of a check moves its own line alone.
const WIDTH: usize = 22;

/// How a terminal likes its text.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Style {
    /// Whether marks are coloured.
    pub color: bool,
    /// Whether marks are letters and signs of ASCII.
    pub ascii: bool,
}

impl Style {
    /// Reads what the environment says of the output; `var` returns its variables.
    pub fn of(is_terminal: bool, var: impl Fn(&str) -> Option<String>) -> Self {
        let var = |name: &str| var(name).filter(|value| !value.is_empty());
        let forced = var("CLICOLOR_FORCE").is_some_and(|value| value != "0");
        let able = is_terminal && var("TERM").is_none_or(|term| term != "dumb");
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(var);
        let utf8 = locale.is_some_and(|locale| {
            let locale = locale.to_ascii_lowercase();
            locale.contains("utf-8") || locale.contains("utf8")
        });
        Self { color: var("NO_COLOR").is_none() && (forced || able), ascii: !utf8 }
    }
}

/// What stands before a check, and on the page at each step.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Mark {
    /// There is nothing to ask.
    Skipped,
    /// Nothing above Info.
    Good,
    /// Warnings.
    Warning,
    /// No answer.
    Unknown,
    /// Problems.
    Problem,
}

impl Mark {
    /// Returns the mark of one answer.
    pub fn of(answer: &Answer) -> Self {
        let blind = answer.gaps.iter().any(|(_, why)| matches!(why, Unanswered::Unknown(_)));
        let worst = answer.open.iter().map(|it| it.finding.code.severity).max();
        match (answer.result, worst) {
            (Err(Unanswered::Skipped(_)), _) => Self::Skipped,
            (Err(Unanswered::Unknown(_)), _) => Self::Unknown,
            (Ok(()), Some(Severity::Problem)) => Self::Problem,
            (Ok(()), _) if blind => Self::Unknown,
            (Ok(()), Some(Severity::Warning)) => Self::Warning,
            (Ok(()), Some(Severity::Info) | None) => Self::Good,
        }
    }

    /// Returns the sign, which says the same without its colour.
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Skipped => "–",
            Self::Good => "✓",
            Self::Warning => "!",
            Self::Unknown => "?",
            Self::Problem => "✗",
        }
    }

    const fn ascii(self) -> &'static str {
        match self {
            Self::Skipped => "-",
            Self::Good => "+",
            Self::Problem => "x",
            Self::Warning | Self::Unknown => self.sign(),
        }
    }

    const fn color(self) -> &'static str {
        match self {
            Self::Skipped => "\x1b[2m",
            Self::Good => "\x1b[32m",
            Self::Warning | Self::Unknown => "\x1b[33m",
            Self::Problem => "\x1b[31m",
        }
    }
}

impl Verdict {
    /// Returns the code with which a program that only reports ends.
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Healthy | Self::Warning => 0,
            Self::Problem => 1,
            Self::Unknown => 3,
        }
    }
}

/// Returns the verdict as a sentence.
pub fn sentence(report: &Report) -> String {
    let count = |mark: Mark| report.answers.iter().filter(|it| Mark::of(it) == mark).count();
    let (warned, unknown) = (count(Mark::Warning), count(Mark::Unknown));
    let blind = match unknown {
        0 => String::new(),
        1 => " One check has no full answer.".to_owned(),
        more => format!(" {more} checks have no full answer."),
    };
    let silence = silence(report);
    match report.verdict() {
        Verdict::Healthy => {
            "Healthy: every check that applies was answered, and nothing is wrong.".to_owned()
        }
        Verdict::Warning => {
            let checks = if warned == 1 { "one check warns" } else { "some checks warn" };
            format!("Nothing is broken, but {checks}.")
        }
        Verdict::Unknown if report.is_refused() => format!("Inconclusive: {REFUSED}."),
        Verdict::Unknown => format!("Inconclusive.{blind}{silence}"),
        Verdict::Problem => {
            let broken = report.layers().filter(|(_, answers)| {
                answers.iter().any(|answer| Mark::of(answer) == Mark::Problem)
            });
            let names: Vec<&str> = broken.map(|(layer, _)| layer.as_str()).collect();
            format!("Broken: {}.{blind}{silence}", names.join(", "))
        }
    }
}

/// What is said where the API refuses all that is watched.
pub const REFUSED: &str = "the Kubernetes API refuses netvitals everything (403): apply the \
                           ClusterRole and the ClusterRoleBinding of its chart to its \
                           ServiceAccount";

/// Says which kinds have fallen silent, and of when all that is said of them is.
fn silence(report: &Report) -> String {
    let names: Vec<&str> = report.silent().map(Source::name).collect();
    let proofs = report.silent().filter_map(|source| source.freshness.proved);
    let Some(since) = proofs.map(|proved| proved.unix).min() else { return String::new() };
    let watched = report.sources.iter().filter(|source| source.kind.is_some()).count();
    let what = if names.len() == watched { "the API".to_owned() } else { names.join(", ") };
    format!(" No word from {what} since {}: what is said of it is of then.", json::date(since))
}

/// Returns what one check says, in a few words.
pub fn statement(answer: &Answer) -> String {
    if let Err(why) = answer.result {
        return format!("{}: {why}", why.result());
    }
    let mut said = Vec::new();
    for (severity, one, more) in [
        (Severity::Problem, "problem", "problems"),
        (Severity::Warning, "warning", "warnings"),
        (Severity::Info, "note", "notes"),
    ] {
        let found = answer.open.iter().filter(|it| it.finding.code.severity == severity).count();
        if found > 0 {
            said.push(format!("{found} {}", if found == 1 { one } else { more }));
        }
    }
    if answer.omitted > 0 {
        said.push(format!("{} more that are not listed", answer.omitted));
    }
    if !answer.pending.is_empty() {
        said.push(format!("{} seen, not yet for long enough to count", answer.pending.len()));
    }
    match (said.join(", "), answer.statement.as_str()) {
        (found, statement) if found.is_empty() => statement.to_owned(),
        (found, statement) => format!("{found}: {statement}"),
    }
}

/// Returns the whole report.
pub fn write(report: &Report, style: Style) -> String {
    let mut text = String::new();
    ladder(&mut text, report, style).expect("a String takes any text");
    text
}

fn ladder(to: &mut String, report: &Report, style: Style) -> fmt::Result {
    writeln!(to, "{} ({})", sentence(report), json::date(report.at.unix))?;
    for (layer, answers) in report.layers() {
        writeln!(to, "\n{}", layer.as_str())?;
        for answer in answers {
            let (mark, id) = (marked(Mark::of(answer), style), answer.check.id);
            writeln!(to, "  {mark} {id:WIDTH$}  {}", plain(&statement(answer)))?;
            for (part, why) in &answer.gaps {
                writeln!(to, "      {part}: {}: {}", why.result(), plain(&why.to_string()))?;
            }
            for it in answer.open.iter().take(SHOWN) {
                writeln!(to, "      {}", one_line(&it.finding))?;
            }
            if let more @ 1.. = answer.open.len().saturating_sub(SHOWN) {
                writeln!(to, "      and {more} more")?;
            }
        }
    }
    for (layer, root) in &report.roots {
        let (code, subject) = (root.code.id, plain(&root.subject.to_string()));
        writeln!(to, "\nRoot cause, at {}: {code}, {subject}", layer.as_str())?;
        writeln!(to, "  {}\n  {}", root.code.explain, one_line(root))?;
        for (number, (remedy, command)) in (1..).zip(remedy::commands(root)) {
            writeln!(to, "  {number}. {:7}  {}", remedy.step.as_str(), plain(&command))?;
            if !remedy.note.is_empty() {
                writeln!(to, "              ({})", remedy.note)?;
            }
        }
    }
    Ok(())
}

fn one_line(finding: &Finding) -> String {
    plain(&format!("{}: {}", finding.subject, finding.message))
}

fn marked(mark: Mark, style: Style) -> String {
    let sign = if style.ascii { mark.ascii() } else { mark.sign() };
    if style.color { format!("{}{sign}\x1b[0m", mark.color()) } else { sign.to_owned() }
}

/// Drops what a terminal would obey: messages hold names that anyone may give.
fn plain(text: &str) -> String {
    text.chars().map(|char| if char.is_control() { '\u{fffd}' } else { char }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;
    use crate::cluster::{Cluster, Settings};
    use crate::fixtures::{at, cluster};
    use crate::report::Past;

    const PLAIN: Style = Style { color: false, ascii: false };

    static CHECKS: &[&check::Check] =
        &[&check::dns::dns_success::CHECK, &check::service::endpoint_mismatch::CHECK];

    /// Returns the report on facts that have lasted for 100 s.
    fn report(facts: impl Fn() -> Cluster) -> Report {
        let (_, past) = Report::evaluate(CHECKS, &facts(), &Past::default());
        let mut facts = facts();
        facts.tick(at(100));
        facts.prove();
        Report::evaluate(CHECKS, &facts, &past).0
    }

    fn stale() -> Cluster {
        cluster().service("shop/cart").slice("shop/cart", &["cart-1"])
    }

    #[test]
    fn the_ladder_ends_with_the_root_cause_and_numbered_commands() {
        let text = write(&report(stale), PLAIN);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[0],
            "Broken: service. One check has no full answer. (2027-01-15T08:01:40Z)"
        );
        assert!(lines.contains(&"dns"), "{text}");
        assert!(
            lines
                .iter()
                .any(|line| line.starts_with(&format!("  ? {:WIDTH$}  unknown: ", "dns_success")))
        );
        let broken = format!("  ✗ {:WIDTH$}  1 problem: ", "endpoint_mismatch");
        assert!(lines.iter().any(|line| line.starts_with(&broken)), "{text}");
        assert!(lines.iter().any(|line| line.starts_with("      Service shop/cart: ")), "{text}");
        let root = lines.iter().position(|line| line.starts_with("Root cause")).unwrap();
        assert_eq!(
            lines[root],
            "Root cause, at service: endpoint_mismatch.stale, Service shop/cart"
        );
        assert!(lines[root + 3].starts_with("  1. inspect  kubectl -n shop "), "{text}");
    }

    #[test]
    fn a_pending_finding_is_said_and_does_not_count() {
        let (report, _) = Report::evaluate(CHECKS, &stale(), &Past::default());
        let said = statement(&report.answers[1]);
        assert_eq!(
            said,
            "1 seen, not yet for long enough to count: 0 of 1 Service as their pods are, of 0 pods"
        );
        assert_eq!(Mark::of(&report.answers[1]), Mark::Good);
    }

    #[test]
    fn healthy_and_skipped_have_their_marks() {
        let text = write(
            &report(|| cluster().service("kube-system/kube-dns").after(100).agent("n1", 100, 0)),
            PLAIN,
        );
        let good = format!("✓ {:WIDTH$}  100 % of 100 queries from 1 node, ", "dns_success");
        assert!(text.contains(&good), "{text}");
        assert!(text.starts_with("Healthy: every check"), "{text}");
        let none = || Settings { agents: None, ..Settings::default() };
        let text = write(&report(|| Cluster::new(none())), PLAIN);
        let skipped = format!("– {:WIDTH$}  skipped: ", "dns_success");
        assert!(text.contains(&skipped), "{text}");
    }

    #[test]
    fn color_and_ascii_change_the_marks_only() {
        let style = Style { color: true, ascii: true };
        let text = write(&report(stale), style);
        assert!(text.contains("\x1b[31mx\x1b[0m endpoint_mismatch"), "{text}");
        let bare = text.replace("\x1b[31m", "").replace("\x1b[33m", "").replace("\x1b[0m", "");
        let plain = write(&report(stale), PLAIN);
        assert_eq!(bare.replace("  x ", "  ✗ "), plain);
    }

    #[test]
    fn a_terminal_obeys_no_name() {
        let hostile = || cluster().service("shop/\x1b[2J\n").slice("shop/\x1b[2J\n", &["a-1"]);
        let text = write(&report(hostile), PLAIN);
        assert!(!text.contains('\x1b'), "{text:?}");
        assert!(text.contains("Service shop/\u{fffd}[2J\u{fffd}: "), "{text:?}");
    }

    #[test]
    fn the_environment_is_honoured() {
        let style = |terminal, vars: &[(&str, &str)]| {
            Style::of(terminal, |name| {
                vars.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        let utf8 = ("LANG", "en_US.UTF-8");
        for (terminal, vars, color, ascii) in [
            (true, [utf8].as_slice(), true, false),
            (false, &[utf8], false, false),
            (true, &[utf8, ("NO_COLOR", "1")], false, false),
            (true, &[utf8, ("NO_COLOR", "")], true, false),
            (true, &[utf8, ("TERM", "dumb")], false, false),
            (false, &[("CLICOLOR_FORCE", "1")], true, true),
            (true, &[("LC_ALL", "C"), utf8], true, true),
            (true, &[], true, true),
        ] {
            assert_eq!(style(terminal, vars), Style { color, ascii }, "{vars:?}");
        }
    }

    #[test]
    fn the_exit_code_follows_the_verdict() {
        let codes = [Verdict::Healthy, Verdict::Warning, Verdict::Problem, Verdict::Unknown]
            .map(Verdict::exit_code);
        assert_eq!(codes, [0, 0, 1, 3]);
    }
}
