//! The zones and ports that a server block answers for.

/// The port of a key without one, unless CoreDNS is told another.
const PORT: u16 = 53;

/// A key of a server block.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct Address {
    /// In small letters, with a dot at its end.
    pub zone: String,
    /// Absent where it is the one of another scheme than plain DNS.
    pub port: Option<u16>,
    /// Whether it is plain DNS.
    pub plain: bool,
}

impl Address {
    /// Reads a key as `dns://example.org:53`; a port that it does not name is `default`.
    ///
    /// # Errors
    ///
    /// Says why CoreDNS refuses it.
    pub fn parse(key: &str, default: Option<u16>) -> Result<Self, &'static str> {
        let (scheme, rest) = key.split_once("://").unwrap_or(("dns", key));
        let plain = scheme == "dns";
        if rest.ends_with(':') {
            return Err("a zone with a colon at its end has to have a port");
        }
        let (name, port) = match rest.rsplit_once(':') {
            Some((name, digits)) if is_number(digits) => {
                let port = digits.parse().map_err(|_| "a port has to be 65535 or less")?;
                (name, Some(port))
            }
            _ => (rest, plain.then(|| default.unwrap_or(PORT))),
        };
        if name.is_empty() {
            return Err("a port has to have a zone before it: all names are .");
        }
        // A range of addresses stands for its reverse zones.
        if !name.contains('/') && !is_name(name) {
            return Err("a zone has to be a name of DNS");
        }
        Ok(Self { zone: zone(name), port, plain })
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn is_name(text: &str) -> bool {
    if text == "." {
        return true;
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    // An escape is one letter: what has one is not measured.
    text.len() <= 255
        && (name.contains('\\')
            || name.split('.').all(|label| !label.is_empty() && label.len() <= 63))
}

/// Returns a name as zones are compared: in small letters, with a dot at its end.
pub fn zone(name: &str) -> String {
    let name = name.to_lowercase();
    if name.ends_with('.') { name } else { name + "." }
}

/// Whether a zone has a name in it; both as [`zone`] returns them.
pub fn covers(zone: &str, name: &str) -> bool {
    let Some(before) = name.strip_suffix(zone) else { return zone == "." };
    zone == "." || before.is_empty() || before.ends_with('.')
}
