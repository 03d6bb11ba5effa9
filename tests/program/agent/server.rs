//! A DNS server of a cluster, whose mood can change.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use hickory_resolver::proto::op::{Message, MessageType, ResponseCode};
use hickory_resolver::proto::rr::rdata::{A, TXT};
use hickory_resolver::proto::rr::{RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};
use tokio_util::task::AbortOnDropHandle;

/// `default/kubernetes`, as every server here knows it.
pub(crate) const API: Ipv4Addr = Ipv4Addr::new(10, 96, 0, 1);

/// How a server behaves over UDP.
#[derive(Clone, Copy, Debug, PartialEq)]
#[repr(u8)]
pub(crate) enum Mood {
    Well,
    /// It answers nothing.
    Silent,
    Servfail,
    /// It answers with another id.
    Stranger,
    /// It answers with another address.
    Elsewhere,
    /// It knows no Service but the API's.
    Forgetful,
}

const MOODS: [Mood; 6] =
    [Mood::Well, Mood::Silent, Mood::Servfail, Mood::Stranger, Mood::Elsewhere, Mood::Forgetful];

/// A DNS server of the cluster on both protocols.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    mood: Arc<AtomicU8>,
    _serving: [AbortOnDropHandle<()>; 2],
}

impl Server {
    /// Serves at `ip`, on `port` or any.
    pub(crate) async fn start(ip: Ipv4Addr, port: u16) -> Self {
        let tcp = TcpListener::bind((ip, port)).await.unwrap();
        let address = tcp.local_addr().unwrap();
        let udp = UdpSocket::bind(address).await.unwrap();
        let mood = Arc::new(AtomicU8::new(0));
        let moody = mood.clone();
        let over_udp = async move {
            let mut buffer = [0; 512];
            loop {
                let (length, client) = udp.recv_from(&mut buffer).await.unwrap();
                let mood = MOODS[usize::from(moody.load(Ordering::Relaxed))];
                if let Some(reply) = answer(&buffer[..length], mood) {
                    // Whoever asked may be gone.
                    _ = udp.send_to(&reply, client).await;
                }
            }
        };
        let over_tcp = async move {
            loop {
                let (mut stream, _) = tcp.accept().await.unwrap();
                let Ok(length) = stream.read_u16().await else { continue };
                let mut query = vec![0; length.into()];
                if stream.read_exact(&mut query).await.is_ok() {
                    let reply = answer(&query, Mood::Well).unwrap();
                    _ = stream.write_u16(u16::try_from(reply.len()).unwrap()).await;
                    _ = stream.write_all(&reply).await;
                }
            }
        };
        let spawn = |it| AbortOnDropHandle::new(it);
        let _serving = [spawn(tokio::spawn(over_udp)), spawn(tokio::spawn(over_tcp))];
        Self { address, mood, _serving }
    }

    pub(crate) fn is(&self, mood: Mood) {
        self.mood.store(mood as u8, Ordering::Relaxed);
    }
}

fn answer(query: &[u8], mood: Mood) -> Option<Vec<u8>> {
    let query = Message::from_vec(query).unwrap();
    let mut reply = query.clone();
    reply.metadata.message_type = MessageType::Response;
    let (name, kind) = (query.queries[0].name().clone(), query.queries[0].query_type());
    let lower = name.to_ascii().to_lowercase();
    let address = match mood {
        Mood::Silent => return None,
        Mood::Elsewhere => Ipv4Addr::new(10, 9, 9, 9),
        _ if lower.starts_with("shop.web.svc.") => Ipv4Addr::new(10, 96, 0, 7),
        _ => API,
    };
    let known = match mood {
        Mood::Forgetful => lower.starts_with("kubernetes."),
        _ => !lower.starts_with("nv-"),
    };
    let data = match kind {
        RecordType::A => Some(RData::A(A(address))),
        RecordType::TXT => Some(RData::TXT(TXT::new(vec!["1.1.0".to_owned()]))),
        _ => None,
    };
    match (mood, known, data) {
        (Mood::Servfail, ..) => reply.metadata.response_code = ResponseCode::ServFail,
        (_, false, _) => reply.metadata.response_code = ResponseCode::NXDomain,
        (_, true, data) => {
            reply.add_answers(data.map(|data| Record::from_rdata(name, 5, data)));
        }
    }
    if mood == Mood::Stranger {
        reply.metadata.id ^= 1;
    }
    Some(reply.to_vec().unwrap())
}
