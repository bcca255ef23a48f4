//! Input of the query protocols: a form whose names are paths. awsQuery: `Names.member.1`,
//! `Map.entry.1.key`. ec2Query: `Name.1`, every list flattened, every name the one of forms.

use crate::head::pairs;
use aws_api::description::{Member, StructDescription};
use aws_api::{ReadError, ShapeReader};
use aws_types::{AwsError, ErrorCode, Timestamp, codes};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use std::collections::BTreeMap;

/// Elements of one list or map; a form cannot name more.
const ELEMENTS_MAX: usize = 10_000;

/// The error under the query protocol's own name, where it is one that every service has.
/// Rule: "Common Error Types" of the query services' API references.
pub(super) fn in_its_words(error: &AwsError) -> AwsError {
    let code = match error.code() {
        codes::ACCESS_DENIED => ErrorCode::sender("AccessDenied", 403),
        codes::THROTTLING => ErrorCode::sender("Throttling", 400),
        codes::SERIALIZATION => ErrorCode::sender("MalformedInput", 400),
        _ => return error.clone(),
    };
    code.with(error.message())
}

/// Which of the two query protocols a form is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// awsQuery.
    Aws,
    /// ec2Query.
    Ec2,
}

impl Dialect {
    fn name(self, member: &Member) -> &'static str {
        match self {
            Self::Aws => member.name,
            Self::Ec2 => member.query_name.unwrap_or(member.name),
        }
    }

    fn element_path(self, member: &Member, path: String) -> String {
        match member.item_name {
            Some(item) if self == Self::Aws => format!("{path}.{item}"),
            _ => path,
        }
    }
}

/// Reads a form.
#[derive(Debug)]
pub struct QueryReader {
    dialect: Dialect,
    values: BTreeMap<String, String>,
    /// The path of the value to be read next.
    path: String,
    open: Vec<Open>,
}

#[derive(Debug)]
enum Open {
    /// A structure: its path, and the member to look at next.
    Structure { path: String, next: usize },
    /// A list: the path of its elements, and the number of the next one.
    List { path: String, next: usize },
    /// A map, likewise.
    Map { path: String, next: usize },
}

impl QueryReader {
    /// A reader over the pairs of a body and of a query; the body's win.
    #[must_use]
    pub fn new(dialect: Dialect, form: &str, query: &str) -> Self {
        let mut values: BTreeMap<String, String> = pairs(query).collect();
        values.extend(pairs(form));
        Self {
            dialect,
            values,
            path: String::new(),
            open: Vec::new(),
        }
    }

    fn joined(path: &str, name: &str) -> String {
        if path.is_empty() {
            name.to_owned()
        } else {
            format!("{path}.{name}")
        }
    }

    /// Whether a value stands at this path or below it.
    fn has(&self, path: &str) -> bool {
        let below = format!("{path}.");
        self.values.contains_key(path)
            || self
                .values
                .range(below.clone()..)
                .next()
                .is_some_and(|(name, _)| name.starts_with(&below))
    }

    fn scalar(&self) -> Result<&str, ReadError> {
        self.values
            .get(&self.path)
            .map(String::as_str)
            .ok_or_else(|| ReadError::new(format!("{} has no value", self.path)))
    }

    fn parsed<T: std::str::FromStr>(&self, what: &str) -> Result<T, ReadError> {
        self.scalar()?
            .parse()
            .map_err(|_| ReadError::new(format!("{} must be {what}", self.path)))
    }
}

impl ShapeReader for QueryReader {
    fn begin_struct(&mut self, _: &'static StructDescription) -> Result<(), ReadError> {
        self.open.push(Open::Structure {
            path: self.path.clone(),
            next: 0,
        });
        Ok(())
    }

    fn next_member(
        &mut self,
        description: &'static StructDescription,
    ) -> Result<Option<usize>, ReadError> {
        let Some(Open::Structure { path, next }) = self.open.last() else {
            return Ok(None);
        };
        let (path, next) = (path.clone(), *next);
        for (index, member) in description.members.iter().enumerate().skip(next) {
            let at = Self::joined(&path, self.dialect.name(member));
            if self.has(&at) {
                if let Some(Open::Structure { next, .. }) = self.open.last_mut() {
                    *next = index + 1;
                }
                self.path = match member.kind {
                    aws_api::Kind::List(_) => self.dialect.element_path(member, at),
                    _ => at,
                };
                return Ok(Some(index));
            }
        }
        self.open.pop();
        Ok(None)
    }

    fn begin_list(&mut self) -> Result<(), ReadError> {
        self.open.push(Open::List {
            path: self.path.clone(),
            next: 1,
        });
        Ok(())
    }

    fn next_element(&mut self) -> Result<bool, ReadError> {
        let Some(Open::List { path, next }) = self.open.last_mut() else {
            return Ok(false);
        };
        let at = format!("{path}.{next}");
        *next += 1;
        let within = *next <= ELEMENTS_MAX;
        if within && self.has(&at) {
            self.path = at;
            return Ok(true);
        }
        self.open.pop();
        Ok(false)
    }

    fn begin_map(&mut self) -> Result<(), ReadError> {
        self.open.push(Open::Map {
            path: self.path.clone(),
            next: 1,
        });
        Ok(())
    }

    fn next_key(&mut self) -> Result<Option<String>, ReadError> {
        let Some(Open::Map { path, next }) = self.open.last_mut() else {
            return Ok(None);
        };
        let at = format!("{path}.entry.{next}");
        *next += 1;
        if *next <= ELEMENTS_MAX
            && let Some(key) = self.values.get(&format!("{at}.key"))
        {
            let key = key.clone();
            self.path = format!("{at}.value");
            return Ok(Some(key));
        }
        self.open.pop();
        Ok(None)
    }

    fn string(&mut self) -> Result<String, ReadError> {
        self.scalar().map(str::to_owned)
    }

    fn boolean(&mut self) -> Result<bool, ReadError> {
        self.parsed("true or false")
    }

    fn integer(&mut self) -> Result<i32, ReadError> {
        self.parsed("a whole number")
    }

    fn long(&mut self) -> Result<i64, ReadError> {
        self.parsed("a whole number")
    }

    fn double(&mut self) -> Result<f64, ReadError> {
        self.parsed("a number")
    }

    fn timestamp(&mut self) -> Result<Timestamp, ReadError> {
        let text = self.scalar()?;
        let compact: String = text.chars().filter(|c| !matches!(c, '-' | ':')).collect();
        let whole = compact
            .split_once('.')
            .map_or(compact.clone(), |(whole, _)| format!("{whole}Z"));
        Timestamp::parse_sigv4(&whole)
            .ok_or_else(|| ReadError::new(format!("{} must be an ISO 8601 date", self.path)))
    }

    fn blob(&mut self) -> Result<Vec<u8>, ReadError> {
        STANDARD
            .decode(self.scalar()?)
            .map_err(|_| ReadError::new(format!("{} is no base64", self.path)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::{Shape, ecs};
    use proptest::prelude::*;

    #[test]
    fn paths_lead_to_members_lists_and_structures() {
        let form = "cluster=c%20d&count=2&tags.member.1.key=a&tags.member.1.value=b&tags.member.2.key=x&enableECSManagedTags=true";
        let request =
            ecs::RunTaskRequest::read(&mut QueryReader::new(Dialect::Aws, form, "")).unwrap();
        assert_eq!(request.cluster.as_deref(), Some("c d"));
        assert_eq!(request.count, Some(2));
        assert_eq!(request.tags.unwrap().len(), 2);
        let wrong = &mut QueryReader::new(Dialect::Aws, "count=two", "");
        assert!(ecs::RunTaskRequest::read(wrong).is_err());
    }

    proptest! {
        #[test]
        fn no_form_makes_it_panic(form in "([a-zA-Z.0-9%]{0,20}=[a-z0-9%]{0,5}&){0,8}", query in ".{0,30}") {
            for dialect in [Dialect::Aws, Dialect::Ec2] {
                let _ = ecs::RunTaskRequest::read(&mut QueryReader::new(dialect, &form, &query));
            }
        }
    }
}
