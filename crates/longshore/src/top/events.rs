//! Events of the service that is looked at, or of all, the newest first, in full.

use super::frame::{block, faint};
use super::model::{EventRow, Seen};
use super::view::{Pane, View};
use super::words::{clock, wrapped};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span, Text};
use ratatui::widgets::Widget;
use std::cmp::Reverse;

/// `  HH:MM:SS `, before each event's first line.
const INDENT: usize = 11;

/// Draws them from the one that `view` is at.
pub fn draw(seen: &Seen, view: &View, area: Rect, buffer: &mut Buffer) {
    let service = view.service_at(seen).filter(|_| !view.is_all);
    let service = service.map(|at| &seen.services[at]);
    let (name, own) = match service {
        Some(service) => (
            format!("events of {}", service.name),
            format!("(service {}) ", service.name),
        ),
        None => ("events of the cluster".to_owned(), String::new()),
    };
    let block = block(name, view.pane == Pane::Events);
    let inside = block.inner(area);
    block.render(area, buffer);
    let events: Vec<&EventRow> = match service {
        Some(service) => service.events.iter().collect(),
        None => of_all(seen),
    };
    let width = usize::from(inside.width).saturating_sub(INDENT);
    let lines = events.iter().skip(view.event).flat_map(|event| {
        // The title says already whose they are.
        let text = event.text.strip_prefix(own.as_str()).unwrap_or(&event.text);
        let first = format!("  {} ", clock(event.at));
        let wrapped = wrapped(text, width).into_iter().enumerate();
        wrapped.map(move |(at, text)| {
            let margin = match at {
                0 => first.clone(),
                _ => " ".repeat(INDENT),
            };
            Line::from(vec![Span::styled(margin, faint()), Span::raw(text)])
        })
    });
    let lines: Vec<Line<'_>> = lines.take(inside.height.into()).collect();
    match lines.is_empty() {
        true => Line::styled("  none", faint()).render(inside, buffer),
        false => Text::from(lines).render(inside, buffer),
    }
}

fn of_all(seen: &Seen) -> Vec<&EventRow> {
    let mut events: Vec<&EventRow> = seen.services.iter().flat_map(|row| &row.events).collect();
    events.sort_by_key(|event| Reverse(event.at));
    events
}
