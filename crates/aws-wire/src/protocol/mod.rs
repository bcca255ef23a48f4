//! One codec per protocol over the shapes of `aws-api`, and what an answer looks like around it.

mod bounded;
mod cbor;
mod ec2;
pub mod json;
mod query;
mod xml;

pub use ec2::{dry_run_operation, is_dry_run};

use crate::Route;
use aws_api::{Protocol, ReadError, ServiceDescription, ShapeReader, ShapeWriter};
use aws_types::{AwsError, Fault, codes};
use bounded::Bounded;

/// An answer's bytes and headers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// HTTP status.
    pub status: u16,
    /// The header `Content-Type`.
    pub content_type: &'static str,
    /// The header `x-amzn-ErrorType`, where it is an error.
    pub error_type: Option<&'static str>,
    /// The header `x-amzn-query-error` of a service that was a query service once.
    pub query_error: Option<String>,
    /// The header `smithy-protocol`.
    pub smithy_protocol: Option<&'static str>,
    /// The body.
    pub body: Vec<u8>,
}

/// Hands a reader of the request's input to `read`.
///
/// # Errors
/// The input is malformed or holds too much, or `read`'s own.
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
            let input = read(&mut Bounded::new(&mut reader))?;
            reader.finish()?;
            Ok(input)
        }
        Protocol::AwsQuery => {
            let form = std::str::from_utf8(body)
                .map_err(|_| codes::SERIALIZATION.with("the body is no UTF-8"))?;
            let mut reader = query::QueryReader::new(query::Dialect::Aws, form, query);
            Ok(read(&mut Bounded::new(&mut reader))?)
        }
        Protocol::Ec2Query => ec2::decode(body, query, |reader| read(&mut Bounded::new(reader))),
        Protocol::RpcV2Cbor => {
            // A map without members: an operation without input sends nothing.
            let body = if body.is_empty() { &[0xa0] } else { body };
            let mut reader = cbor::CborReader::new(body);
            let input = read(&mut Bounded::new(&mut reader))?;
            reader.finish()?;
            Ok(input)
        }
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
        Protocol::RpcV2Cbor => {
            let mut writer = cbor::CborWriter::default();
            write(&mut writer);
            writer.into_bytes()
        }
    };
    Encoded {
        status: 200,
        content_type: content_type(route.protocol),
        error_type: None,
        query_error: None,
        smithy_protocol: smithy_protocol(route.protocol),
        body,
    }
}

/// Encodes an error in the protocol's own way; `service` is the one that was asked, where it is known.
#[must_use]
pub fn encode_error(
    protocol: Protocol,
    service: Option<&ServiceDescription>,
    request_id: &str,
    error: &AwsError,
) -> Encoded {
    let translated;
    let error = match protocol {
        Protocol::Ec2Query => {
            translated = ec2::in_its_words(error);
            &translated
        }
        Protocol::AwsQuery => {
            translated = query::in_its_words(error);
            &translated
        }
        Protocol::AwsJson10 | Protocol::AwsJson11 | Protocol::RpcV2Cbor => error,
    };
    let code = error.code();
    let namespace = service.and_then(|service| service.xml_namespace);
    let mut shown = Shown::plain(code.name);
    let body = match protocol {
        Protocol::AwsJson10 | Protocol::AwsJson11 => {
            shown = Shown::of(service, error);
            json::error(error, shown.shape)
        }
        Protocol::AwsQuery => xml::error(
            namespace.unwrap_or_default(),
            side(error),
            error,
            request_id,
        ),
        Protocol::Ec2Query => xml::ec2_error(error, request_id),
        Protocol::RpcV2Cbor => {
            shown = Shown::of(service, error);
            let name = service.map_or("coral", |service| service.name);
            cbor::error(error, &format!("com.amazonaws.{name}#{}", shown.shape))
        }
    };
    Encoded {
        status: code.status,
        content_type: content_type(protocol),
        error_type: Some(shown.shape),
        query_error: shown.query_error,
        smithy_protocol: smithy_protocol(protocol),
        body,
    }
}

fn side(error: &AwsError) -> &'static str {
    match error.code().fault {
        Fault::Sender => "Sender",
        Fault::Receiver => "Receiver",
    }
}

/// Under which names an error is shown.
struct Shown {
    shape: &'static str,
    query_error: Option<String>,
}

impl Shown {
    fn plain(shape: &'static str) -> Self {
        Self {
            shape,
            query_error: None,
        }
    }

    /// Rule: Smithy, `aws.protocols#awsQueryCompatible`: the shape's name in the body, the code of old
    /// and whose fault it is in a header.
    fn of(service: Option<&ServiceDescription>, error: &AwsError) -> Self {
        let code = error.code().name;
        let Some(renamed) = service.and_then(|service| service.query_errors) else {
            return Self::plain(code);
        };
        let renamed = renamed.iter().find(|(old, _)| *old == code);
        Self {
            shape: renamed.map_or(code, |(_, shape)| shape),
            query_error: Some(format!("{code};{}", side(error))),
        }
    }
}

fn content_type(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::AwsJson10 => "application/x-amz-json-1.0",
        Protocol::AwsJson11 => "application/x-amz-json-1.1",
        Protocol::AwsQuery => "text/xml",
        Protocol::Ec2Query => "text/xml;charset=UTF-8",
        Protocol::RpcV2Cbor => "application/cbor",
    }
}

/// Rule: RPC v2 CBOR: an answer names its protocol, or it is none.
fn smithy_protocol(protocol: Protocol) -> Option<&'static str> {
    (protocol == Protocol::RpcV2Cbor).then_some(SMITHY_CBOR)
}

/// Value of the header `smithy-protocol`.
pub(crate) const SMITHY_CBOR: &str = "rpc-v2-cbor";

#[cfg(test)]
mod tests {
    use super::*;
    use aws_api::SERVICES;
    use aws_types::ErrorCode;

    fn service(name: &str) -> &'static ServiceDescription {
        SERVICES.iter().find(|one| one.name == name).unwrap()
    }

    #[test]
    fn an_error_of_a_query_service_of_old_carries_both_its_names() {
        let error = ErrorCode::sender("InvalidParameterValue", 400).with("no");
        let encoded = |protocol, of| encode_error(protocol, Some(service(of)), "r-1", &error);
        let shape = "InvalidParameterValueException";
        for protocol in [Protocol::AwsJson10, Protocol::RpcV2Cbor] {
            let found = encoded(protocol, "cloudwatch");
            assert_eq!(found.error_type, Some(shape), "{protocol:?}");
            let old = found.query_error.as_deref();
            assert_eq!(old, Some("InvalidParameterValue;Sender"), "{protocol:?}");
            assert!(String::from_utf8_lossy(&found.body).contains(shape));
        }
        let cbor = encoded(Protocol::RpcV2Cbor, "cloudwatch");
        assert_eq!(cbor.smithy_protocol, Some("rpc-v2-cbor"));
        let query = encoded(Protocol::AwsQuery, "cloudwatch");
        assert_eq!(
            (query.query_error, query.error_type),
            (None, Some("InvalidParameterValue"))
        );
        let other = encoded(Protocol::AwsJson11, "ecs");
        assert_eq!(
            (other.query_error, other.error_type),
            (None, Some("InvalidParameterValue"))
        );
    }

    #[test]
    fn errors_that_every_service_has_are_called_otherwise_in_query() {
        let denied = codes::ACCESS_DENIED.with("no");
        let found = encode_error(Protocol::AwsQuery, Some(service("sts")), "r-1", &denied);
        assert_eq!(
            (found.status, found.error_type),
            (403, Some("AccessDenied"))
        );
    }
}
