//! Regions, zones and limits.

use crate::errors::{code, invalid_parameter};
use crate::filter::{self, Field};
use crate::interface::GROUPS_MAX;
use crate::records::region::RegionRecord;
use crate::{vpc, zones};
use aws_api::ec2::{
    AccountAttribute, AccountAttributeValue, AvailabilityZone, DescribeAccountAttributesRequest,
    DescribeAccountAttributesResult, DescribeAvailabilityZonesRequest,
    DescribeAvailabilityZonesResult, DescribeRegionsRequest, DescribeRegionsResult, Region,
};
use aws_types::{AwsError, Ctx};
use std::collections::BTreeMap;
use store::World;

/// A zone with its region.
struct Zone {
    name: String,
    region: String,
}

/// Rule: EC2 API reference, DescribeAvailabilityZones, `Filter.N`.
const ZONE_FIELDS: &[Field<Zone>] = &[
    Field {
        name: "group-long-name",
        values: |_, _| vec![],
    },
    Field {
        name: "group-name",
        values: |_, zone| vec![group_name(&zone.region)],
    },
    Field {
        name: "message",
        values: |_, _| vec![],
    },
    Field {
        name: "opt-in-status",
        values: |_, _| vec!["opt-in-not-required".into()],
    },
    Field {
        name: "parent-zone-id",
        values: |_, _| vec![],
    },
    Field {
        name: "parent-zone-name",
        values: |_, _| vec![],
    },
    Field {
        name: "region-name",
        values: |_, zone| vec![zone.region.clone()],
    },
    Field {
        name: "state",
        values: |_, _| vec!["available".into()],
    },
    Field {
        name: "zone-id",
        values: |_, zone| vec![zones::id_of(&zone.name)],
    },
    Field {
        name: "zone-name",
        values: |_, zone| vec![zone.name.clone()],
    },
    Field {
        name: "zone-type",
        values: |_, _| vec!["availability-zone".into()],
    },
];

/// DescribeAvailabilityZones.
pub fn zones(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeAvailabilityZonesRequest,
) -> Result<DescribeAvailabilityZonesResult, AwsError> {
    let filter = filter::compile(input.filters.as_ref(), ZONE_FIELDS)?;
    let names = zones::names(world, &ctx.scope);
    let by_name = input.zone_names.as_deref().unwrap_or_default();
    let by_id = input.zone_ids.as_deref().unwrap_or_default();
    let unknown = by_name.iter().find(|name| !names.contains(name));
    let ids: Vec<String> = names.iter().map(|name| zones::id_of(name)).collect();
    let unknown = unknown.or_else(|| by_id.iter().find(|id| !ids.contains(id)));
    if let Some(unknown) = unknown {
        return Err(
            code("InvalidParameterValue").with(format!("Invalid availability zone: [{unknown}]"))
        );
    }
    let is_named = |name: &String| {
        (by_name.is_empty() && by_id.is_empty())
            || by_name.contains(name)
            || by_id.contains(&zones::id_of(name))
    };
    let found = names.into_iter().filter(is_named).map(|name| Zone {
        name,
        region: ctx.scope.region.clone(),
    });
    let found = found.filter(|zone| filter.matches(world, zone, BTreeMap::new));
    Ok(DescribeAvailabilityZonesResult {
        availability_zones: Some(found.map(zone_shape).collect()),
    })
}

fn group_name(region: &str) -> String {
    format!("{region}-zg-1")
}

fn zone_shape(zone: Zone) -> AvailabilityZone {
    let Zone { name, region } = zone;
    AvailabilityZone {
        group_name: Some(group_name(&region)),
        messages: Some(vec![]),
        network_border_group: Some(region.clone()),
        opt_in_status: Some("opt-in-not-required".into()),
        state: Some("available".into()),
        zone_id: Some(zones::id_of(&name)),
        zone_type: Some("availability-zone".into()),
        region_name: Some(region),
        zone_name: Some(name),
        ..AvailabilityZone::default()
    }
}

/// Rule: EC2 API reference, DescribeRegions, `Filter.N`.
const REGION_FIELDS: &[Field<RegionRecord>] = &[
    Field {
        name: "endpoint",
        values: |_, region| vec![endpoint(&region.name)],
    },
    Field {
        name: "opt-in-status",
        values: |_, _| vec!["opt-in-not-required".into()],
    },
    Field {
        name: "region-name",
        values: |_, region| vec![region.name.clone()],
    },
];

/// DescribeRegions: those served here.
pub fn regions(
    world: &World,
    _: &mut Ctx,
    input: &DescribeRegionsRequest,
) -> Result<DescribeRegionsResult, AwsError> {
    let filter = filter::compile(input.filters.as_ref(), REGION_FIELDS)?;
    let all = zones::regions(world);
    let named = input.region_names.as_deref().unwrap_or_default();
    let unknown = named
        .iter()
        .find(|name| all.iter().all(|r| r.name != **name));
    if let Some(unknown) = unknown {
        return Err(invalid_parameter("regionName", unknown, "Invalid region."));
    }
    let found = all
        .iter()
        .filter(|region| named.is_empty() || named.contains(&region.name))
        .filter(|region| filter.matches(world, region, BTreeMap::new));
    let shapes = found.map(|region| Region {
        endpoint: Some(endpoint(&region.name)),
        opt_in_status: Some("opt-in-not-required".into()),
        region_name: Some(region.name.clone()),
    });
    Ok(DescribeRegionsResult {
        regions: Some(shapes.collect()),
    })
}

fn endpoint(region: &str) -> String {
    format!("ec2.{region}.amazonaws.com")
}

/// DescribeAccountAttributes.
pub fn attributes(
    world: &World,
    ctx: &mut Ctx,
    input: &DescribeAccountAttributesRequest,
) -> Result<DescribeAccountAttributesResult, AwsError> {
    let default_vpc = vpc::default_of(world, &ctx.scope);
    let default_vpc = default_vpc.map_or_else(|| "none".into(), |vpc| vpc.key.id.clone());
    let all = [
        ("default-vpc", default_vpc),
        ("max-elastic-ips", "65533".into()),
        ("max-instances", "0".into()),
        ("supported-platforms", "VPC".into()),
        ("vpc-max-elastic-ips", "65533".into()),
        (
            "vpc-max-security-groups-per-interface",
            GROUPS_MAX.to_string(),
        ),
    ];
    let named = input.attribute_names.as_deref().unwrap_or_default();
    let unknown = named
        .iter()
        .find(|name| all.iter().all(|(known, _)| known != name));
    if let Some(unknown) = unknown {
        return Err(invalid_parameter(
            "attributeName",
            unknown,
            "Unknown attribute.",
        ));
    }
    let found = all
        .into_iter()
        .filter(|(name, _)| named.is_empty() || named.iter().any(|wanted| wanted == name));
    let shapes = found.map(|(name, value)| AccountAttribute {
        attribute_name: Some(name.into()),
        attribute_values: Some(vec![AccountAttributeValue {
            attribute_value: Some(value),
        }]),
    });
    Ok(DescribeAccountAttributesResult {
        account_attributes: Some(shapes.collect()),
    })
}
