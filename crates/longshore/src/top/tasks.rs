//! The list of tasks.

use super::frame::{block, counted, faint, status};
use super::model::Seen;
use super::view::{Pane, View};
use super::words::{age, cut};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Cell, HighlightSpacing, Row, StatefulWidget, Table, TableState, Widget};

/// An id has 32 digits; on a narrow screen its first ones do.
const ID: [u16; 2] = [13, 32];
const WIDE: u16 = 120;

/// Draws it.
pub fn draw(seen: &Seen, view: &View, area: Rect, buffer: &mut Buffer) {
    let of = match &view.service {
        Some(service) if !view.is_all => format!("tasks of {service}"),
        _ => "tasks of the cluster".to_owned(),
    };
    let has_keys = view.pane == Pane::Tasks;
    let block = block(counted(&of, seen.tasks.len(), seen.tasks_len), has_keys);
    if seen.tasks.is_empty() {
        let inside = block.inner(area);
        block.render(area, buffer);
        Line::styled("  none is to run", faint()).render(inside, buffer);
        return;
    }
    let id = ID[usize::from(area.width >= WIDE)];
    let head = Row::new(["TASK", "DEFINITION", "STATUS", "HEALTH", "AGE", "INSTANCE"]);
    let rows = seen.tasks.iter().map(|task| {
        Row::new([
            Cell::from(cut(&task.id, id.into())),
            Cell::from(task.definition.clone()),
            Cell::from(task.status.clone()).style(status(&task.status)),
            Cell::from(task.health.clone()).style(status(&task.health)),
            Cell::from(age(task.since, seen.at)),
            Cell::from(cut(&task.instance, id.into())),
        ])
    });
    let widths = [
        Constraint::Length(id),
        Constraint::Fill(1),
        Constraint::Length(12),
        Constraint::Length(9),
        Constraint::Length(4),
        Constraint::Length(id),
    ];
    let table = Table::new(rows, widths)
        .header(head.style(faint()))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .highlight_symbol("> ")
        .highlight_spacing(HighlightSpacing::Always)
        .block(block);
    let mut state = TableState::new().with_selected(has_keys.then_some(view.task));
    StatefulWidget::render(table, area, buffer, &mut state);
}
