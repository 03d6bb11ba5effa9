//! Words become server blocks, with imports in their place: as CoreDNS does it, step by step, so
//! that what it takes is taken here, and what it refuses is refused.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::token::cut;
use super::{Block, Corefile, Fault, MOST_TEXT, Place, Plugin, Shown, Token};

/// With more words than these, imports among them, a Corefile is not read.
const MOST_TOKENS: usize = 20_000;

/// So many imports are followed; CoreDNS follows a thousand.
const MOST_IMPORTS: usize = 200;

/// Where imported files are.
pub trait Files {
    /// Returns the files at a path, which may have a wildcard, by name.
    fn matching(&self, path: &str) -> Matching;
}

/// What is at a path.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Matching {
    /// The path and the text of each file; empty where there is surely none.
    Texts(Vec<(String, String)>),
    /// There may be some, and they cannot be seen.
    Unseen,
}

/// Reads the Corefile that CoreDNS finds at `path`.
///
/// # Errors
///
/// Says why CoreDNS refuses it, or that it is too large to be read here.
pub fn read(text: &str, path: &str, files: &dyn Files) -> Result<Corefile, Fault> {
    if text.len() > MOST_TEXT {
        return Err(Fault::TooLarge);
    }
    let tokens = cut(text, &path.into());
    let mut parser = Parser {
        files,
        path: path.into(),
        tokens,
        at: None,
        snippets: BTreeMap::new(),
        imports: 0,
        unseen: false,
    };
    let mut all = Corefile::default();
    while parser.advance() {
        parser.unseen = false;
        let mut block = Block::default();
        let ended = parser.addresses(&mut block.keys)?;
        all.unseen |= std::mem::take(&mut parser.unseen);
        if !ended {
            if let Some(name) = snippet(&block.keys) {
                parser.snippet(name)?;
                continue;
            }
            parser.contents(&mut block)?;
        }
        block.unseen = parser.unseen;
        if !block.keys.is_empty() {
            all.blocks.push(block);
        }
    }
    Ok(all)
}

struct Parser<'f> {
    files: &'f dyn Files,
    path: Rc<str>,
    tokens: Vec<Token>,
    /// The word that is looked at; absent before the first.
    at: Option<usize>,
    snippets: BTreeMap<Rc<str>, Vec<Token>>,
    imports: usize,
    /// Something was imported that cannot be seen.
    unseen: bool,
}

impl Parser<'_> {
    /// Goes to the next word; stays at the last one.
    fn advance(&mut self) -> bool {
        let next = self.at.map_or(0, |at| at + 1);
        let has = next < self.tokens.len();
        if has {
            self.at = Some(next);
        }
        has
    }

    fn step_back(&mut self) {
        self.at = self.at.and_then(|at| at.checked_sub(1));
    }

    fn token(&self) -> Option<&Token> {
        self.tokens.get(self.at?)
    }

    fn text(&self) -> &str {
        self.token().map_or("", |token| &token.text)
    }

    fn place(&self) -> Place {
        let last = || self.tokens.last();
        let token = self.token().or_else(last);
        token.map_or_else(|| Place { file: self.path.clone(), line: 1 }, |it| it.at.clone())
    }

    fn refused<T>(&self, why: impl Into<String>) -> Result<T, Fault> {
        Err(Fault::Refused(self.place(), why.into()))
    }

    fn ends_early<T>(&self) -> Result<T, Fault> {
        self.refused("the file ends where more has to come: look for a brace that is not closed")
    }

    /// Whether the word that is looked at begins a line.
    fn begins_line(&self) -> bool {
        match self.at {
            None | Some(0) => true,
            Some(at) => self.tokens.get(at).is_some_and(|it| !follows(&self.tokens[at - 1], it)),
        }
    }

    /// Goes to the next word, if it stands on the same line.
    fn advance_on_line(&mut self) -> bool {
        let Some(at) = self.at else { return self.advance() };
        let (this, next) = (self.tokens.get(at), self.tokens.get(at + 1));
        let is_on_line = this.zip(next).is_some_and(|(this, next)| follows(this, next));
        if is_on_line {
            self.at = Some(at + 1);
        }
        is_on_line
    }

    /// Collects the keys of a block; returns whether the file ends with them.
    fn addresses(&mut self, keys: &mut Vec<Token>) -> Result<bool, Fault> {
        let mut expects_another = false;
        loop {
            if self.text() == "import" && self.begins_line() {
                self.import()?;
                continue;
            }
            if self.text() == "{" {
                return if expects_another {
                    self.refused(
                        "a brace where another zone has to come: remove the comma before it",
                    )
                } else {
                    Ok(false)
                };
            }
            if let Some(token) = self.token().filter(|it| !it.text.is_empty()) {
                let mut token = token.clone();
                expects_another = token.text.ends_with(',');
                if expects_another {
                    token.text = token.text[..token.text.len() - 1].into();
                }
                keys.push(token);
            }
            if !self.advance() {
                return if expects_another { self.ends_early() } else { Ok(true) };
            }
            if !expects_another && self.begins_line() {
                return Ok(false);
            }
        }
    }

    fn snippet(&mut self, name: Rc<str>) -> Result<(), Fault> {
        if self.snippets.contains_key(&name) {
            return self.refused(format!("the snippet ({}) is there twice", Shown(&name)));
        }
        if self.text() != "{" {
            return self.refused("a snippet has to have braces");
        }
        let (mut depth, mut tokens) = (1_usize, Vec::new());
        while self.advance() {
            match self.text() {
                "}" => depth -= 1,
                "{" => depth += 1,
                _ => {}
            }
            if depth == 0 {
                break;
            }
            tokens.extend(self.token().cloned());
        }
        if depth > 0 {
            return self.ends_early();
        }
        self.snippets.insert(name, tokens);
        Ok(())
    }

    fn contents(&mut self, block: &mut Block) -> Result<(), Fault> {
        let has_brace = self.text() == "{";
        if !has_brace {
            // A file of one block needs none.
            self.step_back();
        }
        while self.advance() {
            if self.text() == "}" {
                break;
            }
            if self.text() == "import" {
                self.import()?;
                self.step_back();
                continue;
            }
            let plugin = self.plugin()?;
            self.unseen |= plugin.name.filled;
            block.plugins.push(plugin);
        }
        if has_brace && self.text() != "}" { self.ends_early() } else { Ok(()) }
    }

    fn plugin(&mut self) -> Result<Plugin, Fault> {
        let Some(name) = self.token().cloned() else { return self.ends_early() };
        let mut plugin = Plugin { name, args: Vec::new(), body: Vec::new() };
        let mut depth = 0_usize;
        while self.advance() {
            let begins = self.begins_line();
            match self.text() {
                "{" => {
                    depth += 1;
                    if depth == 1 {
                        plugin.body.push(Vec::new());
                        continue;
                    }
                }
                _ if begins && depth == 0 => {
                    self.step_back();
                    break;
                }
                "}" if depth == 0 => {
                    return self.refused("a closing brace has to have a line of its own");
                }
                "}" => {
                    depth -= 1;
                    if depth == 0 {
                        continue;
                    }
                }
                "import" if begins => {
                    self.import()?;
                    self.step_back();
                    continue;
                }
                _ => {}
            }
            let Some(token) = self.token().cloned() else { break };
            match plugin.body.last_mut() {
                None => plugin.args.push(token),
                Some(line) if !begins => line.push(token),
                Some(_) => plugin.body.push(vec![token]),
            }
        }
        if depth > 0 {
            return self.ends_early();
        }
        plugin.body.retain(|line| !line.is_empty());
        Ok(plugin)
    }

    /// Puts what is imported in the place of the import, at whose first word it ends.
    fn import(&mut self) -> Result<(), Fault> {
        if !self.advance_on_line() {
            return self.refused("an import has to name a file or a snippet");
        }
        let Some((name, filled)) = self.token().map(|it| (it.text.clone(), it.filled)) else {
            return self.ends_early();
        };
        if name.is_empty() {
            return self.refused("an import has to name a file or a snippet");
        }
        if self.advance_on_line() {
            return self
                .refused("an import has to name one file or snippet, and nothing behind it");
        }
        self.imports += 1;
        if self.imports > MOST_IMPORTS {
            return Err(Fault::TooLarge);
        }
        let imported = match self.snippets.get(&name) {
            Some(tokens) => tokens.clone(),
            None if filled => {
                self.unseen = true;
                Vec::new()
            }
            None => self.files(&name)?,
        };
        let Some(at) = self.at else { return Ok(()) };
        let begin = at.saturating_sub(1);
        if self.tokens.len() + imported.len() > MOST_TOKENS {
            return Err(Fault::TooLarge);
        }
        self.tokens.splice(begin..=at, imported);
        self.at = Some(begin);
        Ok(())
    }

    /// Returns the words of the files that a path of an import names.
    fn files(&mut self, name: &str) -> Result<Vec<Token>, Fault> {
        let path = if name.starts_with('/') {
            name.to_owned()
        } else {
            let place = self.place();
            let folder = place.file.rsplit_once('/').map_or("", |(folder, _)| folder);
            format!("{folder}/{name}")
        };
        let number = |char| path.matches(char).count();
        if number('*') > 1 || number('?') > 1 || (path.contains('[') && path.contains(']')) {
            return self.refused("an import may have one wildcard");
        }
        match self.files.matching(&path) {
            Matching::Unseen => {
                self.unseen = true;
                Ok(Vec::new())
            }
            Matching::Texts(texts) if texts.is_empty() && !path.contains(['*', '?', '[', ']']) => {
                self.refused(format!("it imports {}, which is not there", Shown(name)))
            }
            Matching::Texts(texts) => {
                let mut all = Vec::new();
                for (path, text) in texts {
                    if text.len() > MOST_TEXT {
                        return Err(Fault::TooLarge);
                    }
                    all.append(&mut cut(&text, &path.as_str().into()));
                }
                Ok(all)
            }
        }
    }
}

/// Whether a word stands on the line on which the one before it ends.
fn follows(before: &Token, token: &Token) -> bool {
    let breaks = before.text.matches('\n').count();
    let end = before.at.line.saturating_add(u32::try_from(breaks).unwrap_or(u32::MAX));
    before.at.file == token.at.file && end >= token.at.line
}

/// Returns the name of a snippet, if a block is one.
fn snippet(keys: &[Token]) -> Option<Rc<str>> {
    let [key] = keys else { return None };
    let name = key.text.strip_prefix('(')?.strip_suffix(')')?;
    Some(name.into())
}
