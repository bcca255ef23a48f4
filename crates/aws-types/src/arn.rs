//! Amazon Resource Names: `arn:PARTITION:SERVICE:REGION:ACCOUNT:RESOURCE`.

use std::fmt;
use std::str::FromStr;

/// An ARN cut at its first five colons. The resource may hold further colons and slashes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Arn {
    /// `aws`, `aws-cn`, …
    pub partition: String,
    /// The service's namespace, e.g. `ecs`.
    pub service: String,
    /// Empty for global services.
    pub region: String,
    /// Twelve digits, or empty.
    pub account: String,
    /// What follows the fifth colon, e.g. `task/default/0123…`.
    pub resource: String,
}

/// The text was no ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAnArn;

impl FromStr for Arn {
    type Err = NotAnArn;

    fn from_str(text: &str) -> Result<Self, NotAnArn> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next().ok_or(NotAnArn);
        if next()? != "arn" {
            return Err(NotAnArn);
        }
        let arn = Self {
            partition: next()?.into(),
            service: next()?.into(),
            region: next()?.into(),
            account: next()?.into(),
            resource: next()?.into(),
        };
        if arn.partition.is_empty() || arn.service.is_empty() || arn.resource.is_empty() {
            return Err(NotAnArn);
        }
        Ok(arn)
    }
}

impl fmt::Display for Arn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "arn:{}:{}:{}:{}:{}",
            self.partition, self.service, self.region, self.account, self.resource
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn parts_are_cut_at_the_first_five_colons() {
        let arn: Arn = "arn:aws:ecs:us-east-1:000000000000:task-definition/web:3"
            .parse()
            .unwrap();
        assert_eq!(arn.service, "ecs");
        assert_eq!(arn.resource, "task-definition/web:3");
        for bad in [
            "",
            "arn",
            "arn:aws:ecs",
            "arn:aws:ecs:r:a:",
            "x:aws:ecs:r:a:b",
            "arn::ecs:r:a:b",
        ] {
            assert_eq!(bad.parse::<Arn>(), Err(NotAnArn), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn what_parses_prints_the_same(text in "arn:[a-z]{1,4}:[a-z]{1,4}:[a-z0-9-]{0,9}:[0-9]{0,12}:.{1,20}") {
            prop_assert_eq!(text.parse::<Arn>().unwrap().to_string(), text);
        }
    }
}
