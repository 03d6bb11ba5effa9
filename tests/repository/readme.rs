//! The README's tables are what the program has, and its links lead somewhere.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use netvitals::check;
use netvitals::family::{Desc, Type};
use netvitals::{report, role};

const README: &str = "README.md";

fn checks() -> String {
    let mut table = "| layer | check | question | codes |\n|---|---|---|---|\n".to_owned();
    for check in check::ALL {
        let code = |code: &&check::Code| {
            let case = code.id.strip_prefix(check.id).unwrap_or(code.id);
            format!("`{case}` {}", code.severity.as_str())
        };
        let codes: Vec<String> = check.codes.iter().map(code).collect();
        table += &format!(
            "| {} | `{}` | {} | {} |\n",
            check.layer.as_str(),
            check.id,
            check.question,
            codes.join(", ")
        );
    }
    table
}

fn metrics(families: impl Iterator<Item = &'static Desc>) -> String {
    let families: BTreeMap<&str, &Desc> = families.map(|desc| (desc.name, desc)).collect();
    let mut table = "| metric | type | labels | what it says |\n|---|---|---|---|\n".to_owned();
    for desc in families.values() {
        let ty = match desc.ty {
            Type::Gauge => "gauge",
            Type::Counter => "counter",
            Type::Histogram(_) => "histogram",
        };
        let labels: Vec<String> = desc.labels.iter().map(|label| format!("`{label}`")).collect();
        table += &format!("| `{}` | {ty} | {} | {} |\n", desc.name, labels.join(", "), desc.help);
    }
    table
}

/// Returns the README with `table` between the marks that are called `name`.
fn with(readme: &str, name: &str, table: &str) -> String {
    let mark = format!(
        "<!-- {name}: written by UPDATE_GOLDEN=1 cargo test --test repository readme -->\n"
    );
    let end = format!("<!-- end of {name} -->");
    let (before, rest) = readme.split_once(&mark).unwrap_or_else(|| panic!("no mark {name}"));
    let (_, after) = rest.split_once(&end).unwrap_or_else(|| panic!("no end of {name}"));
    format!("{before}{mark}{table}{end}{after}")
}

#[test]
fn the_tables_are_what_the_program_has() {
    let readme = fs::read_to_string(README).expect("a file of this repository");
    let mut expected = with(&readme, "checks", &checks());
    expected = with(&expected, "measured", &metrics(role::checked()));
    expected = with(&expected, "report", &metrics(report::families()));
    expected = with(&expected, "live", &metrics(role::live()));
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(README, &expected).expect("a file of this repository");
        return;
    }
    let differs = readme.lines().zip(expected.lines()).find(|(is, should)| is != should);
    assert!(
        readme == expected,
        "run UPDATE_GOLDEN=1 cargo test --test repository readme: {differs:?}"
    );
}

#[test]
fn links_and_named_files_are_there() {
    for document in [README, "CONTRIBUTING.md", "CHANGELOG.md"] {
        let text = fs::read_to_string(document).expect("a file of this repository");
        let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let named = text.split('`').skip(1).step_by(2).filter(|word| {
            ["src/", "tests/", "alerts/", "dashboards/", "deploy/"]
                .iter()
                .any(|room| word.starts_with(room))
        });
        for path in links.chain(named).filter(|path| !path.contains("://") && !path.contains('<')) {
            assert!(Path::new(path).exists(), "{document} names {path}");
        }
    }
}

#[test]
fn the_commands_of_the_first_lines_are_there() {
    let readme = fs::read_to_string(README).expect("a file of this repository");
    let head: String = readme.lines().take(12).collect();
    assert!(head.contains("cargo run --release -- demo") && head.contains("make test"), "{head}");
    let makefile = fs::read_to_string("Makefile").expect("a file of this repository");
    for text in
        [&readme, &fs::read_to_string("CONTRIBUTING.md").expect("a file of this repository")]
    {
        let commands = text.split("make ").skip(1).map(|rest| {
            rest.chars().take_while(|char| char.is_ascii_lowercase() || *char == '-').collect()
        });
        let targets = ["lint", "test", "e2e", "image", "bench", "tools", "cluster"];
        for target in commands.filter(|word: &String| targets.contains(&word.as_str())) {
            assert!(makefile.contains(&format!("\n{target}:")), "make {target}");
        }
    }
}
