//! Pods, kubelets and Services as listeners.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;

/// A listener that ends when it is dropped.
#[derive(Debug)]
pub struct Listening {
    address: SocketAddr,
    _task: AbortOnDropHandle<()>,
}

impl Listening {
    /// Accepts connections, and ends each at once: a pod or a kubelet that is there.
    ///
    /// # Errors
    ///
    /// Fails when the address cannot be listened on.
    pub async fn accept(address: SocketAddr) -> io::Result<Self> {
        Self::start(address, Vec::new()).await
    }

    /// Hands each connection to one of `targets`, as a Service's rules do.
    ///
    /// # Errors
    ///
    /// As [`accept`](Self::accept).
    pub async fn forward(address: SocketAddr, targets: Vec<SocketAddr>) -> io::Result<Self> {
        Self::start(address, targets).await
    }

    async fn start(address: SocketAddr, targets: Vec<SocketAddr>) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await;
        let listener = listener.map_err(|error| super::cannot_listen(address, &error))?;
        let address = listener.local_addr()?;
        let task = AbortOnDropHandle::new(tokio::spawn(run(listener, targets)));
        Ok(Self { address, _task: task })
    }

    /// Returns where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn run(listener: TcpListener, targets: Vec<SocketAddr>) {
    let turn = AtomicUsize::new(0);
    loop {
        let mut stream = match listener.accept().await {
            Ok((stream, _)) => stream,
            Err(error) => {
                // Most likely out of descriptors: a moment later there are some again.
                tracing::warn!(%error, "a simulated pod cannot accept a connection");
                tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                continue;
            }
        };
        let turn = turn.fetch_add(1, Ordering::Relaxed);
        let Some(target) = turn.checked_rem(targets.len()).and_then(|at| targets.get(at)).copied()
        else {
            continue;
        };
        tokio::spawn(async move {
            // Whatever fails: the client sees its connection end, as from a Service.
            if let Ok(mut behind) = TcpStream::connect(target).await {
                _ = copy_bidirectional(&mut stream, &mut behind).await;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    fn any() -> SocketAddr {
        "127.0.0.1:0".parse().unwrap()
    }

    #[tokio::test]
    async fn a_service_takes_turns_and_is_refused_once_it_is_gone() {
        let mut pods = Vec::new();
        for name in [b"one", b"two"] {
            let pod = TcpListener::bind(any()).await.unwrap();
            pods.push(pod.local_addr().unwrap());
            tokio::spawn(async move {
                loop {
                    pod.accept().await.unwrap().0.write_all(name).await.unwrap();
                }
            });
        }
        let service = Listening::forward(any(), pods).await.unwrap();
        let mut heard = Vec::new();
        for _ in 0..3 {
            let mut stream = TcpStream::connect(service.address()).await.unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            heard.push(text);
        }
        assert_eq!(heard, ["one", "two", "one"]);
        let address = service.address();
        drop(service);
        while TcpStream::connect(address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        let error = TcpStream::connect(address).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
    }

    #[tokio::test]
    async fn a_pod_accepts_and_ends_each_connection() {
        let pod = Listening::accept(any()).await.unwrap();
        for _ in 0..2 {
            let mut stream = TcpStream::connect(pod.address()).await.unwrap();
            assert_eq!(stream.read(&mut [0]).await.unwrap(), 0);
        }
    }
}
