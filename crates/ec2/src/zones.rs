//! Zones of a region: three by default, `REGIONa` to `REGIONc`.

use crate::errors::invalid_parameter;
use crate::records::region::{REGIONS, RegionRecord};
use aws_types::{AwsError, Scope};
use std::sync::Arc;
use store::{Key, World};

pub use aws_types::zone_id as id_of;

/// The zones of a region until hosts say otherwise.
#[must_use]
pub fn by_default(region: &str) -> Vec<String> {
    ["a", "b", "c"].map(|zone| format!("{region}{zone}")).into()
}

/// The names of a region's zones.
#[must_use]
pub fn names(world: &World, scope: &Scope) -> Vec<String> {
    let region = world.get(&REGIONS, &Key::of(&[&scope.region]));
    region
        .map(|region| region.zones.clone())
        .unwrap_or_else(|| by_default(&scope.region))
}

/// All regions.
#[must_use]
pub fn regions(world: &World) -> Vec<Arc<RegionRecord>> {
    world.scan(&REGIONS).cloned().collect()
}

/// The zone that a request names by name or id; the first where it names none.
///
/// # Errors
/// `InvalidParameterValue`.
pub fn chosen(
    world: &World,
    scope: &Scope,
    name: Option<&str>,
    id: Option<&str>,
) -> Result<String, AwsError> {
    let zones = names(world, scope);
    let found = match (name, id) {
        (Some(name), _) => zones.iter().find(|zone| *zone == name),
        (None, Some(id)) => zones.iter().find(|zone| id_of(zone) == id),
        (None, None) => zones.first(),
    };
    found.cloned().ok_or_else(|| {
        let why = format!(
            "Subnets can currently only be created in the following availability zones: {}.",
            zones.join(", ")
        );
        let (parameter, value) = match name {
            Some(name) => ("availabilityZone", name),
            None => ("availabilityZoneId", id.unwrap_or_default()),
        };
        invalid_parameter(parameter, value, &why)
    })
}
