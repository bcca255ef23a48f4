//! Zones of a region: three by default, `REGIONa` to `REGIONc`.

use crate::errors::invalid_parameter;
use crate::records::region::{REGIONS, RegionRecord};
use aws_types::{AwsError, Scope};
use std::sync::Arc;
use store::{Key, World};

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

/// A zone's id: `us-east-1a` is `use1-az1`.
#[must_use]
pub fn id_of(zone: &str) -> String {
    let (region, letter) = zone.split_at(zone.len().saturating_sub(1));
    let short: String = region
        .split('-')
        .enumerate()
        .map(|(at, part)| match (at, part) {
            (0, part) => part.to_owned(),
            (_, "northeast") => "ne".into(),
            (_, "northwest") => "nw".into(),
            (_, "southeast") => "se".into(),
            (_, "southwest") => "sw".into(),
            (_, part) => part.chars().take(1).collect(),
        })
        .collect();
    let number = letter
        .bytes()
        .next()
        .map_or(0, |letter| letter.saturating_sub(b'a').saturating_add(1));
    format!("{short}-az{number}")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_of_zones_are_short_forms_of_their_names() {
        for (zone, id) in [
            ("us-east-1a", "use1-az1"),
            ("eu-central-1c", "euc1-az3"),
            ("ap-southeast-2b", "apse2-az2"),
            ("us-gov-west-1a", "usgw1-az1"),
        ] {
            assert_eq!(id_of(zone), id);
        }
    }
}
