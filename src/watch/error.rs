//! Why a list or a watch failed.

use std::error::Error;
use std::fmt;
use std::time::Duration;

/// The text is one line and names the remedy where there is one.
#[derive(Debug)]
pub(super) enum WatchError {
    /// The other side ended it before its time.
    Cut,
    /// A list that brings nothing new does not end.
    Endless,
    /// What came is not what the API sends.
    Garbled(String),
    /// The owner of the facts is gone, and with it the process.
    Orphaned,
    /// A line or a page is larger than it may be.
    Oversized,
    /// The API server says no, by its HTTP status or in the midst of a watch.
    Refused {
        /// An HTTP status.
        code: u16,
        /// In its words.
        message: String,
        /// How long it asks to wait.
        retry_after: Option<Duration>,
    },
    /// What comes now is older than what came before: the API server lost its memory.
    Regressed,
    /// Nothing came for longer than a healthy server is silent.
    Silent,
    /// No answer, or half of one.
    Unreachable(String),
    /// The API server has no streaming lists.
    Unsupported(String),
}

impl fmt::Display for WatchError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Cut => f.write_str("the API server ended it before its time"),
            Self::Endless => {
                f.write_str("the API server lists without end: check what is before it")
            }
            Self::Garbled(what) => {
                write!(f, "this is not the Kubernetes API ({what}): check the server's address")
            }
            Self::Orphaned => f.write_str("the owner of the facts is gone"),
            Self::Oversized => f.write_str("the API server sends more than is read"),
            Self::Refused { code: 401, message, .. } => {
                write!(f, "401 {message}: check the token or certificate of the client")
            }
            Self::Refused { code: 403, message, .. } => {
                write!(f, "403 {message}: grant list and watch in the ClusterRole")
            }
            Self::Refused { code: 404, message, .. } => {
                write!(f, "404 {message}: no such kind, or the server's address is wrong")
            }
            Self::Refused { code, message, .. } => write!(f, "{code} {message}"),
            Self::Regressed => f.write_str("the API server went back in time: was etcd restored?"),
            Self::Silent => f.write_str("the API server went silent"),
            Self::Unsupported(message) => write!(f, "no streaming lists: {message}"),
            Self::Unreachable(why) => {
                write!(f, "no answer ({why}): check the API server's address and the way to it")
            }
        }
    }
}

/// The most that is said of a foreign text.
const MOST: usize = 300;

/// Returns what others wrote as one line of bounded length.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::new();
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()) {
        if line.len() + word.len() >= MOST {
            line.push('…');
            break;
        }
        if !line.is_empty() && !word.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

/// Returns an error and what it comes from, each said once.
pub(super) fn chain(error: &dyn Error) -> String {
    let mut said = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let text = error.to_string();
        if !said.contains(&text) {
            said = if said.is_empty() { text } else { format!("{said}: {text}") };
        }
        next = error.source();
    }
    one_line(&said)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_foreign_text_becomes_one_line_of_bounded_length() {
        assert_eq!(one_line("  pods is\n\tforbidden\u{1b}[0m "), "pods is forbidden [0m");
        let long = one_line(&"word ".repeat(1000));
        assert!(long.len() < MOST + 10 && long.ends_with('…'), "{long}");
    }
}
