//! The listener: hickory's server, with replicas behind it.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};

use hickory_server::net::runtime::Time;
use hickory_server::proto::op::{Header, HeaderCounts, Metadata, ResponseCode};
use hickory_server::proto::rr::rdata::A;
use hickory_server::proto::rr::{RData, Record};
use hickory_server::server::{Request, RequestHandler, ResponseHandler, ResponseInfo};
use hickory_server::zone_handler::MessageResponseBuilder;
use tokio::net::{TcpListener, UdpSocket};

use super::{Fate, Replica, spread};

/// As CoreDNS has it for Services.
const TTL: u32 = 5;

/// Hands each query to one of its replicas.
pub(super) struct Front {
    replicas: Vec<Replica>,
    turn: AtomicU64,
}

/// A code, and the records that go with it.
type Answer = (ResponseCode, Vec<RData>);

/// Binds one port for both protocols.
pub(super) async fn bind(address: SocketAddr) -> io::Result<(TcpListener, UdpSocket)> {
    let tcp = TcpListener::bind(address).await?;
    let udp = UdpSocket::bind(tcp.local_addr()?).await?;
    Ok((tcp, udp))
}

impl Front {
    pub(super) fn new(replicas: Vec<Replica>) -> Self {
        Self { replicas, turn: AtomicU64::new(0) }
    }

    /// Chooses the replica as a Service does: no client has one for itself.
    fn replica(&self) -> Option<&Replica> {
        let turn = spread(self.turn.fetch_add(1, Ordering::Relaxed));
        self.replicas.get((turn * self.replicas.len() as f64) as usize)
    }

    /// Answers, or not.
    async fn decide(&self, request: &Request) -> Option<Answer> {
        let refused = |code| Some((code, Vec::new()));
        let Some(replica) = self.replica() else { return refused(ResponseCode::Refused) };
        let Ok(info) = request.request_info() else { return refused(ResponseCode::FormErr) };
        let (name, kind) = (info.query.name().to_string(), info.query.query_type());
        let answer = || replica.known(|names| names.look_up(&name, kind));
        let found = match replica.fate() {
            Fate::Dropped => return None,
            Fate::Servfail => return refused(ResponseCode::ServFail),
            Fate::Wrong(address) => answer().map(|records| {
                let wrong = |record: RData| match record {
                    RData::A(_) => RData::A(A(address)),
                    other => other,
                };
                records.into_iter().map(wrong).collect()
            }),
            Fate::Late(delay) => {
                tokio::time::sleep(delay).await;
                answer()
            }
            Fate::Answered => answer(),
        };
        Some(match found {
            Some(records) => (ResponseCode::NoError, records),
            None => (ResponseCode::NXDomain, Vec::new()),
        })
    }

    async fn handle(&self, request: &Request, mut handle: impl ResponseHandler) -> ResponseInfo {
        let mut metadata = Metadata::response_from_request(&request.metadata);
        let unsent = ResponseInfo::from(Header { metadata, counts: HeaderCounts::default() });
        let Some((code, records)) = self.decide(request).await else { return unsent };
        metadata.authoritative = true;
        metadata.response_code = code;
        let name = request.request_info().map(|info| info.query.original().name().clone());
        let name = name.unwrap_or_default();
        let record = |data| Record::from_rdata(name.clone(), TTL, data);
        let records: Vec<Record> = records.into_iter().map(record).collect();
        let builder = MessageResponseBuilder::from_message_request(request);
        let response = builder.build(metadata, &records, [], [], []);
        // No client waits any more: nothing to do.
        handle.send_response(response).await.unwrap_or(unsent)
    }
}

impl RequestHandler for Front {
    // What `async_trait` would write.
    fn handle_request<'life0, 'life1, 'async_trait, R, T>(
        &'life0 self,
        request: &'life1 Request,
        handle: R,
    ) -> Pin<Box<dyn Future<Output = ResponseInfo> + Send + 'async_trait>>
    where
        R: ResponseHandler + 'async_trait,
        T: Time + 'async_trait,
        'life0: 'async_trait,
        'life1: 'async_trait,
        Self: 'async_trait,
    {
        Box::pin(self.handle(request, handle))
    }
}
