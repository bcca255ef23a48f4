//! Operations, errors and the table of names.

use crate::allow_list::Service;
use crate::facts::Facts;
use crate::names::constant;
use anyhow::{Result, bail};
use std::fmt::Write as _;

/// A unit struct for each served operation.
pub fn operations(service: &str, facts: &Facts, listed: &[String]) -> String {
    let mut text = String::from(
        "//! The operations served, a type each.\n\nuse super::shapes::*;\nuse crate::shape::Operation;\n\n",
    );
    for (name, operation) in facts
        .operations
        .iter()
        .filter(|(name, _)| listed.contains(name))
    {
        let ty = |shape: &Option<String>| shape.clone().unwrap_or("crate::shape::Empty".into());
        let _ = writeln!(
            text,
            "/// `{name}`.\n#[derive(Clone, Copy, Debug)]\npub struct {name};\n\n\
             impl Operation for {name} {{\n    type Input = {};\n    type Output = {};\n    \
             const NAME: &'static str = {name:?};\n    const SERVICE: &'static str = {service:?};\n}}\n",
            ty(&operation.input),
            ty(&operation.output),
        );
    }
    text
}

/// The codes of the model's errors.
pub fn errors(facts: &Facts) -> String {
    let mut text = String::from("//! The errors the model names.\n\n");
    if !facts.errors.is_empty() {
        text.push_str("use aws_types::ErrorCode;\n\n");
    }
    for (name, error) in &facts.errors {
        let side = if error.server_fault {
            "receiver"
        } else {
            "sender"
        };
        let _ = writeln!(
            text,
            "/// `{}`, HTTP {}.\npub const {}: ErrorCode = ErrorCode::{side}({:?}, {});",
            error.code,
            error.status,
            constant(name),
            error.code,
            error.status
        );
    }
    text
}

/// The service's description.
pub fn names(service: &str, facts: &Facts, listed: &Service) -> Result<String> {
    let mut served = String::new();
    for (name, operation) in &facts.operations {
        if !listed.operations.contains(name) {
            continue;
        }
        let kind = |shape: &Option<String>| match shape {
            Some(shape) => format!("Kind::Structure(&shapes::{})", constant(shape)),
            None => "<crate::shape::Empty as crate::shape::Shape>::KIND".into(),
        };
        writeln!(
            served,
            "OperationDescription {{ name: {name:?}, input: {}, output: {}, \
             result_wrapper: {:?}, errors: &{:?} }},",
            kind(&operation.input),
            kind(&operation.output),
            operation.wrapper,
            operation.errors
        )?;
    }
    let mut protocols = Vec::new();
    for protocol in &facts.protocols {
        protocols.push(match protocol.as_str() {
            "json-1.0" => "Protocol::AwsJson10",
            "json-1.1" => "Protocol::AwsJson11",
            "query" => "Protocol::AwsQuery",
            "ec2" => "Protocol::Ec2Query",
            "smithy-rpc-v2-cbor" => "Protocol::RpcV2Cbor",
            other => bail!("{service} speaks {other}, which has no codec yet"),
        });
    }
    let mut query_errors = Vec::new();
    if facts.query_compatible {
        let renamed = facts.errors.iter().filter(|(name, e)| **name != e.code);
        query_errors.extend(renamed.map(|(name, e)| (&e.code, name)));
    }
    Ok(format!(
        "//! The service as routing and codecs know it.\n\n\
         use super::shapes;\n\
         use crate::description::{{Kind, OperationDescription, Protocol, ServiceDescription}};\n\n\
         /// `{service}`.\n\
         pub static SERVICE: ServiceDescription = ServiceDescription {{\n\
         name: {service:?}, signing_name: {:?}, target_prefix: {:?}, api_version: {:?}, \
         xml_namespace: {:?}, protocols: &[{}], query_errors: {}, validate: {}, names: NAMES, operations: OPERATIONS }};\n\n\
         const NAMES: &[&str] = &{:?};\n\n\
         const OPERATIONS: &[OperationDescription] = &[{served}];\n",
        facts.signing_name,
        facts.target_prefix,
        facts.api_version,
        facts.xml_namespace,
        protocols.join(", "),
        match facts.query_compatible {
            true => format!("Some(&{query_errors:?})"),
            false => "None".into(),
        },
        listed.validate,
        facts.names,
    ))
}
