use std::net::SocketAddr;

use axum::body::Bytes;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::*;

const LIMITS: Limits = Limits {
    header: Duration::from_millis(200),
    stall: Duration::from_millis(200),
    ..Limits::AGENT
};

/// More than the buffers of two sockets hold.
const MUCH: usize = 64 << 20;

/// An assembled server with its real limits on connections.
struct Running {
    at: SocketAddr,
    server: Server,
    stop: CancellationToken,
    task: JoinHandle<io::Result<()>>,
}

fn start(limits: Limits) -> Running {
    start_with(limits, Router::new())
}

fn start_with(limits: Limits, more: Router) -> Running {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = listener.local_addr().unwrap();
    let routes = Router::new()
        .route("/", get(|| async { "here" }))
        .route("/much", get(|| async { Bytes::from(vec![b'x'; MUCH]) }))
        .merge(more);
    let (server, stop) = (Server::new(limits), CancellationToken::new());
    let task = tokio::spawn({
        let (server, stop) = (server.clone(), stop.clone());
        async move { server.serve(listener, routes, stop).await }
    });
    Running { at, server, stop, task }
}

impl Running {
    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.at).await.unwrap()
    }

    /// Connects from another address of the loopback network.
    async fn connect_from(&self, last: u8) -> TcpStream {
        let socket = TcpSocket::new_v4().unwrap();
        socket.bind(([127, 0, 0, last], 0).into()).unwrap();
        socket.connect(self.at).await.unwrap()
    }

    /// Sends `bytes`, and returns what came back before the server closed the connection.
    async fn exchange(&self, bytes: &[u8]) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes).await.unwrap();
        read(&mut stream).await
    }

    async fn end(self) {
        self.stop.cancel();
        timeout(Duration::from_secs(5), self.task).await.expect("it ends").unwrap().unwrap();
    }
}

/// Reads until the server closes the connection, which may be by a reset.
async fn read(stream: &mut TcpStream) -> String {
    let mut reply = Vec::new();
    let read = timeout(Duration::from_secs(5), stream.read_to_end(&mut reply)).await;
    let _ = read.expect("the server closes the connection");
    String::from_utf8(reply).unwrap()
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";

/// Asks on an open connection, and returns the status line.
async fn ask(stream: &mut TcpStream) -> String {
    stream.write_all(REQUEST).await.unwrap();
    let mut reply = [0; 12];
    stream.read_exact(&mut reply).await.unwrap();
    String::from_utf8(reply.into()).unwrap()
}

#[tokio::test]
async fn silent_slow_and_idle_connections_are_closed() {
    let server = start(LIMITS);
    assert_eq!(server.exchange(b"").await, "");
    assert_eq!(server.exchange(b"GET / HTTP/1.1\r\nHost: a").await, "");
    let idle = server.exchange(REQUEST).await;
    assert!(idle.starts_with("HTTP/1.1 200 OK\r\n") && idle.ends_with("here"), "{idle}");
    server.end().await;
}

#[tokio::test]
async fn what_is_not_http_1_is_closed() {
    let server = start(Limits { header: Duration::from_secs(60), ..LIMITS });
    let h2 = server.exchange(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(!h2.contains("200"), "{h2}");
    server.end().await;
}

#[tokio::test]
async fn a_large_head_and_any_body_are_refused() {
    let server = start(Limits { header: Duration::from_secs(60), ..LIMITS });
    let long = format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(HEAD));
    let long = server.exchange(long.as_bytes()).await;
    assert!(long.starts_with("HTTP/1.1 431 "), "{long}");
    for head in
        ["Content-Length: 1\r\n\r\nx", "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n"]
    {
        let reply =
            server.exchange(format!("GET / HTTP/1.1\r\nHost: a\r\n{head}").as_bytes()).await;
        assert!(reply.starts_with("HTTP/1.1 413 "), "{reply}");
    }
    assert_eq!(server.server.counts.rejected(Rejected::Body), 2);
    server.end().await;
}

#[tokio::test]
async fn connections_are_capped_and_their_places_come_free() {
    let limits =
        Limits { connections: 3, of_address: 2, header: Duration::from_secs(60), ..LIMITS };
    let server = start(limits);
    let mut first = server.connect().await;
    let mut second = server.connect().await;
    assert_eq!(ask(&mut first).await, "HTTP/1.1 200");
    assert_eq!(ask(&mut second).await, "HTTP/1.1 200");
    // A third from the same address, one from another, and one too many.
    assert_eq!(read(&mut server.connect().await).await, "");
    assert_eq!(server.server.counts.rejected(Rejected::Address), 1);
    let mut other = server.connect_from(2).await;
    assert_eq!(ask(&mut other).await, "HTTP/1.1 200");
    assert_eq!(read(&mut server.connect_from(3).await).await, "");
    assert_eq!(server.server.counts.rejected(Rejected::Connections), 1);
    assert_eq!(server.server.counts.connections.get(), 3);

    drop((first, second, other));
    let freed = async {
        while server.server.counts.connections.get() > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), freed).await.expect("places come free");
    assert_eq!(ask(&mut server.connect().await).await, "HTTP/1.1 200");
    server.end().await;
}

#[tokio::test]
async fn a_peer_that_reads_nothing_is_dropped() {
    let server = start(LIMITS);
    let mut stream = server.connect().await;
    stream.write_all(b"GET /much HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    stream.readable().await.unwrap();
    let dropped = async {
        while server.server.counts.connections.get() > 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(5), dropped).await.expect("the connection is dropped");
    assert!(read(&mut stream).await.len() < MUCH);
    server.end().await;
}

#[tokio::test]
async fn an_open_request_is_answered_after_the_stop_and_no_new_one_is() {
    let (entered, release) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let slow = {
        let (entered, release) = (entered.clone(), release.clone());
        get(move || async move {
            entered.notify_one();
            release.notified().await;
            "late"
        })
    };
    let server = start_with(LIMITS, Router::new().route("/slow", slow));
    let mut stream = server.connect().await;
    stream.write_all(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    entered.notified().await;
    server.stop.cancel();
    let refused = async { while TcpStream::connect(server.at).await.is_ok() {} };
    timeout(Duration::from_secs(5), refused).await.expect("the listener closes");
    release.notify_one();
    assert!(read(&mut stream).await.ends_with("late"));
    server.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_request_that_never_ends_is_cut_at_the_deadline() {
    let entered = Arc::new(Notify::new());
    let stuck = {
        let entered = entered.clone();
        get(move || async move {
            entered.notify_one();
            std::future::pending::<()>().await;
        })
    };
    let server = start_with(Limits::CLUSTER, Router::new().route("/stuck", stuck));
    let mut stream = server.connect().await;
    stream.write_all(b"GET /stuck HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
    entered.notified().await;
    let start = tokio::time::Instant::now();
    server.stop.cancel();
    server.task.await.unwrap().unwrap();
    assert_eq!(start.elapsed().as_secs(), FAREWELL.as_secs());
}

#[test]
fn a_port_in_use_and_a_foreign_address_name_the_remedy() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().to_string();
    for (address, why) in [(&*taken, "in use"), ("192.0.2.1:1", "assign")] {
        let error = bind(&address.parse().unwrap()).unwrap_err();
        assert!(error.starts_with(&format!("cannot listen on {address}: ")), "{error}");
        assert!(error.contains(why), "{error}");
        assert!(error.ends_with("choose another address with --web.listen-address"), "{error}");
    }
}
