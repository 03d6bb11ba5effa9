//! Plain HTTP to pods and to Prometheus: one request, one answer, a deadline.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// No connection, or no byte, within this is a failure.
const DEADLINE: Duration = Duration::from_secs(5);

/// Returns the status and the body of an answer.
///
/// # Errors
///
/// Fails where nobody answers.
pub(crate) fn get(address: &str, path: &str) -> Result<(u16, String), String> {
    // 1.0: the answer ends where the connection does, and comes in one piece.
    ask(
        address,
        path,
        &format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\n\r\n"),
    )
}

/// Posts JSON, and returns the body of a good answer.
///
/// # Errors
///
/// Fails where nobody answers, and where the status is another than 200.
pub(crate) fn post(address: &str, path: &str, body: &str) -> Result<String, String> {
    let length = body.len();
    good(
        address,
        path,
        ask(
            address,
            path,
            &format!(
                "POST {path} HTTP/1.0\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n\
         Content-Length: {length}\r\n\r\n{body}"
            ),
        )?,
    )
}

fn ask(address: &str, path: &str, request: &str) -> Result<(u16, String), String> {
    let fail = |error: &dyn std::fmt::Display| format!("http://{address}{path}: {error}");
    let to: SocketAddr = address.parse().map_err(|error| fail(&error))?;
    let mut stream = TcpStream::connect_timeout(&to, DEADLINE).map_err(|error| fail(&error))?;
    stream.set_read_timeout(Some(DEADLINE)).map_err(|error| fail(&error))?;
    stream.write_all(request.as_bytes()).map_err(|error| fail(&error))?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).map_err(|error| fail(&error))?;
    let text = String::from_utf8_lossy(&bytes);
    let (head, body) = text.split_once("\r\n\r\n").ok_or_else(|| fail(&"no head in the answer"))?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    Ok((status.ok_or_else(|| fail(&"no status in the answer"))?, body.to_owned()))
}

/// Returns the body of a good answer.
///
/// # Errors
///
/// Fails where nobody answers, and where the status is another than 200.
pub(crate) fn body(address: &str, path: &str) -> Result<String, String> {
    good(address, path, get(address, path)?)
}

fn good(address: &str, path: &str, answer: (u16, String)) -> Result<String, String> {
    match answer {
        (200, body) => Ok(body),
        (status, body) => Err(format!("http://{address}{path}: {status}: {}", body.trim())),
    }
}

/// Writes a value as it goes into a query.
pub(crate) fn escaped(value: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    value
        .bytes()
        .map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}
