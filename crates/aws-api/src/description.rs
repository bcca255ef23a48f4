//! What a service, a structure and a member are, as data: the tables that generated code consists
//! of, and that codecs, validation and tests of coverage walk.

use regex::Regex;
use std::sync::OnceLock;

/// A structure of the model.
#[derive(Debug)]
pub struct StructDescription {
    /// As the model names it.
    pub name: &'static str,
    /// Its members; generated code refers to them by index.
    pub members: &'static [Member],
}

impl StructDescription {
    /// The member of this wire name. `hint` is where to look first.
    #[must_use]
    pub fn find(&self, name: &[u8], hint: usize) -> Option<usize> {
        let is = |index: &usize| self.members[*index].name.as_bytes() == name;
        let count = self.members.len();
        let hint = hint.min(count);
        (hint..count).find(is).or_else(|| (0..hint).find(is))
    }
}

/// A member of a structure.
#[derive(Debug)]
pub struct Member {
    /// As the wire has it.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// The model says that it must be sent.
    pub required: bool,
    /// What the model asks of its value, for services whose constraints are checked.
    pub rules: Option<&'static Rules>,
    /// Name of a list's element in XML and query; `None` where the list is flattened.
    pub item_name: Option<&'static str>,
    /// As an ec2Query form has it, where that is another name.
    pub query_name: Option<&'static str>,
}

impl Member {
    /// A member without constraints.
    #[must_use]
    pub const fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            required: false,
            rules: None,
            item_name: Some("member"),
            query_name: None,
        }
    }

    /// The same, required.
    #[must_use]
    pub const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    /// The same, with constraints.
    #[must_use]
    pub const fn rules(mut self, rules: &'static Rules) -> Self {
        self.rules = Some(rules);
        self
    }

    /// The same, so named in ec2Query forms.
    #[must_use]
    pub const fn query_name(mut self, name: &'static str) -> Self {
        self.query_name = Some(name);
        self
    }

    /// The same, its elements so named in XML and query.
    #[must_use]
    pub const fn item_name(mut self, name: Option<&'static str>) -> Self {
        self.item_name = name;
        self
    }
}

/// The type of a value.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// `bool`.
    Boolean,
    /// `i32`.
    Integer,
    /// `i64`.
    Long,
    /// `f32`.
    Float,
    /// `f64`.
    Double,
    /// `String`, and enums.
    String,
    /// `Timestamp`.
    Timestamp,
    /// `Vec<u8>`.
    Blob,
    /// `Document`.
    Document,
    /// A structure.
    Structure(&'static StructDescription),
    /// `Vec` of this.
    List(&'static Kind),
    /// `BTreeMap<String, _>` of this.
    Map(&'static Kind),
}

/// What the model asks of a value.
#[derive(Debug)]
pub struct Rules {
    /// Least length (in characters or elements) or value.
    pub min: Option<f64>,
    /// Greatest length or value.
    pub max: Option<f64>,
    /// The whole text must match.
    pub pattern: Option<Pattern>,
    /// The text must be one of these.
    pub values: &'static [&'static str],
    /// Rules of a list's elements or a map's values.
    pub item: Option<&'static Rules>,
    /// Rules of a map's keys.
    pub key: Option<&'static Rules>,
}

impl Rules {
    /// No rule at all: the base of generated ones.
    pub const NONE: Self = Self {
        min: None,
        max: None,
        pattern: None,
        values: &[],
        item: None,
        key: None,
    };
}

/// A regular expression of the model, compiled when first asked.
#[derive(Debug)]
pub struct Pattern {
    /// As the model has it; it stands in the refusal's text.
    pub text: &'static str,
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    /// A pattern, not yet compiled.
    #[must_use]
    pub const fn new(text: &'static str) -> Self {
        Self {
            text,
            compiled: OnceLock::new(),
        }
    }

    /// Whether the whole of `value` matches. A pattern outside our engine's syntax matches all:
    /// a test shows that the generated ones compile.
    #[must_use]
    pub fn matches(&self, value: &str) -> bool {
        self.regex().is_none_or(|regex| regex.is_match(value))
    }

    /// The compiled form, if our engine knows the syntax.
    pub fn regex(&self) -> Option<&Regex> {
        let compile = || Regex::new(&format!("^(?:{})$", without_lookahead(self.text))).ok();
        self.compiled.get_or_init(compile).as_ref()
    }
}

/// A pattern without its lookaheads, which our engine lacks: what they demand besides, the service's
/// own rules check.
fn without_lookahead(text: &str) -> String {
    let mut kept = String::new();
    let mut rest = text;
    while let Some(at) = rest.find("(?=").or_else(|| rest.find("(?!")) {
        kept.push_str(&rest[..at]);
        let Some(end) = rest[at..].find(')') else {
            break;
        };
        rest = &rest[at + end + 1..];
    }
    kept.push_str(rest);
    kept
}

/// How a service's requests and answers look on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Protocol {
    /// `application/x-amz-json-1.0`.
    AwsJson10,
    /// `application/x-amz-json-1.1`.
    AwsJson11,
    /// Form in, XML out.
    AwsQuery,
    /// The same with EC2's own names, lists and envelope.
    Ec2Query,
    /// `application/cbor`, the operation in the path (Smithy RPC v2).
    RpcV2Cbor,
}

/// A service: what routing and codecs know of it.
#[derive(Debug)]
pub struct ServiceDescription {
    /// Our name of it, that of its AWS command, e.g. `ecs`.
    pub name: &'static str,
    /// The service in SigV4's credential scope.
    pub signing_name: &'static str,
    /// What stands before the dot in `X-Amz-Target`.
    pub target_prefix: Option<&'static str>,
    /// E.g. `2014-11-13`.
    pub api_version: &'static str,
    /// Of XML answers.
    pub xml_namespace: Option<&'static str>,
    /// The protocols the model offers.
    pub protocols: &'static [Protocol],
    /// Of a service that was a query service once: errors whose code of that time is not their
    /// shape's name, as (code, shape). Ours carry the code; JSON and CBOR show the shape, and the code beside it.
    pub query_errors: Option<&'static [(&'static str, &'static str)]>,
    /// Whether the model's constraints are checked.
    pub validate: bool,
    /// Every operation AWS has, sorted.
    pub names: &'static [&'static str],
    /// The served ones, sorted by name.
    pub operations: &'static [OperationDescription],
}

impl ServiceDescription {
    /// The served operation of this name.
    #[must_use]
    pub fn operation(&self, name: &str) -> Option<&'static OperationDescription> {
        let found = self.operations.binary_search_by(|o| o.name.cmp(name));
        found.ok().map(|index| &self.operations[index])
    }

    /// Whether AWS has an operation of this name, served here or not.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.names.binary_search(&name).is_ok()
    }
}

/// A served operation.
#[derive(Debug)]
pub struct OperationDescription {
    /// As the model names it.
    pub name: &'static str,
    /// Type of the input, a structure.
    pub input: Kind,
    /// Type of the output, a structure.
    pub output: Kind,
    /// The element around the members of a query answer.
    pub result_wrapper: Option<&'static str>,
    /// Names of the errors the model lists.
    pub errors: &'static [&'static str],
}
