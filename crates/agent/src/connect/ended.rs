//! What was counted in namespaces that are closed: kept until it is told, since the proxy has forgotten it.

use super::protocol::Counted;
use crate::part::Part;
use std::collections::{BTreeSet, VecDeque};

/// Endpoints of closed namespaces, while nobody can be told; of more the oldest are lost.
const ENDED_MAX: usize = 10_000;

/// All of it.
#[derive(Debug, Default)]
pub struct Ended {
    /// Names the process that counted.
    began: String,
    counted: VecDeque<(Part, Counted)>,
}

impl Ended {
    /// Takes what a process had counted in a namespace of this part's when it was closed. Whether that is anything.
    pub fn add(&mut self, part: Part, began: &str, counted: Vec<Counted>) -> bool {
        if self.began != began {
            *self = Self {
                began: began.to_owned(),
                ..Self::default()
            };
        }
        let is_any = !counted.is_empty();
        let counted = counted.into_iter().map(|mut one| {
            // Closed with it, whoever was cut off.
            one.counts.active_connections = 0;
            (part, one)
        });
        self.counted.extend(counted);
        let surplus = self.counted.len().saturating_sub(ENDED_MAX);
        self.counted.drain(..surplus);
        is_any
    }

    /// The process of the counts; `None` without any.
    pub fn began(&self) -> Option<&str> {
        (!self.counted.is_empty()).then_some(self.began.as_str())
    }

    /// What was counted by this process.
    pub fn of(&self, began: &str) -> impl Iterator<Item = Counted> {
        let counted = self.counted.iter().filter(move |_| self.began == began);
        counted.map(|(_, one)| one.clone())
    }

    /// The tasks of a part, by ARN.
    pub fn tasks(&self, part: Part) -> BTreeSet<String> {
        let own = self.counted.iter().filter(|(of, _)| *of == part);
        own.map(|(_, one)| one.task.clone()).collect()
    }

    /// Forgets these tasks of a part.
    pub fn forget(&mut self, part: Part, tasks: &BTreeSet<String>) {
        let is_told = |(of, one): &(Part, Counted)| *of == part && tasks.contains(&one.task);
        self.counted.retain(|one| !is_told(one));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connect::proxy::Counts;
    use std::collections::BTreeMap;

    fn counted(task: &str) -> Vec<Counted> {
        vec![Counted {
            task: task.into(),
            discovery_name: "api".into(),
            counts: Counts {
                requests: 3,
                active_connections: 1,
                ..Counts::default()
            },
            targets: BTreeMap::new(),
        }]
    }

    #[test]
    fn it_is_one_processs_one_parts_and_bounded() {
        let mut ended = Ended::default();
        assert!(!ended.add(Part::Instance, "p", Vec::new()) && ended.began().is_none());
        assert!(ended.add(Part::Instance, "p", counted("a")));
        ended.add(Part::Fargate, "p", counted("b"));
        let all: Vec<Counted> = ended.of("p").collect();
        assert_eq!((all.len(), all[0].counts.active_connections), (2, 0));
        assert_eq!(ended.of("other").count(), 0);
        let of = |part| ended.tasks(part).into_iter().collect::<Vec<_>>();
        assert_eq!(
            (of(Part::Instance), of(Part::Fargate)),
            (vec!["a".to_owned()], vec!["b".to_owned()])
        );
        let both = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        ended.forget(Part::Fargate, &both);
        assert_eq!(ended.of("p").count(), 1, "the other part's is not told yet");
        ended.add(Part::Instance, "next", counted("c"));
        assert_eq!(
            ended.tasks(Part::Instance).len(),
            1,
            "the next process counts anew"
        );
        for _ in 0..ENDED_MAX {
            ended.add(Part::Instance, "next", counted("d"));
        }
        assert_eq!(ended.counted.len(), ENDED_MAX);
        assert!(!ended.tasks(Part::Instance).contains("c"));
    }
}
