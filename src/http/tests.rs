use std::net::SocketAddr;

use axum::body::Bytes;
use axum::routing::get;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::counters::Rejected;
use super::*;

const LIMITS: Limits = Limits {
    header: Duration::from_millis(200),
    answer: Duration::from_millis(300),
    ..Limits::AGENT
};

/// Longer than any of these tests.
const LONG: Duration = Duration::from_secs(60);

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

    /// Waits until so many are open.
    async fn has_connections(&self, count: i64) {
        let are_there = async {
            while self.server.counts.connections.get() != count {
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(Duration::from_secs(5), are_there).await.expect("connections");
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
    let mut reply = Vec::new();
    while !reply.ends_with(b"here") {
        assert!(stream.read_buf(&mut reply).await.unwrap() > 0, "it was closed");
    }
    String::from_utf8(reply[..12].into()).unwrap()
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
    let server = start(Limits { header: LONG, ..LIMITS });
    let h2 = server.exchange(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await;
    assert!(!h2.contains("200"), "{h2}");
    server.end().await;
}

#[tokio::test]
async fn a_large_head_and_any_body_are_refused() {
    let server = start(Limits { header: LONG, ..LIMITS });
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
async fn idle_connections_shut_nobody_out() {
    let server = start(Limits { header: LONG, ..Limits::CLUSTER });
    let mut idle = Vec::new();
    for last in 1..=4 {
        for _ in 0..16 {
            idle.push(server.connect_from(last).await);
        }
    }
    server.has_connections(64).await;
    let mut half = server.connect_from(5).await;
    half.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
    let mut scrape = server.connect_from(6).await;
    assert_eq!(ask(&mut scrape).await, "HTTP/1.1 200");
    let mut same = server.connect_from(4).await;
    assert_eq!(ask(&mut same).await, "HTTP/1.1 200");
    let rejected = |why| server.server.counts.rejected(why);
    assert_eq!((rejected(Rejected::Connections), rejected(Rejected::Address)), (2, 1));
    for victim in [0, 1, 48] {
        assert_eq!(read(&mut idle[victim]).await, "", "the longest idle went");
    }
    assert_eq!(ask(&mut scrape).await, "HTTP/1.1 200", "and one that works did not");

    drop((idle, half, scrape, same));
    server.has_connections(0).await;
    server.end().await;
}

#[tokio::test]
async fn probes_are_answered_while_every_place_is_busy() {
    let never = get(std::future::pending::<()>);
    let probe = get(|| async { "ok" });
    let more = Router::new().route("/never", never).route("/livez", probe);
    let server = start_with(Limits { header: LONG, answer: LONG, ..Limits::AGENT }, more);
    let mut busy = Vec::new();
    for number in 0..server.server.limits.connections {
        let mut stream = server.connect_from(u8::try_from(number).unwrap() / 8 + 1).await;
        stream.write_all(b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        busy.push(stream);
    }
    server.has_connections(busy.len() as i64).await;
    for last in [1, 9] {
        let mut refused = server.connect_from(last).await;
        refused.write_all(REQUEST).await.unwrap();
        let refused = read(&mut refused).await;
        assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("ask again"), "{refused}");
        let mut probe = server.connect_from(last).await;
        probe.write_all(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let probe = read(&mut probe).await;
        assert!(probe.starts_with("HTTP/1.1 200 ") && probe.ends_with("ok"), "{probe}");
    }
    drop(busy);
    server.end().await;
}

#[tokio::test]
async fn a_client_that_takes_an_answer_slowly_or_not_at_all_is_dropped() {
    let server = start(LIMITS);
    for pause in [20, 10_000] {
        let mut stream = server.connect().await;
        stream.write_all(b"GET /much HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        let mut taken = 0;
        let slowly = async {
            let mut some = [0; 4096];
            while let Ok(1..) = stream.read(&mut some).await {
                taken += some.len();
                sleep(Duration::from_millis(pause)).await;
            }
        };
        let dropped = server.has_connections(0);
        tokio::select! { biased; () = dropped => {}, () = slowly => {} }
        server.has_connections(0).await;
        assert!(taken < MUCH, "{taken}");
    }
    server.end().await;
}

#[tokio::test]
async fn a_request_without_an_answer_in_time_is_told_so() {
    let never = get(std::future::pending::<()>);
    let server = start_with(LIMITS, Router::new().route("/never", never));
    let late = server.exchange(b"GET /never HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(late.starts_with("HTTP/1.1 504 ") && late.contains("connection: close"), "{late}");
    assert_eq!(server.server.counts.rejected(Rejected::Late), 1);
    server.end().await;
}

#[tokio::test]
async fn every_answer_says_what_it_is_and_none_needs_the_date() {
    let server = start(LIMITS);
    for (request, status, text) in [
        ("GET /", "200 OK", "here"),
        ("GET /nothing", "404 Not Found", "there is nothing here: / leads to all that is\n"),
        ("POST /", "405 Method Not Allowed", "it is only read: ask by GET\n"),
    ] {
        let request = format!("{request} HTTP/1.1\r\nHost: a\r\n\r\n");
        let reply = server.exchange(request.as_bytes()).await;
        assert!(reply.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{reply}");
        assert!(reply.ends_with(text), "{reply}");
        assert!(reply.contains("x-content-type-options: nosniff\r\n"), "{reply}");
        // The library of dates panics on a clock before 1970.
        assert!(!reply.contains("\r\ndate: "), "{reply}");
    }
    server.end().await;
}

#[tokio::test]
async fn a_request_that_is_on_its_way_at_the_stop_is_answered() {
    let server = start(Limits { header: LONG, ..LIMITS });
    let mut open = server.connect().await;
    assert_eq!(ask(&mut open).await, "HTTP/1.1 200");
    server.stop.cancel();
    open.write_all(REQUEST).await.unwrap();
    let replies = read(&mut open).await;
    assert!(replies.contains("connection: close") && replies.ends_with("here"), "{replies}");
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
    assert_eq!(start.elapsed().as_secs(), (LAST_ORDERS + FAREWELL).as_secs());
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
