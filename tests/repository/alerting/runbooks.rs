//! The commands of the runbooks, as a person pastes them.

use std::collections::BTreeSet;
use std::process::Command;

use netvitals::status::runbooks;

/// What says which names a runbook takes from the shell.
const SET_FIRST: &str = "so set these first: ";

/// The lines of a runbook that are for a shell: blocks, and words in a sentence that call kubectl.
fn commands(text: &str) -> Vec<&str> {
    let blocks = || text.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let sentences =
        text.split("```").step_by(2).flat_map(|text| text.split('`').skip(1).step_by(2));
    let called = sentences.filter(|words| words.starts_with("kubectl ") && !words.contains("..."));
    let lines = blocks().flat_map(str::lines).map(str::trim).filter(|line| !line.is_empty());
    lines.chain(called).collect()
}

/// The names that a command takes from the shell.
fn taken(command: &str) -> impl Iterator<Item = &str> {
    let names = command.split('$').skip(1).map(|rest| rest.trim_start_matches('{'));
    let names = names.map(|rest| {
        let end = rest.find(|char: char| !char.is_ascii_uppercase() && char != '_');
        &rest[..end.unwrap_or(rest.len())]
    });
    names.filter(|name| !name.is_empty())
}

#[test]
fn a_runbook_names_what_its_commands_take_from_the_shell() {
    for (name, text) in runbooks::ALL {
        let taken: BTreeSet<&str> = commands(text).into_iter().flat_map(taken).collect();
        let said = text.split(SET_FIRST).nth(1).and_then(|rest| rest.split("\n\n").next());
        let upper = |word: &&str| word.chars().all(|char| char.is_ascii_uppercase() || char == '_');
        let said: BTreeSet<&str> =
            said.unwrap_or_default().split('`').skip(1).step_by(2).filter(upper).collect();
        assert_eq!(taken, said, "{name}");
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "a shell itself says what it takes")]
fn a_runbook_has_no_command_with_something_to_fill_in() {
    for (name, text) in runbooks::ALL {
        for command in commands(text) {
            // A shell that is typed into has no comments in zsh, and angle brackets open files.
            let open = command.contains(['<', '>', '#']);
            let words = command.split_whitespace().filter(|word| !word.contains(['$', ':', '\'']));
            let mut parts = words.flat_map(|word| word.split('=')).filter(|part| part.len() > 2);
            let hole = parts.find(|part| {
                part.chars().all(|char| char.is_ascii_uppercase() || char == '-')
                    && part.chars().any(|char| char.is_ascii_uppercase())
                    && *part != "CLUSTER-IP"
            });
            assert!(!open && hole.is_none(), "{name}: {command}");
            let parsed = Command::new("bash").args(["-n", "-c", command]).status().expect("bash");
            assert!(parsed.success(), "{name}: {command}");
        }
    }
}
