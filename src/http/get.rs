//! One request to another netvitals: no redirects, no proxy, no cookies, and nothing unbounded.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::Request;
use hyper::client::conn::http1;
use hyper::header::{CONNECTION, HOST};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

/// Why there is no answer.
#[derive(Debug)]
pub enum Failed {
    /// Nothing was there to connect to.
    Connect(std::io::Error),
    /// It spoke, and not HTTP.
    Protocol(String),
    /// It answered with another status than 200.
    Status(u16),
    /// It did not answer in time.
    Timeout,
}

impl Failed {
    /// Every reason as a label value.
    pub const REASONS: [&'static str; 4] = ["connect", "protocol", "status", "timeout"];

    /// The label value.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Connect(_) => "connect",
            Self::Protocol(_) => "protocol",
            Self::Status(_) => "status",
            Self::Timeout => "timeout",
        }
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect(error) => write!(f, "cannot connect: {error}"),
            Self::Protocol(error) => write!(f, "no HTTP answer: {error}"),
            Self::Status(status) => write!(f, "the answer has status {status}"),
            Self::Timeout => f.write_str("no answer in time"),
        }
    }
}

/// Asks `target` for `path` over a connection of its own, and returns at most `most` bytes.
///
/// # Errors
///
/// Returns why there is no answer of status 200 within `deadline`; one that is longer than
/// `most` is none.
pub async fn get(
    target: SocketAddr,
    path: &str,
    deadline: Duration,
    most: usize,
) -> Result<Bytes, Failed> {
    let protocol = |error: &dyn fmt::Display| Failed::Protocol(error.to_string());
    let ask = async {
        let stream = TcpStream::connect(target).await.map_err(Failed::Connect)?;
        let (mut sender, connection) =
            http1::handshake(TokioIo::new(stream)).await.map_err(|error| protocol(&error))?;
        let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
        let request = Request::get(path)
            .header(HOST, target.to_string())
            .header(CONNECTION, "close")
            .body(Empty::<Bytes>::new())
            .map_err(|error| protocol(&error))?;
        let response = sender.send_request(request).await.map_err(|error| protocol(&error))?;
        match response.status().as_u16() {
            200 => {}
            status => return Err(Failed::Status(status)),
        }
        let body = Limited::new(response.into_body(), most).collect().await;
        Ok(body.map_err(|error| protocol(&error))?.to_bytes())
    };
    timeout(deadline, ask).await.unwrap_or(Err(Failed::Timeout))
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::StatusCode;
    use axum::response::Redirect;
    use axum::routing::get as route;
    use tokio::net::TcpListener;

    use super::*;

    const SOON: Duration = Duration::from_secs(2);

    async fn ask(path: &str, deadline: Duration) -> Result<Bytes, Failed> {
        let routes = Router::new()
            .route("/short", route(|| async { "short" }))
            .route("/long", route(|| async { "l".repeat(100) }))
            .route("/away", route(|| async { Redirect::temporary("/short") }))
            .route("/silent", route(std::future::pending::<StatusCode>));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        let _server = AbortOnDropHandle::new(tokio::spawn(async move {
            axum::serve(listener, routes).await.unwrap();
        }));
        get(target, path, deadline, 10).await
    }

    #[tokio::test]
    async fn an_answer_comes_whole_or_not_at_all() {
        assert_eq!(ask("/short", SOON).await.unwrap(), "short");
        for (path, reason) in [("/long", "protocol"), ("/away", "status"), ("/none", "status")] {
            assert_eq!(ask(path, SOON).await.unwrap_err().as_str(), reason, "{path}");
        }
        let silent = ask("/silent", Duration::from_millis(50)).await;
        assert_eq!(silent.unwrap_err().as_str(), "timeout");
    }

    #[tokio::test]
    async fn nobody_there_is_said_so() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let target = listener.local_addr().unwrap();
        drop(listener);
        let error = get(target, "/", SOON, 10).await.unwrap_err();
        assert!(error.to_string().starts_with("cannot connect: "), "{error}");
    }
}
