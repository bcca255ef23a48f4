//! Availability Zones.

/// A zone's id: `us-east-1a` is `use1-az1`.
#[must_use]
pub fn zone_id(zone: &str) -> String {
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
            assert_eq!(zone_id(zone), id);
        }
    }
}
