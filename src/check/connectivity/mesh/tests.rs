use super::*;

/// A mesh of nodes n0, n1, … of which each tries all others.
fn mesh(size: usize, fails: impl Fn(usize, usize) -> bool) -> Mesh {
    let name = |node: usize| Name::from(format!("n{node}"));
    let targets = |from| {
        let others = (0..size).filter(move |to| *to != from);
        others.map(|to| (name(to), fails(from, to))).collect()
    };
    Mesh((0..size).map(|from| (name(from), targets(from))).collect())
}

fn names(names: &BTreeSet<Name>) -> Vec<&str> {
    names.iter().map(|name| &**name).collect()
}

/// What is expected: unreachable, one way, quarrel.
type Expected = [&'static [&'static str]; 3];

#[test]
fn whoever_is_at_fault_is_named_and_nobody_else() {
    type Fails = fn(usize, usize) -> bool;
    const NOBODY: Expected = [&[], &[], &[]];
    let cases: [(&str, usize, Fails, Expected); 21] = [
        ("nobody fails", 2, |_, _| false, NOBODY),
        ("nobody fails", 10, |_, _| false, NOBODY),
        ("a pair", 2, |_, _| true, [&[], &[], &["n0", "n1"]]),
        ("one direction of a pair", 2, |from, _| from == 0, [&[], &["n0"], &[]]),
        ("one of three is isolated", 3, |from, to| from == 2 || to == 2, [&["n2"], &[], &[]]),
        (
            "two of three are, so nobody reaches anybody",
            3,
            |_, _| true,
            [&[], &[], &["n0", "n1", "n2"]],
        ),
        (
            "one of three is not reached, and reaches others",
            3,
            |_, to| to == 2,
            [&["n2"], &[], &[]],
        ),
        (
            "one of three reaches nobody, and is reached",
            3,
            |from, _| from == 2,
            [&[], &["n2"], &[]],
        ),
        ("one directed path of three", 3, |from, to| (from, to) == (0, 2), NOBODY),
        ("both directions of one path of three", 3, |from, to| from + to == 2, NOBODY),
        ("one of four", 4, |from, to| from == 3 || to == 3, [&["n3"], &[], &[]]),
        ("two of four", 4, |from, to| from > 1 || to > 1, [&["n2", "n3"], &[], &[]]),
        (
            "four in halves",
            4,
            |from, to| (from < 2) != (to < 2),
            [&[], &[], &["n0", "n1", "n2", "n3"]],
        ),
        ("one directed path of four", 4, |from, to| (from, to) == (0, 2), NOBODY),
        ("one of four is not reached", 4, |_, to| to == 1, [&["n1"], &[], &[]]),
        (
            "two of five are cut off together",
            5,
            |from, to| (from < 2) != (to < 2),
            [&["n0", "n1"], &[], &[]],
        ),
        ("one of ten", 10, |from, to| from == 9 || to == 9, [&["n9"], &[], &[]]),
        ("two of ten", 10, |from, to| from > 7 || to > 7, [&["n8", "n9"], &[], &[]]),
        (
            "three of ten are cut off together",
            10,
            |from, to| (from < 3) != (to < 3),
            [&["n0", "n1", "n2"], &[], &[]],
        ),
        (
            "half of ten are isolated",
            10,
            |from, to| from > 4 || to > 4,
            [&["n5", "n6", "n7", "n8", "n9"], &[], &[]],
        ),
        (
            "one of ten reaches nobody, another is not reached",
            10,
            |from, to| from == 1 || to == 5,
            [&["n5"], &["n1"], &[]],
        ),
    ];
    for (what, size, fails, expected) in cases {
        let judgement = mesh(size, fails).judge();
        let found = [&judgement.unreachable, &judgement.one_way, &judgement.quarrel].map(names);
        assert_eq!(found, expected, "{what} of {size}");
    }
}

#[test]
fn two_thirds_of_many_observers_have_to_agree() {
    for (failing, found) in [(5, false), (6, true), (9, true)] {
        let judgement = mesh(10, |from, to| to == 9 && from < failing).judge();
        assert_eq!(judgement.unreachable.contains(&Name::from("n9")), found, "{failing} of 9");
        assert_eq!(judgement.observers[&Name::from("n9")], Observers { all: 9, failing });
    }
}

#[test]
fn the_word_of_a_suspect_does_not_count() {
    let judgement = mesh(4, |from, to| from == 3 || to == 3).judge();
    assert_eq!(judgement.observers[&Name::from("n0")], Observers { all: 2, failing: 0 });
    assert_eq!(judgement.observers[&Name::from("n3")], Observers { all: 3, failing: 3 });
}

#[test]
fn an_isolated_node_is_found_whatever_its_own_agent_said_last() {
    // The agent on n2 is asked no more: it is silent, or what it said is from before.
    let before = mesh(3, |from, to| to == 2 && from != 2);
    assert_eq!(names(&before.judge().unreachable), ["n2"]);
    let mut silent = mesh(3, |_, to| to == 2);
    silent.0.remove(&Name::from("n2"));
    assert_eq!(names(&silent.judge().unreachable), ["n2"]);
    let only = |node: &str| (Name::from(node), BTreeMap::from([("n2".into(), true)]));
    let two = Mesh([only("n0"), only("n1")].into());
    assert_eq!(names(&two.judge().unreachable), ["n2"]);
    let mut pair = mesh(2, |_, _| true);
    pair.0.remove(&Name::from("n1"));
    assert_eq!(names(&pair.judge().quarrel), ["n0", "n1"]);
    // Who has looked at nothing yet can say nothing.
    pair.0.insert("n1".into(), BTreeMap::new());
    assert_eq!(names(&pair.judge().quarrel), ["n0", "n1"]);
}

#[test]
fn an_observer_that_is_alone_and_reaches_most_is_believed() {
    let mut alone = mesh(4, |_, to| to == 2);
    alone.0.retain(|name, _| **name == *"n0");
    assert_eq!(names(&alone.judge().unreachable), ["n2"]);
}

fn row(node: &str, attempts: u64, failures: u64, mostly: Failure) -> Reached {
    let mostly = (failures > 0).then_some(mostly);
    Reached {
        node: Some(node.into()),
        attempts: Window { attempts, failures, mostly, ..Window::default() },
        ..Reached::default()
    }
}

fn by_node(rows: &[Reached]) -> impl Iterator<Item = (&Name, &Reached)> {
    rows.iter().filter_map(|row| Some((row.node.as_ref()?, row)))
}

#[test]
fn half_of_enough_attempts_have_to_fail_and_a_refusal_proves_the_path() {
    for (attempts, failures, mostly, expected) in [
        (12, 0, Failure::Timeout, Some(false)),
        (12, 5, Failure::Timeout, Some(false)),
        (12, 6, Failure::Timeout, Some(true)),
        (3, 2, Failure::Unreachable, Some(true)),
        (2, 2, Failure::Timeout, None),
        (0, 0, Failure::Timeout, None),
        (12, 12, Failure::Refused, Some(false)),
        (12, 12, Failure::Reset, Some(true)),
    ] {
        let found = failing(by_node(&[row("n1", attempts, failures, mostly)]));
        assert_eq!(found.get(&Name::from("n1")).copied(), expected, "{failures}/{attempts}");
    }
}

#[test]
fn several_addresses_of_one_node_are_one_target() {
    let rows = [row("n1", 6, 6, Failure::Timeout), row("n1", 6, 0, Failure::Timeout)];
    assert_eq!(failing(by_node(&rows)), BTreeMap::from([("n1".into(), true)]));
}
