//! What a metric is called: a namespace, a name, and dimensions in whatever order.

use aws_api::cloudwatch::{Dimension, Metric};
use aws_types::Scope;
use std::collections::BTreeMap;
use store::{Key, SeriesName};

/// A metric within account and region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MetricName {
    /// Account number.
    pub account: String,
    /// E.g. `us-east-1`.
    pub region: String,
    /// For example `AWS/ECS`.
    pub namespace: String,
    /// For example `CPUUtilization`.
    pub name: String,
    /// Values by name; their order means nothing.
    pub dimensions: BTreeMap<String, String>,
}

impl MetricName {
    /// The metric of this name.
    #[must_use]
    pub fn new(
        scope: &Scope,
        namespace: &str,
        name: &str,
        dimensions: BTreeMap<String, String>,
    ) -> Self {
        Self {
            account: scope.account.clone(),
            region: scope.region.clone(),
            namespace: namespace.into(),
            name: name.into(),
            dimensions,
        }
    }

    /// The metric that a request names.
    #[must_use]
    pub fn of(
        scope: &Scope,
        namespace: Option<&str>,
        name: Option<&str>,
        dimensions: Option<&[Dimension]>,
    ) -> Self {
        let each = dimensions.unwrap_or_default().iter();
        let pairs = each.map(|one| {
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            (text(&one.name), text(&one.value))
        });
        let name = name.unwrap_or_default();
        Self::new(scope, namespace.unwrap_or_default(), name, pairs.collect())
    }

    /// Under which name its samples lie.
    #[must_use]
    pub fn series(&self) -> SeriesName {
        let mut key = Key::build()
            .text(&self.account)
            .text(&self.region)
            .text(&self.namespace)
            .text(&self.name);
        for (name, value) in &self.dimensions {
            key = key.text(name).text(value);
        }
        SeriesName(key.finish().as_bytes().to_vec())
    }

    /// The metric whose samples lie under this name.
    #[must_use]
    pub fn read(series: &SeriesName) -> Option<Self> {
        let key = Key::from_bytes(&series.0);
        let mut reader = key.reader();
        let mut found = Self {
            account: reader.text()?,
            region: reader.text()?,
            namespace: reader.text()?,
            name: reader.text()?,
            dimensions: BTreeMap::new(),
        };
        while let Some(name) = reader.text() {
            found.dimensions.insert(name, reader.text()?);
        }
        Some(found)
    }

    /// What the names of all series of a scope start with; of a namespace's, and of one name's in it,
    /// where these are given.
    #[must_use]
    pub fn prefix(scope: &Scope, namespace: Option<&str>, name: Option<&str>) -> Vec<u8> {
        let mut key = Key::build().text(&scope.account).text(&scope.region);
        if let Some(namespace) = namespace {
            key = key.text(namespace);
            if let Some(name) = name {
                key = key.text(name);
            }
        }
        key.finish().as_bytes().to_vec()
    }

    /// As the API shows it.
    #[must_use]
    pub fn shape(&self) -> Metric {
        let dimensions = self.dimensions.iter().map(|(name, value)| Dimension {
            name: Some(name.clone()),
            value: Some(value.clone()),
        });
        Metric {
            namespace: Some(self.namespace.clone()),
            metric_name: Some(self.name.clone()),
            dimensions: Some(dimensions.collect()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn names_read_back(namespace in ".{1,8}", name in ".{1,8}", dimensions in prop::collection::btree_map(".{1,4}", ".{1,4}", 0..4)) {
            let scope = Scope::new("000000000000", "us-east-1");
            let metric = MetricName::new(&scope, &namespace, &name, dimensions);
            let series = metric.series();
            prop_assert_eq!(MetricName::read(&series), Some(metric));
            let prefix = MetricName::prefix(&scope, Some(&namespace), Some(&name));
            prop_assert!(series.0.starts_with(&prefix));
        }
    }
}
