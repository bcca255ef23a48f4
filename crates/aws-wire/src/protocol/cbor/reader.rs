//! Reads CBOR: lengths stated or not, numbers of every width, tags passed over.

use aws_api::description::StructDescription;
use aws_api::{ReadError, ShapeReader};
use aws_types::Timestamp;

/// Containers inside one another.
const DEPTH_MAX: usize = 64;
/// RFC 8949, 3.3: what ends a container without a stated length.
const BREAK: u8 = 0xff;

/// Reads CBOR.
#[derive(Debug)]
pub struct CborReader<'a> {
    rest: &'a [u8],
    open: Vec<Open>,
}

/// An open map or array.
#[derive(Debug)]
struct Open {
    /// Entries that follow; `None` where a break ends it.
    left: Option<u64>,
    /// Where to look for the next member first.
    hint: usize,
}

/// What an item begins with.
#[derive(Clone, Copy, Debug)]
struct Start {
    major: u8,
    info: u8,
    /// Its argument; `None` where no length is stated.
    value: Option<u64>,
}

fn malformed() -> ReadError {
    ReadError::new("the body is no CBOR")
}

fn wrong(wanted: &str) -> ReadError {
    ReadError::new(format!("a value can not be converted to {wanted}"))
}

impl<'a> CborReader<'a> {
    /// Reads this body. An empty one is an empty map: operations without input send none.
    #[must_use]
    pub fn new(body: &'a [u8]) -> Self {
        Self {
            rest: body,
            open: Vec::new(),
        }
    }

    /// That nothing follows.
    ///
    /// # Errors
    /// Something does.
    pub fn finish(&self) -> Result<(), ReadError> {
        match self.rest {
            [] => Ok(()),
            _ => Err(malformed()),
        }
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], ReadError> {
        let (taken, rest) = self.rest.split_at_checked(len).ok_or_else(malformed)?;
        self.rest = rest;
        Ok(taken)
    }

    fn byte(&mut self) -> Result<u8, ReadError> {
        Ok(self.take(1)?[0])
    }

    /// A tag says what a value means; the shape says so too.
    fn pass_tags(&mut self) -> Result<(), ReadError> {
        while self.rest.first().is_some_and(|first| first >> 5 == 6) {
            self.one_start()?;
        }
        Ok(())
    }

    /// The start of the next item that is no tag.
    fn start(&mut self) -> Result<Start, ReadError> {
        self.pass_tags()?;
        self.one_start()
    }

    fn one_start(&mut self) -> Result<Start, ReadError> {
        let first = self.byte()?;
        let (major, info) = (first >> 5, first & 0x1f);
        let argument = |bytes: &[u8]| {
            let bytes = bytes.iter();
            bytes.fold(0, |sum, byte| sum << 8 | u64::from(*byte))
        };
        let value = match info {
            0..=23 => Some(u64::from(info)),
            24..=27 => Some(argument(self.take(1 << (info - 24))?)),
            31 if (2..=5).contains(&major) => None,
            _ => return Err(malformed()),
        };
        Ok(Start { major, info, value })
    }

    fn enter(&mut self, major: u8, wanted: &str) -> Result<(), ReadError> {
        let start = self.start()?;
        if start.major != major {
            return Err(wrong(wanted));
        }
        if self.open.len() >= DEPTH_MAX {
            return Err(ReadError::new("the body is nested too deep"));
        }
        self.open.push(Open {
            left: start.value,
            hint: 0,
        });
        Ok(())
    }

    /// Whether another entry follows; otherwise the innermost container is left.
    fn more(&mut self) -> Result<bool, ReadError> {
        let open = self.open.last_mut().ok_or_else(malformed)?;
        let more = match &mut open.left {
            Some(0) => false,
            Some(left) => {
                *left -= 1;
                true
            }
            None => match self.rest {
                [BREAK, rest @ ..] => {
                    self.rest = rest;
                    false
                }
                _ => true,
            },
        };
        if !more {
            self.open.pop();
        }
        Ok(more)
    }

    /// Whether the value here is null or undefined; it is then behind us.
    fn null(&mut self) -> bool {
        match self.rest {
            [0xf6 | 0xf7, rest @ ..] => {
                self.rest = rest;
                true
            }
            _ => false,
        }
    }

    /// Bytes of a text or byte string, perhaps in pieces.
    fn string_of(&mut self, major: u8, wanted: &str) -> Result<Vec<u8>, ReadError> {
        let start = self.start()?;
        if start.major != major {
            return Err(wrong(wanted));
        }
        let taken = |reader: &mut Self, len: u64| {
            let len = usize::try_from(len).map_err(|_| malformed())?;
            reader.take(len)
        };
        if let Some(len) = start.value {
            return Ok(taken(self, len)?.to_vec());
        }
        let mut whole = Vec::new();
        while self.rest.first() != Some(&BREAK) {
            let piece = self.start()?;
            let len = piece.value.filter(|_| piece.major == major);
            whole.extend_from_slice(taken(self, len.ok_or_else(malformed)?)?);
        }
        self.byte()?;
        Ok(whole)
    }

    fn number(&mut self, wanted: &str) -> Result<f64, ReadError> {
        let start = self.start()?;
        let bits = start.value.unwrap_or_default();
        Ok(match (start.major, start.info) {
            (0, _) => bits as f64,
            (1, _) => -1.0 - bits as f64,
            // The widths say that the bits fit.
            (7, 25) => half(bits as u16),
            (7, 26) => f64::from(f32::from_bits(bits as u32)),
            (7, 27) => f64::from_bits(bits),
            _ => return Err(wrong(wanted)),
        })
    }

    /// Skips any value.
    fn skip(&mut self) -> Result<(), ReadError> {
        self.pass_tags()?;
        match self.rest.first().map(|first| first >> 5) {
            Some(major @ (2 | 3)) => self.string_of(major, "").map(drop),
            Some(4) => {
                self.enter(4, "")?;
                while self.more()? {
                    self.skip()?;
                }
                Ok(())
            }
            Some(5) => {
                self.enter(5, "")?;
                while self.more()? {
                    self.skip()?;
                    self.skip()?;
                }
                Ok(())
            }
            _ => self.start().map(drop),
        }
    }
}

/// A number of 16 bits. Rule: RFC 8949, appendix D.
fn half(bits: u16) -> f64 {
    let (exponent, mantissa) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    let size = match exponent {
        0 => mantissa * 2f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (mantissa + 1024.0) * 2f64.powi(exponent - 25),
    };
    if bits & 0x8000 == 0 { size } else { -size }
}

impl ShapeReader for CborReader<'_> {
    fn begin_struct(&mut self, description: &'static StructDescription) -> Result<(), ReadError> {
        self.enter(5, description.name)
    }

    fn next_member(
        &mut self,
        description: &'static StructDescription,
    ) -> Result<Option<usize>, ReadError> {
        while self.more()? {
            let name = self.string_of(3, "a name")?;
            if self.null() {
                continue;
            }
            let hint = self.open.last().map_or(0, |open| open.hint);
            if let Some(index) = description.find(&name, hint) {
                if let Some(open) = self.open.last_mut() {
                    open.hint = index + 1;
                }
                return Ok(Some(index));
            }
            self.skip()?;
        }
        Ok(None)
    }

    fn begin_list(&mut self) -> Result<(), ReadError> {
        self.enter(4, "a list")
    }

    fn next_element(&mut self) -> Result<bool, ReadError> {
        while self.more()? {
            if !self.null() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn begin_map(&mut self) -> Result<(), ReadError> {
        self.enter(5, "a map")
    }

    fn next_key(&mut self) -> Result<Option<String>, ReadError> {
        while self.more()? {
            let key = self.string()?;
            if !self.null() {
                return Ok(Some(key));
            }
        }
        Ok(None)
    }

    fn string(&mut self) -> Result<String, ReadError> {
        String::from_utf8(self.string_of(3, "a String")?).map_err(|_| malformed())
    }

    fn boolean(&mut self) -> Result<bool, ReadError> {
        match self.byte()? {
            0xf4 => Ok(false),
            0xf5 => Ok(true),
            _ => Err(wrong("Boolean")),
        }
    }

    fn integer(&mut self) -> Result<i32, ReadError> {
        i32::try_from(self.long()?).map_err(|_| wrong("an Integer"))
    }

    fn long(&mut self) -> Result<i64, ReadError> {
        let start = self.start()?;
        let value = start.value.and_then(|value| i64::try_from(value).ok());
        match (start.major, value) {
            (0, Some(value)) => Ok(value),
            (1, Some(value)) => Ok(-1 - value),
            _ => Err(wrong("a whole number")),
        }
    }

    fn double(&mut self) -> Result<f64, ReadError> {
        self.number("a Double")
    }

    fn timestamp(&mut self) -> Result<Timestamp, ReadError> {
        let seconds = self.number("a Timestamp")?;
        match seconds.is_finite() {
            true => Ok(Timestamp::from_seconds_f64(seconds)),
            false => Err(wrong("a Timestamp")),
        }
    }

    fn blob(&mut self) -> Result<Vec<u8>, ReadError> {
        self.string_of(2, "a blob")
    }
}
