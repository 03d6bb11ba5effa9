//! The tree of dependencies holds nothing that `deny.toml` bans, and comes from one registry.

use std::collections::BTreeSet;
use std::fs;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// Returns what stands between quotes after `key = ` in the lines of a file.
fn values(text: &str, key: &str) -> BTreeSet<String> {
    let wanted = format!("{key} = \"");
    text.lines()
        .filter_map(|line| line.split_once(&wanted))
        .filter_map(|(_, rest)| rest.split_once('"'))
        .map(|(value, _)| value.to_owned())
        .collect()
}

/// Returns the names in the list of bans.
fn banned(deny: &str) -> BTreeSet<String> {
    let (_, bans) = deny.split_once("\ndeny = [").expect("deny.toml has a list of bans");
    let (bans, _) = bans.split_once("\n]").expect("the list of bans ends");
    values(bans, "name")
}

#[test]
fn nothing_banned_is_in_the_tree() {
    let deny = fs::read_to_string(format!("{ROOT}/deny.toml")).expect("deny.toml is there");
    let lock = fs::read_to_string(format!("{ROOT}/Cargo.lock")).expect("Cargo.lock is there");
    let (banned, locked) = (banned(&deny), values(&lock, "name"));
    assert!(banned.contains("openssl"), "the bans were not read: {banned:?}");
    assert!(locked.contains("kube"), "the lock was not read");
    let found: Vec<_> = banned.intersection(&locked).collect();
    assert!(found.is_empty(), "banned, `cargo tree -i NAME` says who brings it: {found:?}");
}

#[test]
fn every_dependency_comes_from_one_registry() {
    let lock = fs::read_to_string(format!("{ROOT}/Cargo.lock")).expect("Cargo.lock is there");
    let sources = values(&lock, "source");
    assert_eq!(sources.len(), 1, "{sources:?}");
    assert!(sources.iter().all(|source| source.starts_with("registry+")), "{sources:?}");
}
