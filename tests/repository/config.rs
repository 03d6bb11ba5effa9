//! The configuration file: every valid one is read, every bad one is refused in one known line.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Checks `file` for both roles, and returns what the one that refuses it says, if one does.
#[expect(clippy::disallowed_methods, reason = "the test runs the exporter")]
fn check(file: &Path) -> Option<Output> {
    let run = |role: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netvitals"));
        command.env_clear().args(role).arg("--config.check").arg("--config.file").arg(file);
        command.output().expect("the program runs")
    };
    [run(&["agent"]), run(&["cluster"])].into_iter().find(|output| !output.status.success())
}

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder of this repository");
    let files = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> =
        files.filter(|path| path.extension().is_some_and(|end| end == "yaml")).collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} has no file");
    files
}

#[test]
fn valid_files_are_read() {
    for file in files("tests/config/valid") {
        let refused =
            check(&file).map(|output| String::from_utf8_lossy(&output.stderr).into_owned());
        assert_eq!(refused, None, "{}", file.display());
    }
}

#[test]
fn every_bad_file_is_refused_in_one_line_that_names_the_place() {
    for file in files("tests/config/invalid") {
        let output = check(&file).unwrap_or_else(|| panic!("{} is taken", file.display()));
        let text = String::from_utf8(output.stderr).expect("text");
        let expected = file.with_extension("expect.txt");
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&expected, &text).expect("a file of this repository");
        }
        let expected = fs::read_to_string(&expected)
            .unwrap_or_else(|error| panic!("{}: {error}", expected.display()));
        assert_eq!(text, expected);
        assert_eq!(output.status.code(), Some(2), "{text}");
        assert_eq!((text.lines().count(), &*output.stdout), (1, b"".as_slice()), "{text}");
    }
}
