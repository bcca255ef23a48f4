//! Virtual private gateways, of which there are none: none can be made here.
//!
//! They are looked for all the same: the CDK's look-up of a VPC asks which one is attached to it.

use crate::filter::{self, Field};
use crate::resource::{Kind, unknown};
use aws_api::ec2::{DescribeVpnGatewaysRequest, DescribeVpnGatewaysResult};
use aws_types::{AwsError, Ctx};
use store::World;

/// A virtual private gateway: there is none.
enum VpnGateway {}

const KIND: Kind = Kind {
    prefix: "vgw",
    name: "vpn-gateway",
    noun: "vpnGateway ID",
    not_found: "InvalidVpnGatewayID.NotFound",
    malformed: "InvalidVpnGatewayID.Malformed",
    parameter: "vpnGatewayId",
};

/// Rule: EC2 API reference, DescribeVpnGateways, `Filter.N`.
const FIELDS: &[Field<VpnGateway>] = &[
    field("amazon-side-asn"),
    field("attachment.state"),
    field("attachment.vpc-id"),
    field("availability-zone"),
    field("state"),
    field("type"),
    field("vpn-gateway-id"),
];

const fn field(name: &'static str) -> Field<VpnGateway> {
    Field {
        name,
        values: |_, gateway| match *gateway {},
    }
}

/// DescribeVpnGateways.
pub fn describe(
    _: &World,
    _: &mut Ctx,
    input: &DescribeVpnGatewaysRequest,
) -> Result<DescribeVpnGatewaysResult, AwsError> {
    filter::compile(input.filters.as_ref(), FIELDS)?;
    if let Some(id) = input.vpn_gateway_ids.iter().flatten().next() {
        return Err(unknown(KIND, id));
    }
    Ok(DescribeVpnGatewaysResult {
        vpn_gateways: Some(vec![]),
    })
}
