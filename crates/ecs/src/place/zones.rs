//! The values of an attribute over the instances that take tasks.

use super::index::Cluster;
use std::collections::BTreeSet;

impl Cluster {
    /// Each value that an attribute has on some instance that takes tasks. Costs what there are
    /// kinds of instances, not what there are instances.
    #[must_use]
    pub fn ready_values(&self, attribute: &str) -> BTreeSet<String> {
        let ready = self
            .kinds()
            .iter()
            .filter(|(kind, _)| self.classes_of(*kind).next().is_some());
        let values = ready.filter_map(|(_, found)| found.attributes.get(attribute));
        values.flatten().cloned().collect()
    }
}
