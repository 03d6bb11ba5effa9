//! What is taken, what is refused, and what no text may do.

use std::fmt::Write;
use std::fs;

use super::*;

/// Files by path; what is below `/unseen` cannot be seen.
struct Known(&'static [(&'static str, &'static str)]);

impl Files for Known {
    fn matching(&self, path: &str) -> Matching {
        if path.starts_with("/unseen") {
            return Matching::Unseen;
        }
        let (before, after) = path.split_once('*').unwrap_or((path, ""));
        let is = |it: &str| {
            it == path || (path.contains('*') && it.starts_with(before) && it.ends_with(after))
        };
        let found = self.0.iter().filter(|(path, _)| is(path));
        Matching::Texts(found.map(|(path, text)| ((*path).into(), (*text).into())).collect())
    }
}

const FILES: Known = Known(&[
    ("/etc/coredns/custom/a.override", "log\nhosts {\n 192.0.2.1 a\n}"),
    ("/etc/coredns/custom/b.override", "rewrite name a b"),
    ("/etc/coredns/custom/c.server", "example.org {\n errors\n}"),
    ("/etc/coredns/all", "import all"),
]);

fn parse(text: &str) -> Result<Corefile, Fault> {
    read(text, "/etc/coredns/Corefile", &FILES)
}

/// Writes what was read on one line: `zone, zone { plugin argument [line; line] }`.
fn outline(all: &Corefile) -> String {
    let words = |tokens: &[Token]| -> String {
        tokens.iter().map(|token| token.text.as_ref()).collect::<Vec<_>>().join(" ")
    };
    let mut text = String::new();
    for block in &all.blocks {
        let keys: Vec<&str> = block.keys.iter().map(|key| key.text.as_ref()).collect();
        write!(text, "{} {{", keys.join(", ")).unwrap();
        for Plugin { name, args, body } in &block.plugins {
            let args = words(args);
            let space = if args.is_empty() { "" } else { " " };
            write!(text, " {}{space}{args}", name.text).unwrap();
            if !body.is_empty() {
                let lines: Vec<String> = body.iter().map(|line| words(line)).collect();
                write!(text, " [{}]", lines.join("; ")).unwrap();
            }
            text.push(';');
        }
        text.push_str(if block.unseen { " ? }" } else { " }" });
    }
    text + if all.unseen { " ?" } else { "" }
}

#[test]
fn blocks_have_their_keys_and_their_plugins() {
    for (text, expected) in [
        ("", ""),
        ("# nothing", ""),
        (".", ". { }"),
        (".\nerrors\ncache 30", ". { errors; cache 30; }"),
        (".:53 {\n}", ".:53 { }"),
        ("a.example b.example,\nc.example {\n log\n}", "a.example, b.example, c.example { log; }"),
        (". {\n log\n}\na {\n}", ". { log; }a { }"),
        (
            ". {\n cache 30 {\n  success 1 2\n  denial 3\n }\n}",
            ". { cache 30 [success 1 2; denial 3]; }",
        ),
        (". {\n view v {\n  a {\n   b\n  }\n }\n}", ". { view v [a {; b; }]; }"),
        (". {\n log \"a b\" # c\n errors\n}", ". { log a b; errors; }"),
        (". {\n log \"a\nb\" c\n}", ". { log a\nb c; }"),
        (". {\n log \"a \\\"b\\\" \\c\"\n}", ". { log a \"b\" \\c; }"),
        // As CoreDNS has it, odd as it is.
        (". {\n log a#b c\n}", ". { log a c; }"),
        (". {\n errors {\n }", ". { errors; }"),
        ("(a) {\n log\n cache 30\n}\n. {\n import a\n errors\n}", ". { log; cache 30; errors; }"),
        (". {\n import custom/*.override\n}", ". { log; hosts [192.0.2.1 a]; rewrite name a b; }"),
        (". {\n}\nimport custom/*.server", ". { }example.org { errors; }"),
        ("import custom/*.server\n. {\n}", "example.org { errors; }. { }"),
        (". {\n import none/*\n}", ". { }"),
        (". {\n import /unseen/*.override\n errors\n}", ". { errors; ? }"),
        (". {\n hosts {\n  import /unseen/a\n }\n}", ". { hosts; ? }"),
        (". {\n}\nimport /unseen/*.server", ". { } ?"),
        ("{$ZONE} {\n import {$FILE}\n}", "{$ZONE} { ? }"),
        (". {\n {$PLUGIN} a\n}", ". { {$PLUGIN} a; ? }"),
    ] {
        let outline = parse(text).map(|all| outline(&all));
        assert_eq!(outline.as_deref(), Ok(expected), "{text:?}");
    }
}

#[test]
fn what_coredns_refuses_is_refused_with_its_line() {
    for (text, expected) in [
        (". {\n errors\n", "line 2 of Corefile: the file ends"),
        (". {\n cache {\n  success 1\n", "line 3 of Corefile: the file ends"),
        (". { errors }", "line 1 of Corefile: a closing brace has to have a line of its own"),
        ("a, {\n}", "line 1 of Corefile: a brace where another zone has to come"),
        ("a,", "line 1 of Corefile: the file ends"),
        ("(a)\nlog", "line 2 of Corefile: a snippet has to have braces"),
        ("(a) {\n log", "line 2 of Corefile: the file ends"),
        ("(a) {\n}\n(a) {\n}", "line 3 of Corefile: the snippet (a) is there twice"),
        (". {\n import\n}", "line 2 of Corefile: an import has to name a file"),
        (". {\n import \"\"\n}", "line 2 of Corefile: an import has to name a file"),
        (". {\n import a b\n}", "line 2 of Corefile: an import has to name one"),
        (". {\n import */*\n}", "line 2 of Corefile: an import may have one wildcard"),
        (". {\n import none\n}", "line 2 of Corefile: it imports none, which is not there"),
        ("(a) {\n import a\n}\n. {\n import a\n}", "it is larger"),
        (". {\n import all\n}", "it is larger"),
    ] {
        let error = parse(text).expect_err(text).to_string();
        assert!(error.starts_with(expected), "{text:?}: {error}");
    }
    let large = format!(". {{\n{}}}", "log\n".repeat(MOST_TEXT / 4));
    assert_eq!(parse(&large).err(), Some(Fault::TooLarge));
    let doubled: String = (0..20)
        .map(|at| format!("(s{}) {{\n import s{at}\n import s{at}\n}}\n", at + 1))
        .chain(["(s0) {\n log\n}\n. {\n import s20\n}\n".to_owned()])
        .collect();
    assert_eq!(parse(&doubled).err(), Some(Fault::TooLarge));
}

#[test]
fn what_comes_from_elsewhere_is_known_to() {
    for (text, filled) in [
        ("{$A}", true),
        ("{%A%}", true),
        ("a-{$A}.example:53", true),
        ("__PILLAR__CLUSTER__DNS__", true),
        ("{$}", false),
        ("{%%}", false),
        ("{$A", false),
        ("$A", false),
        ("{{.Name}}", false),
    ] {
        assert_eq!(parse(text).unwrap().blocks[0].keys[0].filled, filled, "{text}");
    }
}

#[test]
fn keys_have_a_zone_and_a_port() {
    let plain = |zone: &str, port| Ok(Address { zone: zone.into(), port: Some(port), plain: true });
    for (key, expected) in [
        (".", plain(".", 1053)),
        (".:53", plain(".", 53)),
        ("dns://.:53", plain(".", 53)),
        ("Cluster.Local", plain("cluster.local.", 1053)),
        ("cluster.local.:5353", plain("cluster.local.", 5353)),
        ("10.0.0.0/8", plain("10.0.0.0/8.", 1053)),
        ("2001:db8::/32", plain("2001:db8::/32.", 1053)),
        ("tls://.:853", Ok(Address { zone: ".".into(), port: Some(853), plain: false })),
        ("https://.", Ok(Address { zone: ".".into(), port: None, plain: false })),
    ] {
        assert_eq!(Address::parse(key, Some(1053)), expected, "{key}");
    }
    let long = "a".repeat(64);
    for key in [".:", ":53", "a..b", ".a", "a:65536", &long, &"a.".repeat(200), "dns://"] {
        assert!(Address::parse(key, None).is_err(), "{key}");
    }
    for (zone, name, is) in [
        (".", "a.example.", true),
        (".", ".", true),
        ("example.", "a.example.", true),
        ("example.", "example.", true),
        ("example.", "anexample.", false),
        ("a.example.", "example.", false),
    ] {
        assert_eq!(covers(zone, name), is, "{zone} {name}");
    }
}

/// The Corefiles of `tests/corefiles/`.
fn corpus() -> Vec<Vec<u8>> {
    let folders = ["installed", "odd"].map(|it| format!("tests/corefiles/{it}"));
    let entries = folders.iter().flat_map(|folder| fs::read_dir(folder).expect("a folder"));
    let all: Vec<_> =
        entries.map(|entry| fs::read(entry.expect("an entry").path()).expect("a file")).collect();
    assert!(all.len() > 15, "{}", all.len());
    all
}

/// Looks at all that there is.
fn look(text: &str) {
    match parse(text) {
        Ok(all) => {
            let keys = all.blocks.iter().flat_map(|block| &block.keys);
            keys.for_each(|key| drop(Address::parse(&key.text, None)));
            let outline = outline(&all);
            // Imports put in what was not there; each of their files is short.
            assert!(outline.len() < (MOST_TEXT + text.len()) * 64, "{text:?}");
        }
        Err(fault) => assert!(fault.to_string().lines().count() == 1, "{fault}"),
    }
}

/// Numbers that are always the same.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % (end.max(1) as u64)).expect("it is below an usize")
    }
}

#[test]
fn no_text_makes_it_panic_or_go_on_for_ever() {
    const PIECES: [&str; 20] = [
        "{",
        "}",
        "{\n",
        "\n}\n",
        "\n",
        " ",
        "\"",
        "\\\"",
        "#",
        ",",
        "import all\n",
        "import a\n",
        "(a) {\n",
        "import /unseen/*\n",
        "import */?*\n",
        "{$A}",
        "{%",
        "%}",
        "\u{feff}",
        "\u{85}",
    ];
    let corpus = corpus();
    let mut numbers = Numbers(0x2545_f491_4f6c_dd1d);
    for round in 0..5_000 {
        let mut text = corpus[round % corpus.len()].clone();
        for _ in 0..=numbers.below(6) {
            let [one, other] = [(); 2].map(|()| numbers.below(text.len() + 1));
            let (from, to) = (one.min(other), one.max(other).min(one.min(other) + 40));
            match numbers.below(4) {
                0 => drop(text.drain(from..to)),
                1 => drop(text.splice(from..from, text[from..to].to_vec()).collect::<Vec<_>>()),
                2 => {
                    let piece = PIECES[numbers.below(PIECES.len())].bytes();
                    drop(text.splice(from..from, piece).collect::<Vec<_>>());
                }
                _ => {
                    let other = &corpus[numbers.below(corpus.len())];
                    let begin = numbers.below(other.len());
                    let end = (begin + numbers.below(200)).min(other.len());
                    let piece = other[begin..end].to_vec();
                    drop(text.splice(from..to, piece).collect::<Vec<_>>());
                }
            }
        }
        look(&String::from_utf8_lossy(&text));
    }
}

#[test]
fn hostile_texts_end() {
    for text in [
        "{".repeat(MOST_TEXT),
        "}".repeat(MOST_TEXT),
        ". {\n a {\n".repeat(MOST_TEXT / 10),
        "import x\n".repeat(MOST_TEXT / 9),
        "\"".repeat(MOST_TEXT),
        "a,".repeat(MOST_TEXT / 2),
        format!(". {{\n log \"{}\"\n}}", "\n".repeat(60_000)),
        format!("{} {{\n}}", "a.".repeat(30_000)),
    ] {
        look(&text);
    }
}

#[test]
fn what_is_installed_is_read_whole() {
    for entry in fs::read_dir("tests/corefiles/installed").expect("a folder") {
        let path = entry.expect("an entry").path();
        let text = fs::read_to_string(&path).expect("a text");
        let all = parse(&text).unwrap_or_else(|fault| panic!("{}: {fault}", path.display()));
        assert!(!all.unseen && !all.blocks[0].unseen, "{}", path.display());
        assert!(all.blocks[0].has("kubernetes") && all.blocks[0].has("forward"));
    }
}
