//! What is looked at, and how keys move it. Pure.

use super::model::Seen;
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// The list that keys move in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pane {
    /// Services.
    #[default]
    Services,
    /// Tasks.
    Tasks,
    /// Events.
    Events,
}

/// What is looked at. Things are remembered by name: they come and go between two looks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct View {
    /// The cluster.
    pub cluster: String,
    /// The service, if the cluster has any.
    pub service: Option<String>,
    /// The list that keys move in.
    pub pane: Pane,
    /// Whether tasks and events are the cluster's, not the service's.
    pub is_all: bool,
    /// The task's place in its list.
    pub task: usize,
    /// The first event shown.
    pub event: usize,
}

/// What a key asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// To go on.
    Look,
    /// To end.
    Quit,
}

/// How far Page Up and Page Down move.
const PAGE: isize = 10;

impl View {
    /// A look at this cluster.
    pub fn of(cluster: &str) -> Self {
        Self {
            cluster: cluster.into(),
            ..Self::default()
        }
    }

    /// Where the service stands in its list.
    pub fn service_at(&self, seen: &Seen) -> Option<usize> {
        let name = self.service.as_deref()?;
        seen.services.iter().position(|row| row.name == name)
    }

    /// Looks at the first service where the one looked at is there no more.
    pub fn settle_service(&mut self, seen: &Seen) {
        if self.service_at(seen).is_none() {
            self.service = seen.services.first().map(|row| row.name.clone());
            (self.task, self.event) = (0, 0);
        }
    }

    /// Keeps the places in lists within them.
    pub fn settle(&mut self, seen: &Seen) {
        self.task = self.task.min(seen.tasks.len().saturating_sub(1));
        let events = self.events_len(seen);
        self.event = self.event.min(events.saturating_sub(1));
    }

    /// How many events are listed.
    fn events_len(&self, seen: &Seen) -> usize {
        match (self.is_all, self.service_at(seen)) {
            (true, _) => seen.services.iter().map(|row| row.events.len()).sum(),
            (false, Some(at)) => seen.services[at].events.len(),
            (false, None) => 0,
        }
    }

    /// What a key does.
    pub fn press(&mut self, key: KeyEvent, seen: &Seen) -> Next {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if is_control => return Next::Quit,
            KeyCode::Char('q') | KeyCode::Esc => return Next::Quit,
            KeyCode::Up | KeyCode::Char('k') => self.step(-1, seen),
            KeyCode::Down | KeyCode::Char('j') => self.step(1, seen),
            KeyCode::PageUp => self.step(-PAGE, seen),
            KeyCode::PageDown => self.step(PAGE, seen),
            KeyCode::Home => self.step(isize::MIN, seen),
            KeyCode::End => self.step(isize::MAX, seen),
            KeyCode::Left | KeyCode::Char('h') => self.turn(-1, seen),
            KeyCode::Right | KeyCode::Char('l') => self.turn(1, seen),
            KeyCode::Tab => self.pane = self.pane.after(),
            KeyCode::BackTab => self.pane = self.pane.after().after(),
            KeyCode::Char('s') => self.pane = Pane::Services,
            KeyCode::Char('t') => self.pane = Pane::Tasks,
            KeyCode::Char('e') => self.pane = Pane::Events,
            KeyCode::Char('a') => {
                self.is_all = !self.is_all;
                (self.task, self.event) = (0, 0);
            }
            _ => {}
        }
        Next::Look
    }

    /// Moves within the list.
    fn step(&mut self, by: isize, seen: &Seen) {
        match self.pane {
            Pane::Services => {
                let at = self.service_at(seen).unwrap_or(0);
                let to = moved(at, by, seen.services.len());
                let name = seen.services.get(to).map(|row| row.name.clone());
                if name != self.service {
                    self.service = name;
                    (self.task, self.event) = (0, 0);
                }
            }
            Pane::Tasks => self.task = moved(self.task, by, seen.tasks.len()),
            Pane::Events => self.event = moved(self.event, by, self.events_len(seen)),
        }
    }

    /// Turns to the cluster so many further, round and round.
    fn turn(&mut self, by: isize, seen: &Seen) {
        let at = seen
            .clusters
            .iter()
            .position(|row| row.name == self.cluster);
        let count = seen.clusters.len();
        let Some(to) = at.unwrap_or(0).saturating_add(count).checked_add_signed(by) else {
            return;
        };
        if let Some(row) = to.checked_rem(count).and_then(|at| seen.clusters.get(at)) {
            let (pane, is_all) = (self.pane, self.is_all);
            *self = Self {
                pane,
                is_all,
                ..Self::of(&row.name)
            };
        }
    }
}

impl Pane {
    fn after(self) -> Self {
        match self {
            Self::Services => Self::Tasks,
            Self::Tasks => Self::Events,
            Self::Events => Self::Services,
        }
    }
}

fn moved(at: usize, by: isize, len: usize) -> usize {
    at.saturating_add_signed(by).min(len.saturating_sub(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::top::model::{ClusterRow, EventRow, ServiceRow, TaskRow};

    fn seen() -> Seen {
        let service = |name: &str, events: usize| ServiceRow {
            name: name.into(),
            events: vec![EventRow::default(); events],
            ..ServiceRow::default()
        };
        let cluster = |name: &str| ClusterRow {
            name: name.into(),
            ..ClusterRow::default()
        };
        Seen {
            clusters: vec![cluster("blue"), cluster("default")],
            services: vec![service("api", 2), service("web", 3)],
            tasks: vec![TaskRow::default(); 4],
            ..Seen::default()
        }
    }

    fn press(view: &mut View, codes: &[KeyCode]) -> Next {
        let mut next = Next::Look;
        for code in codes {
            next = view.press(KeyEvent::new(*code, KeyModifiers::NONE), &seen());
        }
        next
    }

    #[test]
    fn keys_move_in_the_list_that_has_them_and_not_beyond_its_ends() {
        let mut view = View::of("default");
        view.settle_service(&seen());
        assert_eq!(view.service.as_deref(), Some("api"));
        press(
            &mut view,
            &[KeyCode::Down, KeyCode::Down, KeyCode::Char('j')],
        );
        assert_eq!(view.service.as_deref(), Some("web"));
        press(&mut view, &[KeyCode::Tab, KeyCode::Down, KeyCode::PageDown]);
        assert_eq!((view.pane, view.task), (Pane::Tasks, 3));
        press(&mut view, &[KeyCode::Char('e'), KeyCode::End]);
        assert_eq!((view.pane, view.event), (Pane::Events, 2));
        press(&mut view, &[KeyCode::Char('a'), KeyCode::End]);
        assert_eq!((view.is_all, view.event, view.task), (true, 4, 0));
        press(
            &mut view,
            &[KeyCode::Home, KeyCode::BackTab, KeyCode::BackTab],
        );
        assert_eq!((view.event, view.pane), (0, Pane::Services));
        press(&mut view, &[KeyCode::Up, KeyCode::Up]);
        assert_eq!(view.service.as_deref(), Some("api"));
    }

    #[test]
    fn clusters_are_turned_round_and_round_and_a_new_one_begins_at_its_first_service() {
        let mut view = View::of("default");
        view.settle_service(&seen());
        press(&mut view, &[KeyCode::Right]);
        assert_eq!((view.cluster.as_str(), &view.service), ("blue", &None));
        press(&mut view, &[KeyCode::Left]);
        assert_eq!(view.cluster, "default");
        let mut alone = View::of("none");
        alone.press(
            KeyEvent::new(KeyCode::Left, KeyModifiers::NONE),
            &Seen::default(),
        );
        assert_eq!(alone, View::of("none"), "no cluster, nothing to turn to");
    }

    #[test]
    fn what_is_gone_is_looked_at_no_more() {
        let mut view = View {
            service: Some("gone".into()),
            task: 9,
            ..View::of("default")
        };
        view.settle_service(&seen());
        assert_eq!((view.service.as_deref(), view.task), (Some("api"), 0));
        (view.task, view.event) = (9, 9);
        view.settle(&seen());
        assert_eq!((view.task, view.event), (3, 1));
    }

    #[test]
    fn three_keys_quit() {
        let mut view = View::default();
        assert_eq!(press(&mut view, &[KeyCode::Char('q')]), Next::Quit);
        assert_eq!(press(&mut view, &[KeyCode::Esc]), Next::Quit);
        let control_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(view.press(control_c, &seen()), Next::Quit);
        assert_eq!(press(&mut view, &[KeyCode::Char('c')]), Next::Look);
    }
}
