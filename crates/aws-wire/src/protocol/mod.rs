//! One codec per protocol over the shapes of `aws-api`, and what an answer looks like around it.

mod ec2;
pub mod json;
mod query;
mod xml;

pub use ec2::{dry_run_operation, is_dry_run};

use crate::Route;
use aws_api::{Protocol, ReadError, ShapeReader, ShapeWriter};
use aws_types::{AwsError, Fault, codes};

/// An answer's bytes and headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// HTTP status.
    pub status: u16,
    /// The header `Content-Type`.
    pub content_type: &'static str,
    /// The header `x-amzn-ErrorType`, where it is an error.
    pub error_type: Option<&'static str>,
    /// The body.
    pub body: Vec<u8>,
}

/// Hands a reader of the request's input to `read`.
///
/// # Errors
/// The input is malformed, or `read`'s own.
pub fn decode<T>(
    route: &Route,
    body: &[u8],
    query: &str,
    read: impl FnOnce(&mut dyn ShapeReader) -> Result<T, ReadError>,
) -> Result<T, AwsError> {
    match route.protocol {
        Protocol::AwsJson10 | Protocol::AwsJson11 => {
            let body = if body.iter().all(u8::is_ascii_whitespace) {
                b"{}"
            } else {
                body
            };
            let mut reader = json::JsonReader::new(body);
            let input = read(&mut reader)?;
            reader.finish()?;
            Ok(input)
        }
        Protocol::AwsQuery => {
            let form = std::str::from_utf8(body)
                .map_err(|_| codes::SERIALIZATION.with("the body is no UTF-8"))?;
            let mut reader = query::QueryReader::new(query::Dialect::Aws, form, query);
            Ok(read(&mut reader)?)
        }
        Protocol::Ec2Query => ec2::decode(body, query, read),
    }
}

/// Encodes an output.
#[must_use]
pub fn encode(
    route: &Route,
    request_id: &str,
    write: impl FnOnce(&mut dyn ShapeWriter),
) -> Encoded {
    let body = match route.protocol {
        Protocol::AwsJson10 | Protocol::AwsJson11 => {
            let mut writer = json::JsonWriter::default();
            write(&mut writer);
            writer.into_bytes()
        }
        Protocol::AwsQuery => {
            let mut writer = xml::XmlWriter::default();
            write(&mut writer);
            let namespace = route.service.xml_namespace.unwrap_or_default();
            xml::response(
                route.operation,
                namespace,
                request_id,
                writer.into_members(),
            )
        }
        Protocol::Ec2Query => {
            let mut writer = xml::XmlWriter::default();
            write(&mut writer);
            let namespace = route.service.xml_namespace.unwrap_or_default();
            let members = writer.into_members();
            xml::ec2_response(route.operation, namespace, request_id, &members)
        }
    };
    Encoded {
        status: 200,
        content_type: content_type(route.protocol),
        error_type: None,
        body,
    }
}

/// Encodes an error in the protocol's own way.
#[must_use]
pub fn encode_error(
    protocol: Protocol,
    namespace: Option<&str>,
    request_id: &str,
    error: &AwsError,
) -> Encoded {
    let translated;
    let error = match protocol {
        Protocol::Ec2Query => {
            translated = ec2::in_its_words(error);
            &translated
        }
        Protocol::AwsQuery | Protocol::AwsJson10 | Protocol::AwsJson11 => error,
    };
    let code = error.code();
    let body = match protocol {
        Protocol::AwsJson10 | Protocol::AwsJson11 => json::error(error),
        Protocol::AwsQuery => {
            let fault = match code.fault {
                Fault::Sender => "Sender",
                Fault::Receiver => "Receiver",
            };
            xml::error(namespace.unwrap_or_default(), fault, error, request_id)
        }
        Protocol::Ec2Query => xml::ec2_error(error, request_id),
    };
    Encoded {
        status: code.status,
        content_type: content_type(protocol),
        error_type: Some(code.name),
        body,
    }
}

fn content_type(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::AwsJson10 => "application/x-amz-json-1.0",
        Protocol::AwsJson11 => "application/x-amz-json-1.1",
        Protocol::AwsQuery => "text/xml",
        Protocol::Ec2Query => "text/xml;charset=UTF-8",
    }
}
