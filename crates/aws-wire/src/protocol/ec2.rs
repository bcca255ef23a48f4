//! What ec2Query has of its own: `DryRun`, and names of faults that belong to no single operation.
//!
//! Rule: EC2 API reference, "Common client error codes" and "Server error codes".

use super::query::{Dialect, QueryReader};
use crate::Route;
use crate::head::pairs;
use aws_api::{Protocol, ReadError, ShapeReader};
use aws_types::{AwsError, ErrorCode, codes};

const INVALID_PARAMETER_VALUE: ErrorCode = ErrorCode::sender("InvalidParameterValue", 400);
const DRY_RUN_OPERATION: ErrorCode = ErrorCode::sender("DryRunOperation", 412);

/// Hands a reader of the form to `read`.
pub(super) fn decode<T>(
    body: &[u8],
    query: &str,
    read: impl FnOnce(&mut dyn ShapeReader) -> Result<T, ReadError>,
) -> Result<T, AwsError> {
    let form = std::str::from_utf8(body)
        .map_err(|_| INVALID_PARAMETER_VALUE.with("The request is no UTF-8."))?;
    let mut reader = QueryReader::new(Dialect::Ec2, form, query);
    read(&mut reader).map_err(|error| INVALID_PARAMETER_VALUE.with(error.0))
}

/// Whether a request only asks whether it would succeed.
#[must_use]
pub fn is_dry_run(route: &Route, body: &[u8], query: &str) -> bool {
    route.protocol == Protocol::Ec2Query
        && std::str::from_utf8(body).is_ok_and(|form| {
            pairs(form)
                .chain(pairs(query))
                .any(|(name, value)| name == "DryRun" && value.eq_ignore_ascii_case("true"))
        })
}

/// The answer to a dry run of what would have succeeded.
#[must_use]
pub fn dry_run_operation() -> AwsError {
    DRY_RUN_OPERATION.with("Request would have succeeded, but DryRun flag is set.")
}

/// The error under EC2's own name, where it is one that every service has.
pub(super) fn in_its_words(error: &AwsError) -> AwsError {
    let code = error.code();
    let (code, text) = match code {
        codes::ACCESS_DENIED => (
            ErrorCode::sender("UnauthorizedOperation", 403),
            format!(
                "You are not authorized to perform this operation. {}",
                error.message()
            ),
        ),
        codes::THROTTLING => (
            ErrorCode::receiver("RequestLimitExceeded", 503),
            "Request limit exceeded.".into(),
        ),
        codes::SERIALIZATION => (INVALID_PARAMETER_VALUE, error.message().into()),
        codes::INTERNAL_FAILURE => (
            ErrorCode::receiver("InternalError", 500),
            "An internal error has occurred".into(),
        ),
        codes::SERVICE_UNAVAILABLE => (
            ErrorCode::receiver("Unavailable", 503),
            error.message().into(),
        ),
        _ => return error.clone(),
    };
    code.with(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::protocol::{encode, encode_error};
    use aws_api::{SERVICES, Shape, ec2};

    fn route(name: &str) -> Route {
        let service = SERVICES.iter().find(|s| s.name == "ec2").unwrap();
        Route {
            service,
            operation: service.operation(name).unwrap(),
            protocol: Protocol::Ec2Query,
        }
    }

    fn read<T: Shape>(form: &str) -> T {
        decode(form.as_bytes(), "", |reader| T::read(reader)).unwrap()
    }

    /// The forms are botocore's own.
    #[test]
    fn forms_are_read_as_botocore_writes_them() {
        let form = "Action=DescribeVpcs&Version=2016-11-15&VpcId.1=vpc-1&VpcId.2=vpc-2&Filter.1.Name=tag%3AName&Filter.1.Value.1=a+b&Filter.1.Value.2=c%2A&MaxResults=5";
        let input: ec2::DescribeVpcsRequest = read(form);
        assert_eq!(input.vpc_ids.unwrap(), ["vpc-1", "vpc-2"]);
        assert_eq!(input.max_results, Some(5));
        let filter = &input.filters.unwrap()[0];
        assert_eq!(filter.name.as_deref(), Some("tag:Name"));
        assert_eq!(filter.values.as_deref().unwrap(), ["a b", "c*"]);

        let form = "Action=AuthorizeSecurityGroupIngress&Version=2016-11-15&GroupId=sg-1&IpPermissions.1.IpProtocol=tcp&IpPermissions.1.FromPort=80&IpPermissions.1.ToPort=81&IpPermissions.1.IpRanges.1.CidrIp=10.0.0.0%2F8&IpPermissions.1.IpRanges.1.Description=x&IpPermissions.1.Groups.1.GroupId=sg-2&DryRun=true";
        let input: ec2::AuthorizeSecurityGroupIngressRequest = read(form);
        let permission = &input.ip_permissions.unwrap()[0];
        assert_eq!(
            (permission.from_port, permission.to_port),
            (Some(80), Some(81))
        );
        let range = &permission.ip_ranges.as_ref().unwrap()[0];
        assert_eq!(range.cidr_ip.as_deref(), Some("10.0.0.0/8"));
        let pair = &permission.user_id_group_pairs.as_ref().unwrap()[0];
        assert_eq!(pair.group_id.as_deref(), Some("sg-2"));
        let asked = route("AuthorizeSecurityGroupIngress");
        assert!(is_dry_run(&asked, form.as_bytes(), ""));
        assert!(!is_dry_run(&asked, b"DryRun=false", ""));

        let form = "Action=CreateNetworkInterface&Version=2016-11-15&SubnetId=subnet-1&SecurityGroupId.1=sg-1&TagSpecification.1.ResourceType=network-interface&TagSpecification.1.Tag.1.Key=k&TagSpecification.1.Tag.1.Value=v";
        let input: ec2::CreateNetworkInterfaceRequest = read(form);
        assert_eq!(input.groups.unwrap(), ["sg-1"]);
        let tags = input.tag_specifications.unwrap().remove(0).tags.unwrap();
        assert_eq!(tags[0].value.as_deref(), Some("v"));

        let form = "Action=ModifyVpcAttribute&Version=2016-11-15&VpcId=vpc-1&EnableDnsHostnames.Value=true";
        let input: ec2::ModifyVpcAttributeRequest = read(form);
        assert_eq!(input.enable_dns_hostnames.unwrap().value, Some(true));
    }

    #[test]
    fn what_cannot_be_read_is_an_invalid_value() {
        let error = decode(b"MaxResults=many", "", |reader| {
            ec2::DescribeVpcsRequest::read(reader)
        });
        assert_eq!(
            error.unwrap_err().to_string(),
            "InvalidParameterValue: MaxResults must be a whole number"
        );
    }

    /// Botocore's parser makes of these what stands in the value.
    #[test]
    fn answers_are_written_as_botocore_reads_them() {
        let answer = ec2::DescribeVpcsResult {
            next_token: Some("t".into()),
            vpcs: Some(vec![ec2::Vpc {
                is_default: Some(true),
                tags: Some(vec![ec2::Tag {
                    key: Some("k".into()),
                    value: Some("a&b".into()),
                }]),
                vpc_id: Some("vpc-1".into()),
                ..ec2::Vpc::default()
            }]),
        };
        let encoded = encode(&route("DescribeVpcs"), "r-1", |writer| answer.write(writer));
        assert_eq!(
            String::from_utf8(encoded.body).unwrap(),
            "<DescribeVpcsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>r-1</requestId><nextToken>t</nextToken><vpcSet><item><isDefault>true</isDefault><tagSet><item><key>k</key><value>a&amp;b</value></item></tagSet><vpcId>vpc-1</vpcId></item></vpcSet></DescribeVpcsResponse>"
        );
    }

    #[test]
    fn errors_have_ec2s_envelope_and_names() {
        for (error, status, body) in [
            (
                ErrorCode::sender("InvalidVpcID.NotFound", 400).with("no <vpc>"),
                400,
                "<Response><Errors><Error><Code>InvalidVpcID.NotFound</Code><Message>no &lt;vpc&gt;</Message></Error></Errors><RequestID>r-1</RequestID></Response>",
            ),
            (
                codes::ACCESS_DENIED.with("User: u is not authorized."),
                403,
                "<Response><Errors><Error><Code>UnauthorizedOperation</Code><Message>You are not authorized to perform this operation. User: u is not authorized.</Message></Error></Errors><RequestID>r-1</RequestID></Response>",
            ),
            (
                dry_run_operation(),
                412,
                "<Response><Errors><Error><Code>DryRunOperation</Code><Message>Request would have succeeded, but DryRun flag is set.</Message></Error></Errors><RequestID>r-1</RequestID></Response>",
            ),
        ] {
            let encoded = encode_error(Protocol::Ec2Query, None, "r-1", &error);
            assert_eq!(encoded.status, status);
            assert_eq!(String::from_utf8(encoded.body).unwrap(), body);
        }
    }
}
