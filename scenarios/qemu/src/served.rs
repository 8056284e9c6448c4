//! Our end of a connection in which QEMU is the client: the server of one child.

use crate::{
    abilities::Abilities,
    child::{Reply, Request},
    nbd::{
        self, ABORT, ACK, ALLOCATION, CHOICE, CHOOSE, CHOSEN, CHUNKS, GO, GREETING, HANDSHAKE,
        INFO, INFO_BLOCK_SIZE, INFO_EXPORT, OPTION, REQUEST_BYTES_MAX, Said, UNKNOWN, UNSUPPORTED,
        be32, option_reply, take_request,
    },
};

/// What has been said in one connection.
#[derive(Debug, Default)]
pub(crate) struct Served {
    arrived: Vec<u8>,
    stage: Stage,
    /// Whether replies in chunks are offered, and whether they were chosen: for children that tell their status.
    offers_chunks: bool,
    chunks: bool,
}

#[derive(Debug, Default)]
enum Stage {
    /// The client has not said its flags.
    #[default]
    Flags,
    /// It asks for options.
    Options,
    /// It has chosen this child.
    Requests(String),
}

/// What is to be done next.
#[derive(Debug)]
pub(crate) enum Heard {
    /// These bytes are to be sent.
    Send(Vec<u8>),
    /// A child is asked.
    Asked {
        /// Which.
        child: String,
        /// What the reply carries again.
        cookie: u64,
        /// What.
        request: Request,
    },
    /// The client goes.
    Bye,
}

impl Served {
    /// One for children that tell their status, or for others.
    pub(crate) fn new(offers_chunks: bool) -> Self {
        Self { offers_chunks, ..Self::default() }
    }

    /// The bytes of a reply.
    pub(crate) fn reply(&self, cookie: u64, request: &Request, reply: &Reply) -> Vec<u8> {
        match request {
            Request::Read { offset, .. } if self.chunks => {
                nbd::reply_in_chunks(cookie, Some(*offset), reply)
            }
            Request::Status { .. } => nbd::reply_in_chunks(cookie, None, reply),
            _ => nbd::reply(cookie, reply),
        }
    }

    /// What a server says first.
    pub(crate) fn greeting() -> Vec<u8> {
        [&GREETING[..], &HANDSHAKE.to_be_bytes()].concat()
    }

    /// Keeps what has arrived.
    pub(crate) fn arrived(&mut self, bytes: &[u8]) {
        self.arrived.extend_from_slice(bytes);
    }

    /// What is to be done next; `None` until more arrives. `facts` are the length of a child and what it can do.
    pub(crate) fn hear(
        &mut self,
        facts: impl FnOnce(&str) -> Option<(u64, Abilities)>,
    ) -> Result<Option<Heard>, String> {
        if matches!(self.stage, Stage::Flags) && self.arrived.len() >= 4 {
            self.arrived.drain(..4);
            self.stage = Stage::Options;
        }
        match &self.stage {
            Stage::Flags => Ok(None),
            Stage::Options => self.option(facts),
            Stage::Requests(child) => {
                let child = child.clone();
                Ok(take_request(&mut self.arrived)?.map(|said| match said {
                    Said::Request { cookie, request } => Heard::Asked { child, cookie, request },
                    Said::Bye => Heard::Bye,
                }))
            }
        }
    }

    fn option(
        &mut self,
        facts: impl FnOnce(&str) -> Option<(u64, Abilities)>,
    ) -> Result<Option<Heard>, String> {
        let Some(header) = self.arrived.first_chunk::<16>() else { return Ok(None) };
        let (option, length) = (be32(&header[8..]), be32(&header[12..]) as usize);
        if !header.starts_with(OPTION) || length > REQUEST_BYTES_MAX as usize {
            return Err(format!("no option: {header:x?}"));
        }
        if self.arrived.len() < 16 + length {
            return Ok(None);
        }
        let data: Vec<u8> = self.arrived.drain(..16 + length).skip(16).collect();
        Ok(Some(match option {
            GO => {
                let name = export_name(&data).ok_or_else(|| format!("no name: {data:x?}"))?;
                let Some((bytes, abilities)) = facts(&name) else {
                    return Ok(Some(Heard::Send(option_reply(GO, UNKNOWN, b"no such child"))));
                };
                self.stage = Stage::Requests(name);
                Heard::Send(accepted(bytes, abilities))
            }
            ABORT => Heard::Bye,
            CHUNKS if self.offers_chunks => {
                self.chunks = true;
                Heard::Send(option_reply(CHUNKS, ACK, &[]))
            }
            // Nothing else is ever asked for.
            CHOOSE if self.chunks => {
                let chosen = [&CHOICE.to_be_bytes()[..], ALLOCATION].concat();
                let replies =
                    [option_reply(CHOOSE, CHOSEN, &chosen), option_reply(CHOOSE, ACK, &[])];
                Heard::Send(replies.concat())
            }
            // Among them chunks, as simple replies say all that is to be said but for a status.
            _ => Heard::Send(option_reply(option, UNSUPPORTED, &[])),
        }))
    }
}

fn export_name(data: &[u8]) -> Option<String> {
    let length = be32(data.get(..4)?) as usize;
    String::from_utf8(data.get(4..4 + length)?.to_vec()).ok()
}

fn accepted(bytes: u64, abilities: Abilities) -> Vec<u8> {
    let mut export = INFO_EXPORT.to_be_bytes().to_vec();
    export.extend(bytes.to_be_bytes());
    export.extend(abilities.flags().to_be_bytes());
    let mut sizes = INFO_BLOCK_SIZE.to_be_bytes().to_vec();
    sizes.extend(abilities.sizes().into_iter().flat_map(u32::to_be_bytes));
    [option_reply(GO, INFO, &export), option_reply(GO, INFO, &sizes), option_reply(GO, ACK, &[])]
        .concat()
}
