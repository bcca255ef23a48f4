//! Bounds what a request's input may hold, whatever its protocol: a byte of CBOR is a whole structure, and
//! input is read before it is known whether the caller may ask.

use aws_api::description::StructDescription;
use aws_api::{ReadError, ShapeReader};
use aws_types::Timestamp;

/// Structures of one request. The most that operations take are PutMetricData's: a thousand data, each with
/// thirty dimensions.
const STRUCTURES_MAX: usize = 40_000;
/// Elements of lists and entries of maps together: a thousand data have 330,000 of them.
const ELEMENTS_MAX: usize = 400_000;

/// A reader that ends with an error where there is too much.
pub struct Bounded<'r> {
    reader: &'r mut dyn ShapeReader,
    structures: usize,
    elements: usize,
}

impl<'r> Bounded<'r> {
    /// What this one reads, and no more than a request may hold.
    pub fn new(reader: &'r mut dyn ShapeReader) -> Self {
        Self {
            reader,
            structures: STRUCTURES_MAX,
            elements: ELEMENTS_MAX,
        }
    }
}

fn take(left: &mut usize) -> Result<(), ReadError> {
    let after = left.checked_sub(1);
    *left = after.ok_or_else(|| ReadError::new("the request has too many elements"))?;
    Ok(())
}

impl ShapeReader for Bounded<'_> {
    fn begin_struct(&mut self, description: &'static StructDescription) -> Result<(), ReadError> {
        take(&mut self.structures)?;
        self.reader.begin_struct(description)
    }
    fn next_member(
        &mut self,
        description: &'static StructDescription,
    ) -> Result<Option<usize>, ReadError> {
        self.reader.next_member(description)
    }
    fn begin_list(&mut self) -> Result<(), ReadError> {
        self.reader.begin_list()
    }
    fn next_element(&mut self) -> Result<bool, ReadError> {
        take(&mut self.elements)?;
        self.reader.next_element()
    }
    fn begin_map(&mut self) -> Result<(), ReadError> {
        self.reader.begin_map()
    }
    fn next_key(&mut self) -> Result<Option<String>, ReadError> {
        take(&mut self.elements)?;
        self.reader.next_key()
    }
    fn string(&mut self) -> Result<String, ReadError> {
        self.reader.string()
    }
    fn boolean(&mut self) -> Result<bool, ReadError> {
        self.reader.boolean()
    }
    fn integer(&mut self) -> Result<i32, ReadError> {
        self.reader.integer()
    }
    fn long(&mut self) -> Result<i64, ReadError> {
        self.reader.long()
    }
    fn double(&mut self) -> Result<f64, ReadError> {
        self.reader.double()
    }
    fn timestamp(&mut self) -> Result<Timestamp, ReadError> {
        self.reader.timestamp()
    }
    fn blob(&mut self) -> Result<Vec<u8>, ReadError> {
        self.reader.blob()
    }
    fn document(&mut self) -> Result<serde_json::Value, ReadError> {
        self.reader.document()
    }
}

#[cfg(test)]
mod tests {
    use super::super::cbor::CborReader;
    use super::*;
    use aws_api::Shape;
    use aws_api::cloudwatch::{MetricDatum, PutMetricDataInput};

    /// `{NAME: [ELEMENT, …]}`.
    fn list(name: &str, element: u8, count: usize) -> Vec<u8> {
        let mut bytes = vec![0xa1, 0x60 | name.len() as u8];
        bytes.extend_from_slice(name.as_bytes());
        bytes.push(0x9f);
        bytes.extend(std::iter::repeat_n(element, count));
        bytes.push(0xff);
        bytes
    }

    fn is_read<T: Shape>(bytes: &[u8]) -> bool {
        let mut reader = CborReader::new(bytes);
        T::read(&mut Bounded::new(&mut reader)).is_ok()
    }

    #[test]
    fn a_request_holds_so_much_and_no_more() {
        let structures = |count| is_read::<PutMetricDataInput>(&list("MetricData", 0xa0, count));
        assert!(structures(STRUCTURES_MAX - 1));
        assert!(!structures(STRUCTURES_MAX));
        let numbers = |count| is_read::<MetricDatum>(&list("Values", 0x01, count));
        assert!(numbers(ELEMENTS_MAX - 1));
        assert!(!numbers(ELEMENTS_MAX));
    }
}
