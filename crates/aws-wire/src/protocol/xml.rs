//! XML answers of the query protocols: `<XResponse><XResult>…</XResult><ResponseMetadata>…`, and EC2's
//! `<XResponse><requestId>…</requestId>…`.

use aws_api::description::{Member, StructDescription};
use aws_api::{OperationDescription, ShapeWriter};
use aws_types::{AwsError, Timestamp};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Writes the members of one output.
#[derive(Debug, Default)]
pub struct XmlWriter {
    out: String,
    open: Vec<Open>,
    /// Name and element name of the member whose value comes next.
    pending: Option<(String, Option<&'static str>)>,
}

/// What is being written.
#[derive(Debug)]
enum Open {
    /// A structure, with the element around it (none for the outermost).
    Element(Option<String>),
    /// A list: the element around it (none where flattened) and that of its elements.
    List(Option<String>, String),
}

impl XmlWriter {
    /// The members' elements.
    #[must_use]
    pub fn into_members(self) -> String {
        self.out
    }

    fn take_name(&mut self) -> Option<String> {
        self.pending.take().map(|(name, _)| name)
    }

    fn start(&mut self, name: &str) {
        self.out.push('<');
        self.out.push_str(name);
        self.out.push('>');
    }

    fn end(&mut self, name: &str) {
        self.out.push_str("</");
        self.out.push_str(name);
        self.out.push('>');
    }

    fn text(&mut self, text: &str) {
        let name = self.take_name().unwrap_or_default();
        self.start(&name);
        escape(&mut self.out, text);
        self.end(&name);
    }

    fn close(&mut self) {
        if let Some(Open::Element(Some(name)) | Open::List(Some(name), _)) = self.open.pop() {
            self.end(&name);
        }
    }
}

impl ShapeWriter for XmlWriter {
    fn begin_struct(&mut self, _: &'static StructDescription) {
        let name = self.take_name();
        if let Some(name) = &name {
            self.start(name);
        }
        self.open.push(Open::Element(name));
    }
    fn member(&mut self, member: &'static Member) {
        self.pending = Some((member.name.to_owned(), member.item_name));
    }
    fn end_struct(&mut self) {
        self.close();
    }
    fn begin_list(&mut self, _: usize) {
        let (name, item) = self.pending.take().unwrap_or_default();
        match item {
            Some(item) => {
                self.start(&name);
                self.open.push(Open::List(Some(name), item.to_owned()));
            }
            None => self.open.push(Open::List(None, name)),
        }
    }
    fn element(&mut self) {
        if let Some(Open::List(_, item)) = self.open.last() {
            self.pending = Some((item.clone(), Some("member")));
        }
    }
    fn end_list(&mut self) {
        self.close();
    }
    fn begin_map(&mut self, _: usize) {
        let name = self.take_name().unwrap_or_default();
        self.start(&name);
        self.open.push(Open::List(Some(name), "entry".into()));
    }
    fn key(&mut self, key: &str) {
        // An entry ends where the next one begins, or with the map.
        if self.out.ends_with("</value>") {
            self.out.push_str("</entry>");
        }
        self.out.push_str("<entry><key>");
        escape(&mut self.out, key);
        self.out.push_str("</key>");
        self.pending = Some(("value".into(), Some("member")));
    }
    fn end_map(&mut self) {
        if self.out.ends_with("</value>") {
            self.out.push_str("</entry>");
        }
        self.close();
    }
    fn string(&mut self, value: &str) {
        self.text(value);
    }
    fn boolean(&mut self, value: bool) {
        self.text(if value { "true" } else { "false" });
    }
    fn long(&mut self, value: i64) {
        self.text(&value.to_string());
    }
    fn double(&mut self, value: f64) {
        self.text(&format!("{value:?}"));
    }
    fn float(&mut self, value: f32) {
        self.text(&format!("{value:?}"));
    }
    fn timestamp(&mut self, value: Timestamp) {
        self.text(&value.iso8601());
    }
    fn blob(&mut self, value: &[u8]) {
        self.text(&STANDARD.encode(value));
    }
    fn null(&mut self) {
        self.text("");
    }
}

/// The whole answer around the members.
#[must_use]
pub fn response(
    operation: &OperationDescription,
    namespace: &str,
    request_id: &str,
    members: String,
) -> Vec<u8> {
    let name = operation.name;
    let result = match operation.result_wrapper {
        Some(wrapper) => format!("<{wrapper}>{members}</{wrapper}>"),
        None => members,
    };
    format!("<{name}Response xmlns=\"{namespace}\">{result}<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{name}Response>").into_bytes()
}

/// The whole answer of EC2 around the members.
#[must_use]
pub fn ec2_response(
    operation: &OperationDescription,
    namespace: &str,
    request_id: &str,
    members: &str,
) -> Vec<u8> {
    let name = operation.name;
    format!("<{name}Response xmlns=\"{namespace}/\"><requestId>{request_id}</requestId>{members}</{name}Response>").into_bytes()
}

/// The whole answer of EC2 for an error.
#[must_use]
pub fn ec2_error(error: &AwsError, request_id: &str) -> Vec<u8> {
    let mut message = String::new();
    escape(&mut message, error.message());
    let code = error.code().name;
    format!("<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors><RequestID>{request_id}</RequestID></Response>").into_bytes()
}

/// The whole answer for an error.
#[must_use]
pub fn error(namespace: &str, fault: &str, error: &AwsError, request_id: &str) -> Vec<u8> {
    let mut message = String::new();
    escape(&mut message, error.message());
    let code = error.code().name;
    format!("<ErrorResponse xmlns=\"{namespace}\"><Error><Type>{fault}</Type><Code>{code}</Code><Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>").into_bytes()
}

fn escape(out: &mut String, text: &str) {
    for letter in text.chars() {
        match letter {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xD;"),
            // XML 1.0 has no other control characters.
            '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' => {
                out.push(char::REPLACEMENT_CHARACTER);
            }
            other => out.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a reader of XML makes of the text between two tags.
    fn read(text: &str) -> String {
        let text = text
            .replace("&lt;", "<")
            .replace("&gt;", ">")
            .replace("&quot;", "\"")
            .replace("&#xD;", "\r");
        text.replace("&amp;", "&")
    }

    proptest! {
        #[test]
        fn any_text_is_written_so_that_it_reads_back(text in any::<String>()) {
            let mut out = String::new();
            escape(&mut out, &text);
            prop_assert!(!out.contains(['<', '>', '"', '\r']), "{}", out);
            let writable = |letter: char| letter >= ' ' || matches!(letter, '\t' | '\n' | '\r');
            let expected: String = text
                .chars()
                .map(|letter| if writable(letter) { letter } else { char::REPLACEMENT_CHARACTER })
                .collect();
            prop_assert_eq!(read(&out), expected);
        }
    }
}
