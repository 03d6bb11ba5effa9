//! The Containerfile as an engine reads it, as far as the shipped one goes: the image's one source.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

/// What a Containerfile makes.
#[derive(Debug, Default)]
pub(crate) struct Containerfile {
    /// The image's configuration.
    pub(crate) config: Map<String, Value>,
    /// What is copied: from the context, to the image.
    pub(crate) copies: Vec<(PathBuf, String)>,
}

/// The platform's name, as an engine gives it.
pub(crate) const ARCHITECTURE: &str = if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" };

impl Containerfile {
    /// Reads the text of one, for this machine's platform.
    ///
    /// # Panics
    ///
    /// Panics on what it does not know: the image would be another.
    pub(crate) fn read(text: &str) -> Self {
        let mut args = BTreeMap::from([("TARGETARCH".to_owned(), ARCHITECTURE.to_owned())]);
        let mut file = Self::default();
        for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
            let rest = expanded(rest, &args);
            match word {
                "FROM" => assert_eq!(rest, "scratch", "the image holds one program"),
                "ARG" => {
                    if let Some((name, value)) = rest.split_once('=') {
                        args.insert(name.to_owned(), value.to_owned());
                    }
                }
                "LABEL" => {
                    let (name, value) = rest.split_once('=').expect("a label has a value");
                    let labels = file.config.entry("Labels").or_insert_with(|| json!({}));
                    labels[name] = value.trim_matches('"').into();
                }
                "COPY" => {
                    let words: Vec<&str> = rest.split(' ').collect();
                    let ["--chmod=0755", from, to] = words[..] else { panic!("{line}") };
                    file.copies.push((from.into(), to.to_owned()));
                }
                "WORKDIR" => drop(file.config.insert("WorkingDir".to_owned(), rest.into())),
                "USER" => drop(file.config.insert("User".to_owned(), rest.into())),
                "EXPOSE" => {
                    let ports = json!({format!("{rest}/tcp"): {}});
                    file.config.insert("ExposedPorts".to_owned(), ports);
                }
                "ENTRYPOINT" => {
                    let words = serde_json::from_str(&rest).expect("a list of words");
                    file.config.insert("Entrypoint".to_owned(), words);
                }
                _ => panic!("unknown in a Containerfile: {line}"),
            }
        }
        file
    }

    /// Reads the shipped one.
    pub(crate) fn shipped() -> Self {
        Self::read(include_str!("../../deploy/image/Containerfile"))
    }

    /// The programs of an image whose context has `binary` in the place of whatever is copied.
    pub(crate) fn programs(&self, binary: &Path) -> Vec<(PathBuf, String)> {
        self.copies.iter().map(|(_, to)| (binary.to_owned(), to.clone())).collect()
    }
}

fn expanded(text: &str, args: &BTreeMap<String, String>) -> String {
    let text = args
        .iter()
        .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value));
    assert!(!text.contains("${"), "an argument without a value: {text}");
    text
}
