//! The words of a text, cut as CoreDNS cuts them.

use std::rc::Rc;

use super::{Place, Token};

/// Cuts a text of a file into words.
///
/// A word ends at white space; one that begins with a quote goes on to the next, and only a quote
/// can be escaped there. From a `#` on, the line is a comment, also in the middle of a word; as in
/// CoreDNS the comment is forgotten where such a word is cut.
pub(super) fn cut(text: &str, file: &Rc<str>) -> Vec<Token> {
    let mut all = Vec::new();
    let mut rest = text.strip_prefix('\u{feff}').unwrap_or(text).chars();
    let mut line = 1;
    while let Some(token) = next(&mut rest, &mut line, file) {
        all.push(token);
    }
    all
}

fn next(rest: &mut std::str::Chars<'_>, line: &mut u32, file: &Rc<str>) -> Option<Token> {
    let (mut text, mut begun) = (String::new(), *line);
    let (mut comment, mut quoted, mut escaped) = (false, false, false);
    let token = |text: String, line| Token {
        filled: is_filled(&text),
        text: text.into(),
        at: Place { file: file.clone(), line },
    };
    for char in rest.by_ref() {
        if quoted {
            if !escaped && char == '\\' {
                escaped = true;
                continue;
            }
            if !escaped && char == '"' {
                return Some(token(text, begun));
            }
            *line += u32::from(char == '\n');
            if escaped && char != '"' {
                text.push('\\');
            }
            text.push(char);
            escaped = false;
        } else if char.is_whitespace() {
            if char == '\r' {
                continue;
            }
            let at = begun;
            if char == '\n' {
                *line += 1;
                comment = false;
            }
            if !text.is_empty() {
                return Some(token(text, at));
            }
        } else if comment || char == '#' {
            comment = true;
        } else if text.is_empty() {
            begun = *line;
            if char == '"' {
                quoted = true;
            } else {
                text.push(char);
            }
        } else {
            text.push(char);
        }
    }
    (!text.is_empty()).then(|| token(text, begun))
}

/// Whether something is put in the place of a part of a word: `{$NAME}` and `{%NAME%}` by CoreDNS,
/// `__PILLAR__` by the cache on the nodes.
fn is_filled(text: &str) -> bool {
    let between = |open: &str, close: &str| {
        let rest = text.split_once(open).map(|(_, rest)| rest);
        rest.and_then(|rest| rest.find(close)).is_some_and(|length| length > 0)
    };
    between("{$", "}") || between("{%", "%}") || text.contains("__PILLAR__")
}
