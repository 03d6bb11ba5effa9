//! Asks one server one question, once, from a port of its own.
//!
//! No resolver library does this: they retry, cache, join queries in flight, and tell a closed
//! port from a lost packet no more than a timeout does. Only the wire format is taken from one.

mod wire;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use hickory_resolver::proto::op::ResponseCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

pub use wire::{Question, Reply};

use super::datagram::Datagram;
use super::{errno, tcp};
use crate::model::{DnsQuery, Failure, Protocol};

/// Returns how such a query can fail, so that each reason starts at 0.
pub(super) fn failures(query: DnsQuery, protocol: Protocol) -> impl Iterator<Item = Failure> {
    let impossible: &[Failure] = match query {
        // Any answer but one is wrong.
        DnsQuery::Negative => &[Failure::Nodata, Failure::Nxdomain, Failure::Truncated],
        // Any address is right.
        DnsQuery::External => &[Failure::WrongAnswer],
        _ => &[],
    };
    // Outside names are asked for over TCP where the answer is too long.
    let whole = protocol == Protocol::Tcp || query == DnsQuery::External;
    let protocol = if whole { Failure::Truncated } else { Failure::Reset };
    let never = [Failure::Local, protocol];
    Failure::ALL.into_iter().filter(move |it| !never.contains(it) && !impossible.contains(it))
}

/// More than any server sends to a client that did not offer more than 512.
const DATAGRAM: usize = 1500;

/// Datagrams that are not the answer, after which no more is waited for one.
const STRANGE: usize = 64;

/// Asks over UDP, and returns the answer with the time until it arrived.
///
/// Whatever is no answer to this query is passed over, because it may be a late duplicate or
/// a forger's guess.
///
/// # Errors
///
/// Returns [`Failure::Timeout`] once `deadline` has passed, [`Failure::Mismatch`] when something
/// else than the answer came until then, and before that what the kernel says;
/// [`Failure::Local`] when the query never left this machine.
pub async fn udp(
    server: SocketAddr,
    question: &Question,
    deadline: Duration,
) -> Result<(Reply, Duration), Failure> {
    let ([reply], took) = datagrams(server, [question], deadline).await?;
    Ok((reply, took))
}

/// Asks two questions at once over UDP and from one port, as resolvers do for IPv4 and IPv6,
/// and returns both answers with the time until the later one.
///
/// # Errors
///
/// As [`udp`], for either of them.
pub async fn udp_pair(
    server: SocketAddr,
    questions: [&Question; 2],
    deadline: Duration,
) -> Result<([Reply; 2], Duration), Failure> {
    datagrams(server, questions, deadline).await
}

async fn datagrams<const N: usize>(
    server: SocketAddr,
    questions: [&Question; N],
    deadline: Duration,
) -> Result<([Reply; N], Duration), Failure> {
    let socket = Datagram::connect(server)?;
    let asked = questions.map(|question| question.ask(true));
    let mut replies: [Option<Reply>; N] = std::array::from_fn(|_| None);
    let (mut strange, mut took) = (0, Duration::ZERO);
    let start = Instant::now();
    let exchange = async {
        for asked in &asked {
            socket.send(asked.bytes()).await?;
        }
        let mut buffer = [0; DATAGRAM];
        while strange < STRANGE && replies.contains(&None) {
            let (length, waited) = socket.receive(&mut buffer).await?;
            let read = |asked: &wire::Asked| asked.read(&buffer[..length]);
            match asked.iter().map(read).enumerate().find_map(|(at, it)| Some((at, it?))) {
                Some((at, reply)) => {
                    replies[at] = Some(reply);
                    took = took.max(start.elapsed().saturating_sub(waited));
                }
                None => strange += 1,
            }
        }
        Ok(())
    };
    timeout(deadline, exchange).await.unwrap_or(Ok(()))?;
    if replies.contains(&None) {
        return Err(if strange > 0 { Failure::Mismatch } else { Failure::Timeout });
    }
    Ok((replies.map(|reply| reply.expect("none is absent, as was seen above")), took))
}

/// Asks over a TCP connection of its own, and returns the answer with the time that it took,
/// handshake included.
///
/// # Errors
///
/// As [`udp`]; [`Failure::Reset`] when the connection ends before the answer does.
pub async fn tcp(
    server: SocketAddr,
    question: &Question,
    deadline: Duration,
) -> Result<(Reply, Duration), Failure> {
    let asked = question.ask(false);
    let start = Instant::now();
    let exchange = async {
        let mut stream = tcp::open(server).await?;
        let length = u16::try_from(asked.bytes().len()).unwrap_or(u16::MAX);
        // One segment: a server may take the length alone for the whole query.
        let query = [&length.to_be_bytes(), asked.bytes()].concat();
        stream.write_all(&query).await.map_err(cut)?;
        let length = stream.read_u16().await.map_err(cut)?;
        let mut answer = vec![0; length.into()];
        stream.read_exact(&mut answer).await.map_err(cut)?;
        Ok(answer)
    };
    let answer = timeout(deadline, exchange).await.unwrap_or(Err(Failure::Timeout))?;
    let took = start.elapsed();
    Ok((asked.read(&answer).ok_or(Failure::Mismatch)?, took))
}

/// Classifies the end of a connection: without an error it was still before the answer's end.
fn cut(error: io::Error) -> Failure {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Failure::Reset,
        _ => errno::classify(&error),
    }
}

/// What an answer has to say.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Expected {
    /// Exactly these addresses.
    All(Vec<IpAddr>),
    /// Addresses of which one is among these.
    OneOf(Vec<IpAddr>),
    /// Any address: an alias that leads to none is no answer.
    Address,
    /// Any record.
    Something,
    /// That the name exists; records are optional, as IPv6 addresses are.
    Existence,
    /// That the name does not exist.
    Absence,
    /// Nothing: any answer will do.
    Anything,
}

/// Tells whether a server answered as it should.
///
/// # Errors
///
/// Returns what is wrong with the answer.
pub fn judge(reply: &Reply, expected: &Expected) -> Result<(), Failure> {
    match (reply.code, expected) {
        (_, Expected::Anything) | (ResponseCode::NXDomain, Expected::Absence) => Ok(()),
        (ResponseCode::NXDomain, _) => Err(Failure::Nxdomain),
        (ResponseCode::ServFail, _) => Err(Failure::Servfail),
        (ResponseCode::Refused, _) => Err(Failure::RcodeRefused),
        (ResponseCode::FormErr | ResponseCode::NotImp, _) => Err(Failure::Formerr),
        (ResponseCode::NoError, Expected::Absence) => Err(Failure::WrongAnswer),
        (ResponseCode::NoError, _) if reply.truncated => Err(Failure::Truncated),
        (ResponseCode::NoError, _) if reply.foreign => Err(Failure::Mismatch),
        (ResponseCode::NoError, Expected::Existence) => Ok(()),
        (ResponseCode::NoError, _) if reply.records == 0 => Err(Failure::Nodata),
        (ResponseCode::NoError, Expected::Something) => Ok(()),
        (ResponseCode::NoError, Expected::Address) => {
            if reply.addresses.is_empty() {
                Err(Failure::Nodata)
            } else {
                Ok(())
            }
        }
        (ResponseCode::NoError, Expected::All(addresses)) => {
            let known = reply.addresses.iter().all(|it| addresses.contains(it));
            let complete = addresses.iter().all(|it| reply.addresses.contains(it));
            if known && complete { Ok(()) } else { Err(Failure::WrongAnswer) }
        }
        (ResponseCode::NoError, Expected::OneOf(addresses)) => {
            let known = reply.addresses.iter().any(|it| addresses.contains(it));
            if known { Ok(()) } else { Err(Failure::WrongAnswer) }
        }
        _ => Err(Failure::Other),
    }
}

#[cfg(test)]
mod tests;
