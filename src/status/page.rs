//! The page itself, and the one of an agent.

use std::fmt::{self, Write};
use std::time::Duration;

use super::escape::Text;
use crate::check::{Finding, Layer};
use crate::report::text::{Mark, sentence, statement};
use crate::report::{Answer, Report, Verdict, json, remedy, runbook};

/// Findings beyond this many bytes are left to `/v1/report`.
const ENOUGH: usize = 72 * 1024;

/// At most this many findings of one check are listed.
const LISTED: usize = 20;

/// The steps in which a person looks for what is broken.
const STEPS: [Layer; 5] =
    [Layer::Cni, Layer::Connectivity, Layer::Dns, Layer::Service, Layer::External];

/// Returns the page; `age` is that of the report where it is too old to be true.
pub fn write(report: Option<&Report>, stale: Option<Duration>, version: &str) -> String {
    let mut html = String::new();
    let written = match report {
        Some(report) => ladder(&mut html, report, stale),
        None => html.write_str(
            "<p class=\"verdict unknown\">There is no report yet: the first one needs the first \
             lists of the API server.</p>",
        ),
    };
    written.expect("a String takes any text");
    let links =
        [("metrics", "metrics"), ("v1/report", "this report as JSON"), ("livez", "liveness")];
    // Without a report the page loads itself again; with findings it does not, for that would close
    // those that are open.
    let head =
        if report.is_some_and(lists) { "" } else { "<meta http-equiv=\"refresh\" content=\"15\">" };
    around("netvitals", head, &html, &links, version)
}

/// Tells whether there is something to read that a reload would close.
fn lists(report: &Report) -> bool {
    report.answers.iter().any(|answer| !answer.open.is_empty())
}

/// Returns the page of a role that judges nothing.
pub fn landing(about: &str, links: &[(&str, &str)], version: &str) -> String {
    let html =
        format!("<p>{}</p><p>The verdict is on the page of the cluster role.</p>", Text(about));
    around("netvitals agent", "", &html, links, version)
}

fn around(title: &str, head: &str, body: &str, links: &[(&str, &str)], version: &str) -> String {
    let links: Vec<String> = links
        .iter()
        .map(|(path, name)| format!("<a href=\"{}\">{}</a>", Text(path), Text(name)))
        .collect();
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" \
         content=\"width=device-width\">{head}<title>{title}</title><link rel=\"stylesheet\" \
         href=\"status.css\"></head>\n<body><h1>{title}</h1>\n{body}\n<footer>{} · version {}\
         </footer></body></html>\n",
        links.join(" · "),
        Text(version),
    )
}

fn ladder(to: &mut String, report: &Report, stale: Option<Duration>) -> fmt::Result {
    if let Some(age) = stale {
        writeln!(
            to,
            "<p class=\"stale\" role=\"alert\">This report is {} s old and no longer true: the \
             program has stopped to judge. Look at its log and at <a href=\"livez\">livez</a>.</p>",
            age.as_secs()
        )?;
    }
    let class = match report.verdict() {
        Verdict::Healthy => Mark::Good,
        Verdict::Warning => Mark::Warning,
        Verdict::Problem => Mark::Problem,
        Verdict::Unknown => Mark::Unknown,
    };
    writeln!(to, "<p class=\"verdict {}\">{}</p>", class.class(), Text(sentence(report)))?;
    write!(to, "<p>Asked at <time>{}</time>.", json::date(report.at.unix))?;
    if lists(report) {
        write!(to, " <a href=\"\">Reload</a> for a newer report: that closes what is open.")?;
    }
    writeln!(to, "</p>")?;
    steps(to, report)?;
    for (layer, root) in &report.roots {
        writeln!(
            to,
            "<section class=\"root\"><h2>Root cause, at {}: {}</h2>",
            layer.as_str(),
            Text(&root.subject)
        )?;
        detail(to, root)?;
        writeln!(to, "</section>")?;
    }
    for (layer, answers) in report.layers() {
        let layer = layer.as_str();
        writeln!(to, "<h2 id=\"{layer}\">{layer}</h2>\n<ul class=\"checks\">")?;
        for answer in answers {
            check(to, answer)?;
        }
        writeln!(to, "</ul>")?;
    }
    Ok(())
}

/// Writes the five steps; what has no check yet is skipped.
fn steps(to: &mut String, report: &Report) -> fmt::Result {
    writeln!(to, "<ol class=\"steps\">")?;
    for step in STEPS {
        let answers = report.layers().find(|(layer, _)| *layer == step).map(|(_, answers)| answers);
        let mark = answers.unwrap_or_default().iter().map(Mark::of).max().unwrap_or(Mark::Skipped);
        let (name, class) = (step.as_str(), mark.class());
        writeln!(
            to,
            "<li class=\"{class}\"><a href=\"#{name}\"><span class=\"mark\">{}</span> {name}: \
             {class}</a></li>",
            mark.sign()
        )?;
    }
    writeln!(to, "</ol>")
}

fn check(to: &mut String, answer: &Answer) -> fmt::Result {
    let mark = Mark::of(answer);
    writeln!(
        to,
        "<li id=\"{0}\"><span class=\"mark {1}\" title=\"{1}\">{2}</span> <strong>{0}</strong>: {3} \
         <span class=\"question\">{4}</span>",
        answer.check.id,
        mark.class(),
        mark.sign(),
        Text(statement(answer)),
        Text(answer.check.question),
    )?;
    let mut items = String::new();
    for (part, why) in &answer.gaps {
        writeln!(items, "<li>{}: {}: {}</li>", Text(part), why.result(), Text(why))?;
    }
    let mut listed = 0;
    for it in answer.open.iter().take(LISTED) {
        if to.len() + items.len() > ENOUGH {
            break;
        }
        listed += 1;
        let (severity, subject) = (it.finding.code.severity.as_str(), Text(&it.finding.subject));
        write!(items, "<li><details><summary>{severity}: {subject}</summary>")?;
        detail(&mut items, &it.finding)?;
        let since = json::date(it.since.unix);
        writeln!(items, "<p>Since <time>{since}</time>.</p></details></li>")?;
    }
    if let more @ 1.. = answer.open.len() - listed {
        writeln!(items, "<li>{more} more are in <a href=\"v1/report\">the report</a>.</li>")?;
    }
    if !items.is_empty() {
        writeln!(to, "<ul class=\"findings\">{items}</ul>")?;
    }
    writeln!(to, "</li>")
}

fn detail(to: &mut String, finding: &Finding) -> fmt::Result {
    let code = finding.code;
    write!(to, "<p>{}</p><p>", Text(code.explain))?;
    write!(to, "{}: {}</p>", Text(&finding.subject), Text(&finding.message))?;
    let mut commands = remedy::commands(finding).peekable();
    if commands.peek().is_some() {
        write!(to, "<ol class=\"commands\">")?;
        for (remedy, command) in commands {
            write!(to, "<li>{}: <code>{}</code>", remedy.step.as_str(), Text(command))?;
            if !remedy.note.is_empty() {
                write!(to, " ({})", Text(remedy.note))?;
            }
            write!(to, "</li>")?;
        }
        write!(to, "</ol>")?;
    }
    write!(to, "<p><code>{}</code>", code.id)?;
    if let Some(runbook) = runbook::of(code) {
        write!(to, " · <a href=\"runbooks/{runbook}\">runbook</a>")?;
    }
    writeln!(to, "</p>")
}

impl Mark {
    const fn class(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Good => "good",
            Self::Warning => "warning",
            Self::Unknown => "unknown",
            Self::Problem => "problem",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check;
    use crate::cluster::Cluster;
    use crate::fixtures::{at, cluster};
    use crate::report::Past;

    /// Returns the page on facts that have lasted for 100 s.
    fn page(facts: impl Fn() -> Cluster) -> String {
        let (_, past) = Report::evaluate(check::ALL, &facts(), &Past::default());
        let mut facts = facts();
        facts.tick(at(100));
        let (report, _) = Report::evaluate(check::ALL, &facts, &past);
        write(Some(&report), None, "1.2.3")
    }

    /// Every element that is opened is closed, in order.
    fn assert_well_formed(html: &str) {
        let mut open = Vec::new();
        for tag in html.split('<').skip(1).map(|rest| rest.split('>').next().unwrap()) {
            let name = tag.split_whitespace().next().unwrap();
            if let Some(name) = name.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "in {html}");
            } else if !["!doctype", "meta", "link"].contains(&name) {
                open.push(name);
            }
        }
        assert_eq!(open, [""; 0]);
    }

    fn stale(name: &str) -> Cluster {
        let service = format!("shop/{name}");
        cluster().service(&service).slice(&service, &["cart-1"])
    }

    #[test]
    fn the_page_has_the_verdict_the_steps_the_cause_and_the_links() {
        let html = page(|| stale("cart"));
        assert_well_formed(&html);
        for part in [
            "<p class=\"verdict problem\">Broken: service.",
            "<li class=\"problem\"><a href=\"#service\"><span class=\"mark\">✗</span> service: problem",
            "<h2>Root cause, at service: Service shop/cart</h2>",
            "<code>kubectl -n shop ",
            "<a href=\"runbooks/NetvitalsEndpointsMismatch\">runbook</a>",
            "<a href=\"metrics\">metrics</a>",
            "<a href=\"v1/report\">",
            "version 1.2.3",
        ] {
            assert!(html.contains(part), "{part} in {html}");
        }
        assert_eq!(html.matches("<ol class=\"steps\">").count(), 1);
        for step in STEPS {
            assert!(html.contains(&format!("<a href=\"#{}\">", step.as_str())), "{html}");
        }
    }

    #[test]
    fn a_hostile_name_is_text() {
        let html = page(|| stale("\"><script>alert(1)</script><a href='x"));
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "{html}");
        assert_well_formed(&html);
    }

    #[test]
    fn the_page_asks_no_other_server_and_runs_nothing() {
        let html = page(|| stale("cart"));
        for word in ["http://", "https://", "<script", "<style", " style=", "javascript:", " on"] {
            let attribute = html.split('<').map(|rest| rest.split('>').next().unwrap());
            let found = attribute.filter(|tag| tag.contains(word)).collect::<Vec<_>>();
            assert_eq!(found, [""; 0], "{word}");
        }
        assert!(
            !crate::status::STYLE.contains("url(") && !crate::status::STYLE.contains("@import")
        );
    }

    #[test]
    fn a_page_of_many_long_names_stays_small() {
        let facts = || {
            let name = |number| format!("{number:03}{}", "&".repeat(250));
            let services = (0..300).map(name);
            services.fold(cluster(), |facts, name| {
                let service = format!("shop/{name}");
                facts.service(&service).slice(&service, &["cart-1"])
            })
        };
        let html = page(facts);
        assert!(html.len() < 100_000, "{}", html.len());
        assert!(html.contains(" more are in <a href=\"v1/report\">"), "{html}");
        assert_well_formed(&html);
    }

    #[test]
    fn an_old_report_is_shown_with_its_age() {
        let (report, _) = Report::evaluate(check::ALL, &cluster(), &Past::default());
        let html = write(Some(&report), Some(Duration::from_secs(45)), "1");
        assert!(html.contains("role=\"alert\">This report is 45 s old"), "{html}");
        assert!(!write(Some(&report), None, "1").contains("role=\"alert\""));
        assert!(write(None, None, "1").contains("There is no report yet"));
    }

    #[test]
    fn the_page_reloads_itself_only_where_that_closes_nothing() {
        let (healthy, _) = Report::evaluate(&[], &cluster(), &Past::default());
        for (html, itself) in [
            (write(None, None, "1"), true),
            (write(Some(&healthy), None, "1"), true),
            (page(|| stale("cart")), false),
        ] {
            assert_eq!(html.contains("http-equiv=\"refresh\""), itself, "{html}");
            assert_eq!(html.contains("<details>"), !itself, "{html}");
            assert_eq!(html.contains("<a href=\"\">Reload</a>"), !itself, "{html}");
        }
    }

    #[test]
    fn the_page_of_an_agent_has_links_and_no_verdict() {
        let html = landing("Probes from n1 <pod>.", &[("metrics", "metrics")], "1.2.3");
        assert!(html.contains("Probes from n1 &lt;pod&gt;."), "{html}");
        assert!(html.contains("<a href=\"metrics\">metrics</a>"), "{html}");
        assert_well_formed(&html);
    }
}
