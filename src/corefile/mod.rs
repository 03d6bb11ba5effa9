//! Corefiles: what CoreDNS is told to do, read as its own parser reads it.
//!
//! From the ground up: `token` cuts a text into words, `parse` groups them into server blocks and
//! puts imports in their place, `zone` says what a block answers for. What a plugin makes of its
//! words is for those who ask. Without I/O: imported files come from the caller, and what cannot be
//! seen is said as such and never guessed.

mod parse;
#[cfg(test)]
mod tests;
mod token;
mod zone;

use std::fmt;
use std::rc::Rc;

pub use self::parse::{Files, Matching, read};
pub use self::zone::{Address, covers, zone};

/// A longer text is not read.
pub const MOST_TEXT: usize = 64 << 10;

/// What a Corefile and all that it imports say.
#[derive(Clone, Debug, Default)]
pub struct Corefile {
    /// In their order.
    pub blocks: Vec<Block>,
    /// There may be more blocks, in what is imported and cannot be seen.
    pub unseen: bool,
}

/// A server block.
#[derive(Clone, Debug, Default)]
pub struct Block {
    /// The zones and ports that it answers for.
    pub keys: Vec<Token>,
    /// In their order.
    pub plugins: Vec<Plugin>,
    /// There may be more plugins, in what is imported and cannot be seen.
    pub unseen: bool,
}

/// What a server block says of a plugin.
#[derive(Clone, Debug)]
pub struct Plugin {
    /// Its name.
    pub name: Token,
    /// The words behind it, up to a brace.
    pub args: Vec<Token>,
    /// The lines between its braces.
    pub body: Vec<Vec<Token>>,
}

/// One word.
#[derive(Clone, Debug)]
pub struct Token {
    /// Without quotes.
    pub text: Rc<str>,
    /// Whether a part of it comes from the environment of CoreDNS, or is filled in by something
    /// else before CoreDNS reads it.
    pub filled: bool,
    /// Where it stands.
    pub at: Place,
}

/// A line of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Place {
    /// The path at which CoreDNS finds it.
    pub file: Rc<str>,
    /// Beginning with 1.
    pub line: u32,
}

/// Why a Corefile is none, or cannot be judged.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Fault {
    /// CoreDNS refuses it.
    Refused(Place, String),
    /// It is larger, or imports more, than is read.
    TooLarge,
}

impl Block {
    /// Returns what it says of a plugin, first to last.
    pub fn plugins<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Plugin> {
        self.plugins.iter().filter(move |it| &*it.name.text == name)
    }

    /// Whether it has a plugin.
    pub fn has(&self, name: &str) -> bool {
        self.plugins(name).next().is_some()
    }
}

impl Plugin {
    /// Returns the words behind a property, of each line that begins with it.
    pub fn properties<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [Token]> {
        self.body.iter().filter_map(move |line| {
            let (first, rest) = line.split_first()?;
            (&*first.text == name).then_some(rest)
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.file.rsplit('/').next().unwrap_or_default();
        write!(f, "line {} of {}", self.line, Shown(name))
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(place, why) => write!(f, "{place}: {why}"),
            Self::TooLarge => f.write_str("it is larger, or imports more, than is read"),
        }
    }
}

/// A word of a Corefile in a message: short, and without what would break a line.
#[derive(Clone, Copy, Debug)]
pub struct Shown<'a>(pub &'a str);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const MOST: usize = 60;
        let plain = |char: char| if char.is_control() { ' ' } else { char };
        self.0.chars().take(MOST).map(plain).try_for_each(|char| write!(f, "{char}"))?;
        if self.0.chars().nth(MOST).is_some() { f.write_str("…") } else { Ok(()) }
    }
}
