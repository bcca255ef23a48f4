//! Reads a tar stream entry by entry, with the extensions that images use (pax, GNU long names).
//!
//! Unlike the `tar` crate's own iterator nothing the archive says makes it hold more than
//! [`EXTENSION_LEN_MAX`] in memory. Header fields are decoded by that crate.

use std::io::{self, Read};

use tar::{EntryType, Header};

use super::UnpackError;

const BLOCK: u64 = 512;
/// A pax header or long name longer than this is refused. Extended attributes are at most 64 KiB each.
const EXTENSION_LEN_MAX: u64 = 1 << 20;

/// One entry's metadata, extensions applied.
#[derive(Debug)]
pub(in crate::image) struct Head {
    pub path: Vec<u8>,
    pub link: Vec<u8>,
    pub kind: EntryType,
    /// Bytes of content that follow; 0 for all but files.
    pub size: u64,
    pub mode: u32,
    pub uid: u32,
    pub gid: u32,
    /// Seconds and nanoseconds since 1970.
    pub mtime: (i64, u32),
    pub device: (u32, u32),
    /// Extended attributes, by name.
    pub xattrs: Vec<(String, Vec<u8>)>,
}

impl Head {
    /// The path for messages.
    pub(super) fn shown(&self) -> String {
        shown(&self.path)
    }
}

/// A path for messages: readable, not too long.
pub(super) fn shown(path: &[u8]) -> String {
    String::from_utf8_lossy(path).chars().take(300).collect()
}

/// The archive at some entry; as a reader it gives that entry's content.
pub(in crate::image) struct TarStream<'a> {
    inner: &'a mut dyn Read,
    /// Of the current entry: content not read yet, then padding.
    left: u64,
    padding: u64,
}

#[derive(Default)]
struct Extensions {
    pax: Vec<(String, Vec<u8>)>,
    path: Option<Vec<u8>>,
    link: Option<Vec<u8>>,
}

impl<'a> TarStream<'a> {
    pub(in crate::image) fn new(inner: &'a mut dyn Read) -> TarStream<'a> {
        TarStream {
            inner,
            left: 0,
            padding: 0,
        }
    }

    /// The next entry that is not itself an extension; `None` at the archive's end.
    pub(in crate::image) fn next_entry(&mut self) -> Result<Option<Head>, UnpackError> {
        let mut extensions = Extensions::default();
        loop {
            self.skip_content()?;
            let Some(header) = self.next_header()? else {
                return Ok(None);
            };
            let size = header
                .entry_size()
                .map_err(|_| damaged("a size is no number"))?;
            match header.entry_type() {
                EntryType::XHeader => extensions.pax = parse_pax(&self.extension(size)?)?,
                EntryType::XGlobalHeader => drop(self.extension(size)?),
                EntryType::GNULongName => extensions.path = Some(c_string(self.extension(size)?)),
                EntryType::GNULongLink => extensions.link = Some(c_string(self.extension(size)?)),
                kind => return self.head(&header, kind, size, extensions).map(Some),
            }
        }
    }

    fn head(
        &mut self,
        header: &Header,
        kind: EntryType,
        size: u64,
        extensions: Extensions,
    ) -> Result<Head, UnpackError> {
        // An empty field is a zero: some writers leave owners out.
        let number = |field: io::Result<u64>, raw: &[u8]| {
            let is_empty = raw.iter().all(|byte| matches!(byte, 0 | b' '));
            let number = if is_empty { Ok(0) } else { field };
            number.map_err(|_| damaged("a field is no number"))
        };
        let mtime = header.mtime().unwrap_or(0);
        let device = |field: io::Result<Option<u32>>| field.ok().flatten().unwrap_or(0);
        let mut head = Head {
            path: extensions
                .path
                .unwrap_or_else(|| header.path_bytes().into_owned()),
            link: extensions
                .link
                .or_else(|| header.link_name_bytes().map(std::borrow::Cow::into_owned))
                .unwrap_or_default(),
            kind,
            size,
            mode: header.mode().map_err(|_| damaged("a field is no number"))? & 0o7777,
            uid: id(number(header.uid(), &header.as_old().uid)?)?,
            gid: id(number(header.gid(), &header.as_old().gid)?)?,
            // Base-256 times are signed; the crate reads them as unsigned.
            mtime: (mtime as i64, 0),
            device: (device(header.device_major()), device(header.device_minor())),
            xattrs: Vec::new(),
        };
        for (key, value) in extensions.pax {
            apply_pax(&mut head, &key, value)?;
        }
        // Some writers give links and directories a size; nothing follows them all the same.
        if !matches!(kind, EntryType::Regular | EntryType::Continuous) {
            head.size = 0;
        }
        // Before POSIX a directory was a file whose name ends in a slash.
        if kind == EntryType::Regular && head.path.ends_with(b"/") {
            head.kind = EntryType::Directory;
        }
        self.left = head.size;
        self.padding = (BLOCK - head.size % BLOCK) % BLOCK;
        Ok(head)
    }

    fn next_header(&mut self) -> Result<Option<Header>, UnpackError> {
        let mut zero_blocks = 0;
        loop {
            let mut header = Header::new_old();
            if !read_block(self.inner, header.as_mut_bytes())? {
                return Ok(None);
            }
            if header.as_bytes().iter().all(|&byte| byte == 0) {
                zero_blocks += 1;
                if zero_blocks == 2 {
                    return Ok(None);
                }
                continue;
            }
            let sum: u32 = (header.as_bytes()[..148].iter())
                .chain(&header.as_bytes()[156..])
                .map(|&byte| u32::from(byte))
                .sum::<u32>()
                + 8 * 32;
            if header.cksum().ok() != Some(sum) {
                return Err(damaged("a header's checksum does not match"));
            }
            return Ok(Some(header));
        }
    }

    fn extension(&mut self, size: u64) -> Result<Vec<u8>, UnpackError> {
        if size > EXTENSION_LEN_MAX {
            return Err(UnpackError::TooLarge {
                what: "bytes of extended header",
                limit: EXTENSION_LEN_MAX,
            });
        }
        self.left = size;
        self.padding = (BLOCK - size % BLOCK) % BLOCK;
        let mut bytes = Vec::with_capacity(size as usize);
        self.read_to_end(&mut bytes)?;
        if bytes.len() as u64 != size {
            return Err(damaged("it ends within a header"));
        }
        Ok(bytes)
    }

    fn skip_content(&mut self) -> Result<(), UnpackError> {
        let mut skip = (&mut *self.inner).take(self.left.saturating_add(self.padding));
        let wanted = skip.limit();
        let skipped = io::copy(&mut skip, &mut io::sink())?;
        (self.left, self.padding) = (0, 0);
        if skipped == wanted {
            Ok(())
        } else {
            Err(damaged("it ends within an entry"))
        }
    }
}

impl Read for TarStream<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let most = usize::try_from(self.left)
            .unwrap_or(usize::MAX)
            .min(buf.len());
        if most == 0 {
            return Ok(0);
        }
        let read = self.inner.read(&mut buf[..most])?;
        if read == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "unexpected EOF",
            ));
        }
        self.left -= read as u64;
        Ok(read)
    }
}

/// Fills the block; false when the stream ends before its first byte.
fn read_block(from: &mut dyn Read, block: &mut [u8; 512]) -> Result<bool, UnpackError> {
    let mut filled = 0;
    while filled < block.len() {
        match from.read(&mut block[filled..]) {
            Ok(0) if filled == 0 => return Ok(false),
            Ok(0) => return Err(damaged("it ends within a header")),
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(true)
}

/// Reads `"<length> <key>=<value>\n"` records.
fn parse_pax(mut bytes: &[u8]) -> Result<Vec<(String, Vec<u8>)>, UnpackError> {
    let bad = || damaged("a pax record is malformed");
    let mut records = Vec::new();
    while !bytes.is_empty() {
        let space = bytes
            .iter()
            .take(20)
            .position(|&byte| byte == b' ')
            .ok_or_else(bad)?;
        let length: usize = text(&bytes[..space])?.parse().map_err(|_| bad())?;
        if length <= space + 1 || length > bytes.len() || bytes[length - 1] != b'\n' {
            return Err(bad());
        }
        let record = &bytes[space + 1..length - 1];
        let equals = record
            .iter()
            .position(|&byte| byte == b'=')
            .ok_or_else(bad)?;
        records.push((
            text(&record[..equals])?.to_owned(),
            record[equals + 1..].to_vec(),
        ));
        bytes = &bytes[length..];
    }
    Ok(records)
}

fn apply_pax(head: &mut Head, key: &str, value: Vec<u8>) -> Result<(), UnpackError> {
    let number = |value: &[u8]| -> Result<u64, UnpackError> {
        text(value)?
            .parse()
            .map_err(|_| damaged("a pax number is malformed"))
    };
    match key {
        "path" => head.path = value,
        "linkpath" => head.link = value,
        "size" => head.size = number(&value)?,
        "uid" => head.uid = id(number(&value)?)?,
        "gid" => head.gid = id(number(&value)?)?,
        "mtime" => {
            head.mtime = pax_time(text(&value)?).ok_or(damaged("a pax time is malformed"))?;
        }
        _ if key.starts_with("GNU.sparse.") => {
            return Err(UnpackError::Refused {
                path: head.shown(),
                why: "sparse files are not read",
            });
        }
        _ => {
            if let Some(name) = key.strip_prefix("SCHILY.xattr.") {
                head.xattrs.push((name.to_owned(), value));
            }
        }
    }
    Ok(())
}

/// `seconds[.fraction]`, seconds possibly negative.
fn pax_time(text: &str) -> Option<(i64, u32)> {
    let (seconds, fraction) = text.split_once('.').unwrap_or((text, ""));
    if !fraction.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let nanos = format!("{fraction:0<9.9}").parse().ok()?;
    Some((seconds.parse().ok()?, nanos))
}

/// User and group ids: -1 means "unchanged" to chown, so it is no id.
fn id(number: u64) -> Result<u32, UnpackError> {
    let id = u32::try_from(number).ok().filter(|&id| id != u32::MAX);
    id.ok_or(damaged("an owner's number is out of range"))
}

fn c_string(mut bytes: Vec<u8>) -> Vec<u8> {
    let end = bytes
        .iter()
        .position(|&byte| byte == 0)
        .unwrap_or(bytes.len());
    bytes.truncate(end);
    bytes
}

fn text(bytes: &[u8]) -> Result<&str, UnpackError> {
    std::str::from_utf8(bytes).map_err(|_| damaged("a pax record is not UTF-8"))
}

fn damaged(why: &'static str) -> UnpackError {
    UnpackError::Damaged { why }
}
