//! The values of an attribute over the instances that take tasks.

use super::index::{Class, Cluster};
use super::problem::Standing;
use super::tree::Amounts;
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

    /// Whether an instance takes tasks.
    #[must_use]
    pub fn is_ready(&self, id: &str) -> bool {
        self.node_of(id)
            .is_some_and(|node| node.standing() == Some(Standing::Ready))
    }

    /// How many instances that take tasks have this value of an attribute. Costs what there are kinds
    /// of instances.
    #[must_use]
    pub fn ready_len(&self, attribute: &str, value: &str) -> u32 {
        let classes = self.ready_classes(attribute, value);
        classes.map(|class| class.by_tasks.len()).sum()
    }

    /// Of each resource the most that one of them has free. Costs what there are kinds of instances.
    #[must_use]
    pub fn greatest_free(&self, attribute: &str, value: &str) -> Amounts {
        let classes = self.ready_classes(attribute, value);
        let free = classes.map(|class| class.by_tasks.greatest());
        free.fold(Amounts::default(), Amounts::each_max)
    }

    fn ready_classes<'c>(
        &'c self,
        attribute: &'c str,
        value: &'c str,
    ) -> impl Iterator<Item = &'c Class> {
        let of_value = self.kinds().iter().filter(move |(_, found)| {
            let has = found.attributes.get(attribute).and_then(Option::as_deref);
            has == Some(value)
        });
        let classes = of_value.flat_map(move |(kind, _)| self.classes_of(kind));
        classes.map(|(_, class)| class)
    }
}
