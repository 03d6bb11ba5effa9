//! Queries and answers, as bytes.

use std::net::IpAddr;

use hickory_resolver::proto::ProtoError;
use hickory_resolver::proto::op::{Header, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::proto::serialize::binary::{BinDecodable, BinDecoder};

/// Records of an answer that are looked at; the rest is not even read.
const RECORDS: u16 = 64;

/// Aliases that an answer may lead through.
const ALIASES: usize = 8;

/// The length of a header.
const HEADER: usize = 12;

/// A question, ready to be asked again and again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Question(Vec<u8>);

impl Question {
    /// Asks for the addresses of `name` in the family of `like`.
    ///
    /// # Errors
    ///
    /// Returns why `name` is none.
    pub fn addresses(name: &str, like: IpAddr) -> Result<Self, ProtoError> {
        Self::new(name, if like.is_ipv4() { RecordType::A } else { RecordType::AAAA })
    }

    /// Asks for the IPv4 addresses of `name`.
    ///
    /// # Errors
    ///
    /// Returns why `name` is none.
    pub fn v4(name: &str) -> Result<Self, ProtoError> {
        Self::new(name, RecordType::A)
    }

    /// Asks for the texts at `name`.
    ///
    /// # Errors
    ///
    /// Returns why `name` is none.
    pub fn texts(name: &str) -> Result<Self, ProtoError> {
        Self::new(name, RecordType::TXT)
    }

    fn new(name: &str, kind: RecordType) -> Result<Self, ProtoError> {
        let mut name = Name::from_ascii(name)?;
        name.set_fqdn(true);
        let mut message = Message::new(0, MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = true;
        message.add_query(Query::query(name, kind));
        message.to_vec().map(Self)
    }

    /// Makes one query, with an id of its own.
    ///
    /// On UDP the letters get a random case, which the answer has to repeat: one more thing
    /// that a forger of answers has to guess.
    pub(super) fn ask(&self, mixed: bool) -> Asked {
        let mut bytes = self.0.clone();
        bytes[..2].copy_from_slice(&fastrand::u16(..).to_be_bytes());
        let mut at = HEADER;
        while mixed && bytes[at] != 0 {
            let end = at + 1 + usize::from(bytes[at]);
            let mut coins = fastrand::u64(..);
            for byte in &mut bytes[at + 1..end] {
                if byte.is_ascii_alphabetic() && coins & 1 == 1 {
                    *byte ^= 0x20;
                }
                coins >>= 1;
            }
            at = end;
        }
        Asked(bytes)
    }
}

/// One query, whose answer is awaited.
#[derive(Debug)]
pub(super) struct Asked(Vec<u8>);

impl Asked {
    /// The query as it is sent.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads an answer to exactly this query; anything else is none.
    pub(super) fn read(&self, bytes: &[u8]) -> Option<Reply> {
        let mut decoder = BinDecoder::new(bytes);
        let Header { metadata, counts, .. } = Header::read(&mut decoder).ok()?;
        let is_answer = bytes[..2] == self.0[..2]
            && metadata.message_type == MessageType::Response
            && metadata.op_code == OpCode::Query;
        if !is_answer {
            return None;
        }
        let code = metadata.response_code;
        let mut reply = Reply { code, truncated: metadata.truncation, ..Reply::default() };
        if counts.queries == 0 && matches!(code, ResponseCode::FormErr | ResponseCode::NotImp) {
            // A server that cannot read a question cannot repeat it.
            return Some(reply);
        }
        let question = decoder.read_slice(self.0.len() - HEADER).ok()?.unverified();
        if counts.queries != 1 || question != &self.0[HEADER..] {
            return None;
        }
        let asked = Query::read(&mut BinDecoder::new(&self.0[HEADER..])).ok()?;
        let mut records = Vec::new();
        for _ in 0..counts.answers.min(RECORDS) {
            let Ok(record) = Record::read(&mut decoder) else {
                // A cut answer may end within a record.
                return reply.truncated.then_some(reply);
            };
            records.push(record);
        }
        reply.take(&asked, &records).then_some(reply)
    }
}

/// What a server answered.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Reply {
    /// How it went.
    pub code: ResponseCode,
    /// Whether the answer was cut to fit into its datagram.
    pub truncated: bool,
    /// The addresses of the name that was asked for, as they came.
    pub addresses: Vec<IpAddr>,
    /// How many records of the type that was asked for that name has.
    pub records: usize,
    /// Whether there are records, and none of them belongs to that name: they may be another
    /// name's, or of another class or type.
    pub foreign: bool,
}

impl Reply {
    /// Takes the records that answer `asked`, by way of its aliases in whatever order they came;
    /// returns whether there are no more of those than are followed.
    fn take(&mut self, asked: &Query, records: &[Record]) -> bool {
        let of = |owner: &Name| {
            let owner = owner.clone();
            let own = move |record: &&Record| {
                record.dns_class == asked.query_class() && record.name == owner
            };
            records.iter().filter(own)
        };
        let mut owner = asked.name().clone();
        let mut aliases = 0;
        while let Some(target) = of(&owner).find_map(alias) {
            if aliases == ALIASES {
                return false;
            }
            aliases += 1;
            owner = target.clone();
        }
        let answers: Vec<_> =
            of(&owner).filter(|record| record.record_type() == asked.query_type()).collect();
        self.addresses = answers.iter().filter_map(|record| record.data.ip_addr()).collect();
        self.records = answers.len();
        self.foreign = aliases + answers.len() == 0 && !records.is_empty();
        true
    }
}

fn alias(record: &Record) -> Option<&Name> {
    match &record.data {
        RData::CNAME(target) => Some(&target.0),
        _ => None,
    }
}
