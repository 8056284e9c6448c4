//! What is on the wire: the part of the NBD protocol that both ends need.

use crate::child::{Reply, Request};
use quorate_engine::Errno;

/// The start of every server's greeting, and of every option.
pub(crate) const GREETING: &[u8; 16] = b"NBDMAGICIHAVEOPT";
/// The start of every option of a client's.
pub(crate) const OPTION: &[u8; 8] = b"IHAVEOPT";
/// The start of every reply to an option.
pub(crate) const OPTION_REPLY: u64 = 0x0003_e889_0455_65a9;
/// Both sides: fixed newstyle; no zeroes after the handshake.
pub(crate) const HANDSHAKE: u16 = 3;

/// The option that gives up.
pub(crate) const ABORT: u32 = 2;
/// The option that asks for an export.
pub(crate) const GO: u32 = 7;
/// The option that asks for replies in chunks, without which there is no status.
pub(crate) const CHUNKS: u32 = 8;
/// The option that chooses what a status is about: this alone is known here.
pub(crate) const CHOOSE: u32 = 10;
pub(crate) const ALLOCATION: &[u8] = b"base:allocation";

/// The reply that ends an option.
pub(crate) const ACK: u32 = 1;
/// The reply with a fact about an export.
pub(crate) const INFO: u32 = 3;
/// The reply with the number of what was chosen.
pub(crate) const CHOSEN: u32 = 4;
/// Replies that are errors have this bit.
pub(crate) const REFUSED: u32 = 1 << 31;
/// The option is not known here.
pub(crate) const UNSUPPORTED: u32 = REFUSED | 1;
/// There is no such export.
pub(crate) const UNKNOWN: u32 = REFUSED | 6;

/// The fact that is an export's length, and what it can do.
pub(crate) const INFO_EXPORT: u16 = 0;
/// The fact that is what lengths an export likes.
pub(crate) const INFO_BLOCK_SIZE: u16 = 3;
/// An export's flags: that it has any, that it is only read, and what it can do.
pub(crate) const HAS_FLAGS: u16 = 1;
pub(crate) const READ_ONLY: u16 = 1 << 1;
pub(crate) const CAN_FLUSH: u16 = 1 << 2;
pub(crate) const CAN_FUA: u16 = 1 << 3;
pub(crate) const CAN_TRIM: u16 = 1 << 5;
pub(crate) const CAN_ZERO: u16 = 1 << 6;
pub(crate) const CAN_ZERO_FAST: u16 = 1 << 11;
/// The longest request with bytes either way.
pub(crate) const REQUEST_BYTES_MAX: u32 = 32 << 20;

const REQUEST: u32 = 0x2560_9513;
const REPLY: u32 = 0x6744_6698;
const READ: u16 = 0;
const WRITE: u16 = 1;
const DISCONNECT: u16 = 2;
const FLUSH: u16 = 3;
const TRIM: u16 = 4;
const ZEROES: u16 = 6;
const STATUS: u16 = 7;
const FUA: u16 = 1;
const NO_HOLE: u16 = 1 << 1;
const FAST: u16 = 1 << 4;
const CHUNK: u32 = 0x668e_33ef;
const CHUNK_BYTES: usize = 20;
/// It is the last chunk of a reply.
const LAST: u16 = 1;
/// Chunks of bytes, of a status, and of an error.
const CHUNK_DATA: u16 = 1;
const CHUNK_STATUS: u16 = 5;
const CHUNK_ERROR: u16 = (1 << 15) | 1;
const REQUEST_BYTES: usize = 28;
const REPLY_BYTES: usize = 16;

/// What a client sends after the handshake.
#[derive(Debug)]
pub(crate) enum Said {
    /// A request.
    Request {
        /// What the reply carries again.
        cookie: u64,
        /// It.
        request: Request,
    },
    /// That it goes.
    Bye,
}

/// The bytes of a request.
pub(crate) fn request(cookie: u64, request: &Request) -> Vec<u8> {
    let none: &[u8] = &[];
    let flag = |set: bool, flag: u16| if set { flag } else { 0 };
    let (flags, kind, offset, bytes, data) = match request {
        Request::Read { offset, bytes } => (0, READ, *offset, *bytes, none),
        Request::Write { offset, data, fua } => {
            let bytes = u32::try_from(data.len()).expect("a request is shorter than 4 GiB");
            (flag(*fua, FUA), WRITE, *offset, bytes, data.as_slice())
        }
        Request::Zeroes { offset, bytes, fua, may_unmap, no_fallback } => {
            let flags = flag(*fua, FUA) | flag(!may_unmap, NO_HOLE) | flag(*no_fallback, FAST);
            (flags, ZEROES, *offset, *bytes, none)
        }
        Request::Discard { offset, bytes } => (0, TRIM, *offset, *bytes, none),
        Request::Flush => (0, FLUSH, 0, 0, none),
        Request::Status { offset, bytes } => (0, STATUS, *offset, *bytes, none),
    };
    let mut wire = Vec::with_capacity(REQUEST_BYTES + data.len());
    wire.extend(REQUEST.to_be_bytes());
    wire.extend(flags.to_be_bytes());
    wire.extend(kind.to_be_bytes());
    wire.extend(cookie.to_be_bytes());
    wire.extend(offset.to_be_bytes());
    wire.extend(bytes.to_be_bytes());
    wire.extend(data);
    wire
}

/// Takes a request off the front of what has arrived, if it is there as a whole.
pub(crate) fn take_request(arrived: &mut Vec<u8>) -> Result<Option<Said>, String> {
    let Some(header) = arrived.first_chunk::<REQUEST_BYTES>() else { return Ok(None) };
    let (magic, flags, kind) = (be32(&header[..]), be16(&header[4..]), be16(&header[6..]));
    let (cookie, offset, bytes) = (be64(&header[8..]), be64(&header[16..]), be32(&header[24..]));
    if magic != REQUEST || (matches!(kind, READ | WRITE) && bytes > REQUEST_BYTES_MAX) {
        return Err(format!("no request: {header:x?}"));
    }
    let data = if kind == WRITE { bytes as usize } else { 0 };
    if arrived.len() < REQUEST_BYTES + data {
        return Ok(None);
    }
    let data: Vec<u8> = arrived.drain(..REQUEST_BYTES + data).skip(REQUEST_BYTES).collect();
    let is = |flag: u16| flags & flag != 0;
    let request = match kind {
        READ => Request::Read { offset, bytes },
        WRITE => Request::Write { offset, data, fua: is(FUA) },
        ZEROES => {
            let (fua, may_unmap, no_fallback) = (is(FUA), !is(NO_HOLE), is(FAST));
            Request::Zeroes { offset, bytes, fua, may_unmap, no_fallback }
        }
        TRIM => Request::Discard { offset, bytes },
        FLUSH => Request::Flush,
        STATUS => Request::Status { offset, bytes },
        DISCONNECT => return Ok(Some(Said::Bye)),
        _ => return Err(format!("request {kind}, which was not offered")),
    };
    Ok(Some(Said::Request { cookie, request }))
}

/// The bytes of a reply.
pub(crate) fn reply(cookie: u64, reply: &Reply) -> Vec<u8> {
    let none = Vec::new();
    let (error, data) = match reply {
        Ok(data) => (0, data),
        Err(error) => (error.number().unsigned_abs(), &none),
    };
    let mut wire = Vec::with_capacity(REPLY_BYTES + data.len());
    wire.extend(REPLY.to_be_bytes());
    wire.extend(error.to_be_bytes());
    wire.extend(cookie.to_be_bytes());
    wire.extend(data);
    wire
}

/// The bytes of a reply in chunks, or rather in one: to a read, which begins here, or to a request for the status.
pub(crate) fn reply_in_chunks(cookie: u64, read_from: Option<u64>, reply: &Reply) -> Vec<u8> {
    let (kind, head) = match (reply, read_from) {
        (Ok(_), Some(offset)) => (CHUNK_DATA, offset.to_be_bytes().to_vec()),
        (Ok(_), None) => (CHUNK_STATUS, CHOICE.to_be_bytes().to_vec()),
        (Err(error), _) => {
            let error = error.number().unsigned_abs();
            // No text is said of it.
            (CHUNK_ERROR, [&error.to_be_bytes()[..], &[0; 2]].concat())
        }
    };
    let data = reply.as_deref().unwrap_or_default();
    let bytes = u32::try_from(head.len() + data.len()).expect("a reply is shorter than 4 GiB");
    let mut wire = Vec::with_capacity(CHUNK_BYTES + head.len() + data.len());
    wire.extend(CHUNK.to_be_bytes());
    wire.extend(LAST.to_be_bytes());
    wire.extend(kind.to_be_bytes());
    wire.extend(cookie.to_be_bytes());
    wire.extend(bytes.to_be_bytes());
    wire.extend(head);
    wire.extend(data);
    wire
}

/// Takes a reply in one chunk to a request for the status off the front of what has arrived.
pub(crate) fn take_status(arrived: &mut Vec<u8>) -> Result<Option<(u64, Reply)>, String> {
    let Some(header) = arrived.first_chunk::<CHUNK_BYTES>() else { return Ok(None) };
    let (magic, flags, kind) = (be32(&header[..]), be16(&header[4..]), be16(&header[6..]));
    let (cookie, bytes) = (be64(&header[8..]), be32(&header[16..]) as usize);
    let unknown = format!("no status: {header:x?}");
    if magic != CHUNK || flags != LAST || bytes < 4 {
        return Err(unknown);
    }
    if arrived.len() < CHUNK_BYTES + bytes {
        return Ok(None);
    }
    let data: Vec<u8> = arrived.drain(..CHUNK_BYTES + bytes).skip(CHUNK_BYTES).collect();
    let errno = || i32::try_from(be32(&data)).ok().and_then(Errno::from_number);
    let reply = match kind {
        CHUNK_STATUS => Ok(data[4..].to_vec()),
        CHUNK_ERROR => Err(errno().ok_or(unknown)?),
        _ => return Err(unknown),
    };
    Ok(Some((cookie, reply)))
}

/// The number of what the status is about, as we are the server.
pub(crate) const CHOICE: u32 = 1;

/// Takes a reply off the front of what has arrived, if it is there as a whole. `data` says how many bytes
/// follow it if it is no error.
pub(crate) fn take_reply(
    arrived: &mut Vec<u8>,
    data: impl FnOnce(u64) -> Option<usize>,
) -> Result<Option<(u64, Reply)>, String> {
    let Some(header) = arrived.first_chunk::<REPLY_BYTES>() else { return Ok(None) };
    let (magic, error, cookie) = (be32(&header[..]), be32(&header[4..]), be64(&header[8..]));
    let expected = data(cookie).filter(|_| magic == REPLY);
    let Some(expected) = expected else { return Err(format!("no reply: {header:x?}")) };
    if error != 0 {
        let errno = i32::try_from(error).ok().and_then(Errno::from_number);
        let errno = errno.ok_or_else(|| format!("error {error}, which Linux does not have"))?;
        arrived.drain(..REPLY_BYTES);
        return Ok(Some((cookie, Err(errno))));
    }
    if arrived.len() < REPLY_BYTES + expected {
        return Ok(None);
    }
    let data = arrived.drain(..REPLY_BYTES + expected).skip(REPLY_BYTES).collect();
    Ok(Some((cookie, Ok(data))))
}

/// The bytes of a reply to an option.
pub(crate) fn option_reply(option: u32, kind: u32, data: &[u8]) -> Vec<u8> {
    let bytes = u32::try_from(data.len()).expect("facts are short");
    let mut wire = OPTION_REPLY.to_be_bytes().to_vec();
    wire.extend([option, kind, bytes].into_iter().flat_map(u32::to_be_bytes));
    wire.extend(data);
    wire
}

/// The first two bytes as a number.
pub(crate) fn be16(bytes: &[u8]) -> u16 {
    u16::from_be_bytes(*bytes.first_chunk().expect("the caller has looked how many there are"))
}

/// The first four bytes as a number.
pub(crate) fn be32(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(*bytes.first_chunk().expect("the caller has looked how many there are"))
}

/// The first eight bytes as a number.
pub(crate) fn be64(bytes: &[u8]) -> u64 {
    u64::from_be_bytes(*bytes.first_chunk().expect("the caller has looked how many there are"))
}
