//! What a target's ARN names: a log group, a cluster, or an endpoint that the operator declared.
//!
//! Nothing else is ever delivered to: no URL and no command that comes through the API is used.

use aws_types::{Arn, Scope};

/// Where a target's deliveries go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Destination {
    /// A log group, by name.
    LogGroup(String),
    /// Tasks in a cluster, by the cluster's name.
    Cluster(String),
    /// A declared endpoint, by name.
    Endpoint(String),
}

/// Why an ARN names no destination.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotADestination {
    /// It is no ARN, or malformed for its service.
    Malformed,
    /// It is of another account or region.
    Elsewhere,
    /// It is of a service that is not served as a target.
    OtherService,
}

impl Destination {
    /// Reads a target's ARN.
    ///
    /// # Errors
    /// Why it names no destination.
    pub fn parse(scope: &Scope, arn: &str) -> Result<Self, NotADestination> {
        let arn: Arn = arn.parse().map_err(|_| NotADestination::Malformed)?;
        let after = |prefix: &str| {
            let name = arn.resource.strip_prefix(prefix)?;
            (!name.is_empty()).then_some(name)
        };
        let found = match arn.service.as_str() {
            "logs" => after("log-group:").map(|name| {
                let name = name.strip_suffix(":*").unwrap_or(name);
                Self::LogGroup(name.into())
            }),
            "ecs" => after("cluster/").map(|name| Self::Cluster(name.into())),
            "events" => after("api-destination/").map(|name| {
                // AWS adds a uuid of its own.
                let name = name.split('/').next().unwrap_or(name);
                Self::Endpoint(name.into())
            }),
            _ => return Err(NotADestination::OtherService),
        };
        let here = (&arn.partition, &arn.account, &arn.region)
            == (&scope.partition, &scope.account, &scope.region);
        match (found, here) {
            (None, _) => Err(NotADestination::Malformed),
            (Some(_), false) => Err(NotADestination::Elsewhere),
            (Some(found), true) => Ok(found),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns_name_three_kinds_of_destinations_and_nothing_else() {
        let scope = Scope::new("000000000000", "us-east-1");
        for (arn, expected) in [
            (
                "arn:aws:logs:us-east-1:000000000000:log-group:/a:*",
                Ok(Destination::LogGroup("/a".into())),
            ),
            (
                "arn:aws:logs:us-east-1:000000000000:log-group:/a",
                Ok(Destination::LogGroup("/a".into())),
            ),
            (
                "arn:aws:ecs:us-east-1:000000000000:cluster/c",
                Ok(Destination::Cluster("c".into())),
            ),
            (
                "arn:aws:events:us-east-1:000000000000:api-destination/d/0-0",
                Ok(Destination::Endpoint("d".into())),
            ),
            (
                "arn:aws:ecs:us-east-1:000000000000:service/c/s",
                Err(NotADestination::Malformed),
            ),
            (
                "arn:aws:ecs:eu-west-1:000000000000:cluster/c",
                Err(NotADestination::Elsewhere),
            ),
            (
                "arn:aws:sqs:us-east-1:000000000000:queue",
                Err(NotADestination::OtherService),
            ),
            ("http://169.254.169.254/", Err(NotADestination::Malformed)),
        ] {
            assert_eq!(Destination::parse(&scope, arn), expected, "{arn}");
        }
    }
}
