//! The list of services.

use super::frame::{block, counted, faint, status};
use super::model::{Seen, ServiceRow};
use super::view::{Pane, View};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Rect};
use ratatui::style::{Modifier, Style};
use ratatui::text::{Line, Text};
use ratatui::widgets::{Cell, Row, StatefulWidget, Table, TableState, Widget};

/// Draws it.
pub fn draw(seen: &Seen, view: &View, area: Rect, buffer: &mut Buffer) {
    let name = counted("services", seen.services.len(), seen.services_len);
    let block = block(name, view.pane == Pane::Services);
    if seen.services.is_empty() {
        let inside = block.inner(area);
        block.render(area, buffer);
        Line::styled("  none", faint()).render(inside, buffer);
        return;
    }
    let right = |of: String| Cell::from(Text::from(of).right_aligned());
    let head = Row::new([
        Cell::from("NAME"),
        Cell::from("DEFINITION"),
        right("DESIRED".into()),
        right("RUNNING".into()),
        right("PENDING".into()),
        Cell::from("ROLLOUT"),
    ]);
    let rows = seen.services.iter().map(|service| {
        let state = state(service);
        let state = Cell::from(state.to_owned()).style(status(state));
        Row::new([
            Cell::from(service.name.clone()),
            Cell::from(service.definition.clone()),
            right(service.desired.to_string()),
            right(service.running.to_string()),
            right(service.pending.to_string()),
            state,
        ])
    });
    let widths = [
        Constraint::Fill(3),
        Constraint::Fill(2),
        Constraint::Length(7),
        Constraint::Length(7),
        Constraint::Length(7),
        Constraint::Length(12),
    ];
    let table = Table::new(rows, widths)
        .header(head.style(faint()))
        .row_highlight_style(Style::new().add_modifier(Modifier::REVERSED))
        .highlight_symbol("> ")
        .block(block);
    let mut state = TableState::new().with_selected(view.service_at(seen));
    StatefulWidget::render(table, area, buffer, &mut state);
}

/// How its PRIMARY is, or that it is deleted.
fn state(service: &ServiceRow) -> &str {
    let primary = service.deployments.first();
    match service.status.as_str() {
        "ACTIVE" => primary.map_or("", |primary| primary.state.as_str()),
        other => other,
    }
}
