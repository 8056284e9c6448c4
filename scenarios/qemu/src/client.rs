//! Our end of a connection in which QEMU is the server: the client of an array's export.

use crate::{
    child::{Reply, Request},
    nbd::{
        self, ACK, ALLOCATION, CHOOSE, CHUNKS, GO, GREETING, HANDSHAKE, INFO, INFO_EXPORT, OPTION,
        OPTION_REPLY, REFUSED, be16, be32, be64,
    },
};
use std::collections::BTreeMap;

/// What has been said in one connection.
#[derive(Debug)]
pub(crate) struct Conversation {
    export: String,
    /// Whether it asks for the status, and for nothing else.
    asks_status: bool,
    arrived: Vec<u8>,
    stage: Stage,
    asked: u64,
    /// How many bytes are expected for each request in flight.
    in_flight: BTreeMap<u64, usize>,
    replies: BTreeMap<u64, Reply>,
}

#[derive(Debug)]
enum Stage {
    Greeting,
    Options { bytes: u64 },
    Requests { bytes: u64 },
}

/// Why an export cannot be used.
#[derive(Debug)]
pub(crate) enum Unusable {
    /// It is refused.
    Refused {
        /// The reply's type.
        reply: u32,
        /// What the server says.
        said: String,
    },
    /// What came is not what was agreed on.
    Protocol(String),
}

impl Conversation {
    /// A client of an export that has not heard anything. It asks for the status and nothing else, or for all else.
    pub(crate) fn of(export: &str, asks_status: bool) -> Self {
        Self {
            export: export.into(),
            asks_status,
            arrived: Vec::new(),
            stage: Stage::Greeting,
            asked: 0,
            in_flight: BTreeMap::new(),
            replies: BTreeMap::new(),
        }
    }

    /// The export's name.
    pub(crate) fn export(&self) -> &str {
        &self.export
    }

    /// The export's length, once the handshake is over.
    pub(crate) fn bytes(&self) -> Option<u64> {
        match self.stage {
            Stage::Requests { bytes } => Some(bytes),
            Stage::Greeting | Stage::Options { .. } => None,
        }
    }

    /// A request: what to send, and the cookie of its reply.
    pub(crate) fn ask(&mut self, request: &Request) -> (u64, Vec<u8>) {
        debug_assert!(self.bytes().is_some(), "nothing is asked before the handshake is over");
        let is_status = matches!(request, Request::Status { .. });
        assert_eq!(is_status, self.asks_status, "the status is asked for by a client of its own");
        self.asked += 1;
        let expected = match request {
            Request::Read { bytes, .. } => *bytes as usize,
            _ => 0,
        };
        self.in_flight.insert(self.asked, expected);
        (self.asked, nbd::request(self.asked, request))
    }

    /// How many replies wait to be taken.
    pub(crate) fn replies(&self) -> u64 {
        self.replies.len() as u64
    }

    /// Whether the reply with this cookie is there.
    pub(crate) fn has_reply(&self, cookie: u64) -> bool {
        self.replies.contains_key(&cookie)
    }

    /// Takes the reply with this cookie, if it is there.
    pub(crate) fn take_reply(&mut self, cookie: u64) -> Option<Reply> {
        self.replies.remove(&cookie)
    }

    /// Takes in what has arrived; what is to be sent, if anything.
    pub(crate) fn arrived(&mut self, bytes: &[u8]) -> Result<Vec<u8>, Unusable> {
        self.arrived.extend_from_slice(bytes);
        let mut send = Vec::new();
        while self.go_on(&mut send)? {}
        Ok(send)
    }

    /// Whether there may be more to do.
    fn go_on(&mut self, send: &mut Vec<u8>) -> Result<bool, Unusable> {
        match self.stage {
            Stage::Greeting => {
                let Some(greeting) = self.arrived.first_chunk::<18>() else { return Ok(false) };
                if !greeting.starts_with(GREETING) {
                    return Err(Unusable::Protocol(format!("no greeting: {greeting:x?}")));
                }
                self.arrived.drain(..18);
                send.extend(u32::from(HANDSHAKE).to_be_bytes());
                send.extend(self.go());
                self.stage = Stage::Options { bytes: 0 };
                Ok(true)
            }
            Stage::Options { bytes } => self.option_reply(bytes),
            Stage::Requests { .. } => {
                let in_flight = &self.in_flight;
                let reply = if self.asks_status {
                    nbd::take_status(&mut self.arrived)
                } else {
                    nbd::take_reply(&mut self.arrived, |cookie| in_flight.get(&cookie).copied())
                };
                let Some((cookie, reply)) = reply.map_err(Unusable::Protocol)? else {
                    return Ok(false);
                };
                self.in_flight.remove(&cookie);
                self.replies.insert(cookie, reply);
                Ok(true)
            }
        }
    }

    fn go(&self) -> Vec<u8> {
        let name = self.export.as_bytes();
        let length = u32::try_from(name.len()).expect("a node's name is short");
        let mut wire = Vec::new();
        if self.asks_status {
            wire.extend(OPTION);
            wire.extend([CHUNKS, 0].into_iter().flat_map(u32::to_be_bytes));
            wire.extend(OPTION);
            let asked = u32::try_from(ALLOCATION.len()).expect("it is short");
            wire.extend(
                [CHOOSE, length + asked + 12, length].into_iter().flat_map(u32::to_be_bytes),
            );
            wire.extend(name);
            wire.extend([1, asked].into_iter().flat_map(u32::to_be_bytes));
            wire.extend(ALLOCATION);
        }
        wire.extend(OPTION);
        wire.extend([GO, length + 6, length].into_iter().flat_map(u32::to_be_bytes));
        wire.extend(name);
        wire.extend([0, 0]);
        wire
    }

    fn option_reply(&mut self, bytes: u64) -> Result<bool, Unusable> {
        let Some(header) = self.arrived.first_chunk::<20>() else { return Ok(false) };
        let (option, reply, length) =
            (be32(&header[8..]), be32(&header[12..]), be32(&header[16..]) as usize);
        if be64(header) != OPTION_REPLY {
            return Err(Unusable::Protocol(format!("no reply to an option: {header:x?}")));
        }
        if self.arrived.len() < 20 + length {
            return Ok(false);
        }
        let data: Vec<u8> = self.arrived.drain(..20 + length).skip(20).collect();
        if reply & REFUSED != 0 {
            let said = String::from_utf8_lossy(&data).into_owned();
            return Err(Unusable::Refused { reply, said });
        }
        if option == GO && reply == ACK {
            self.stage = Stage::Requests { bytes };
        } else if reply == INFO && data.len() >= 10 && be16(&data) == INFO_EXPORT {
            self.stage = Stage::Options { bytes: be64(&data[2..]) };
        }
        Ok(true)
    }
}
