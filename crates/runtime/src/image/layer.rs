//! One layer on its way from a stream of bytes to a directory.
//!
//! Two threads: one hashes and decompresses, the other writes files; a bounded channel between them
//! (measured: half again as fast as one thread). Both digests are checked before the caller may publish.

use std::fs::File;
use std::io::{self, BufReader, Cursor, Read};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use super::digest::{Digest, HashingReader};
use super::error::ImageError;
use super::unpack::{Limits, UnpackError, Unpacked, unpack};

/// One piece between the threads, in bytes, and how many may wait: 8 MiB a layer at most.
const PIECE_BYTES: usize = 1 << 20;
const PIECES_MAX: usize = 8;

/// What a layer must turn out to be.
#[derive(Clone, Debug)]
pub(super) struct Expected {
    /// Of the uncompressed tar.
    pub diff_id: Digest,
    /// Of the bytes as they came, where a manifest says so.
    pub blob: Option<Digest>,
}

/// Unpacks `blob` into `root` and checks its digests.
pub(super) fn unpack_blob(
    blob: Box<dyn Read + Send>,
    expected: &Expected,
    root: &File,
    limits: Limits,
) -> Result<Unpacked, ImageError> {
    let (sender, receiver) = sync_channel(PIECES_MAX);
    let (decoded, unpacked) = std::thread::scope(|scope| {
        let decoder = scope.spawn(move || decode(blob, &sender, limits));
        let mut pieces = Pieces {
            receiver,
            current: Cursor::new(Vec::new()),
        };
        let unpacked = unpack(&mut pieces, root, limits).and_then(|unpacked| {
            // The digest covers what follows the archive's end, too.
            io::copy(&mut pieces, &mut io::sink())?;
            Ok(unpacked)
        });
        drop(pieces);
        (
            decoder
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            unpacked,
        )
    });
    // A broken stream looks like a short archive to the unpacker: its own error says more.
    let decoded = decoded?;
    let unpacked = unpacked?;
    let Some(Decoded { blob, diff_id }) = decoded else {
        return Err(UnpackError::Damaged {
            why: "it was not read to its end",
        }
        .into());
    };
    let layer = "filesystem layer";
    match &expected.blob {
        Some(wanted) if *wanted != blob => {
            return Err(mismatch(layer, wanted, blob));
        }
        _ => {}
    }
    if expected.diff_id != diff_id {
        return Err(mismatch(layer, &expected.diff_id, diff_id));
    }
    Ok(unpacked)
}

pub(super) fn mismatch(what: &'static str, expected: &Digest, actual: Digest) -> ImageError {
    ImageError::DigestMismatch {
        what,
        expected: expected.clone(),
        actual,
    }
}

struct Decoded {
    blob: Digest,
    diff_id: Digest,
}

/// Sends the decompressed stream in pieces; `None` when the other side stopped listening.
fn decode(
    blob: Box<dyn Read + Send>,
    to: &SyncSender<Vec<u8>>,
    limits: Limits,
) -> Result<Option<Decoded>, ImageError> {
    let mut blob = HashingReader::new(blob);
    let mut diff = HashingReader::new(decompress(&mut blob).map_err(carried)?);
    let mut total = 0u64;
    loop {
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        let read = (&mut diff)
            .take(PIECE_BYTES as u64)
            .read_to_end(&mut piece)
            .map_err(carried)?;
        total += read as u64;
        if total > limits.layer_bytes_max {
            let limit = limits.layer_bytes_max;
            return Err(UnpackError::TooLarge {
                what: "bytes",
                limit,
            }
            .into());
        }
        if read == 0 {
            break;
        }
        if to.send(piece).is_err() {
            return Ok(None);
        }
    }
    let (diff_id, _) = diff.finish().map_err(carried)?;
    let (blob, _) = blob.finish().map_err(carried)?;
    Ok(Some(Decoded { blob, diff_id }))
}

/// By the first bytes, not by the media type: registries and builders mislabel layers.
pub(super) fn decompress<'a>(from: impl Read + Send + 'a) -> io::Result<Box<dyn Read + Send + 'a>> {
    let mut from = BufReader::with_capacity(256 * 1024, from);
    let mut magic = Vec::with_capacity(4);
    (&mut from).take(4).read_to_end(&mut magic)?;
    let is_gzip = magic.starts_with(&[0x1f, 0x8b]);
    let is_zstd = magic == [0x28, 0xb5, 0x2f, 0xfd];
    let whole = BufReader::with_capacity(256 * 1024, Cursor::new(magic).chain(from));
    Ok(match (is_gzip, is_zstd) {
        (true, _) => Box::new(flate2::bufread::MultiGzDecoder::new(whole)),
        (_, true) => Box::new(zstd::stream::read::Decoder::with_buffer(whole)?),
        _ => Box::new(whole),
    })
}

/// An error that a reader of ours carried through `io::Error`, or the plain one.
fn carried(error: io::Error) -> ImageError {
    match error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<ImageError>())
    {
        Some(ours) => ours.clone(),
        None => UnpackError::Read(error).into(),
    }
}

struct Pieces {
    receiver: Receiver<Vec<u8>>,
    current: Cursor<Vec<u8>>,
}

impl Read for Pieces {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.current.read(buf)? {
                0 => match self.receiver.recv() {
                    Ok(piece) => self.current = Cursor::new(piece),
                    Err(_) => return Ok(0),
                },
                read => return Ok(read),
            }
        }
    }
}
