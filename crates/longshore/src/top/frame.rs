//! One frame: which part of the screen shows what. Pure.

use super::model::Seen;
use super::view::{Pane, View};
use super::{deployments, events, services, tasks, words};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Borders, Widget};

/// Rows of a list under its title: enough to see that there are more.
const LIST_ROWS_MIN: u16 = 3;
/// Deployments shown at most.
const DEPLOYMENTS_MAX: u16 = 4;

/// Draws everything into `area`.
pub fn draw(seen: &Seen, view: &View, area: Rect, buffer: &mut Buffer) {
    let service = view.service_at(seen).map(|at| &seen.services[at]);
    let deployments = service.map_or(0, |row| row.deployments.len());
    let deployments = u16::try_from(deployments).unwrap_or(u16::MAX);
    let services = u16::try_from(seen.services.len()).unwrap_or(u16::MAX);
    let [head, clusters, services_area, deployments_area, lower, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        // Title and header besides the rows; never more than two fifths of the screen.
        Constraint::Length((services.max(1) + 2).min((area.height * 2 / 5).max(LIST_ROWS_MIN))),
        Constraint::Length(match deployments {
            0 => 0,
            count => count.min(DEPLOYMENTS_MAX) + 1,
        }),
        Constraint::Min(LIST_ROWS_MIN),
        Constraint::Length(1),
    ])
    .areas(area);
    draw_head(seen, head, buffer);
    draw_clusters(seen, view, clusters, buffer);
    services::draw(seen, view, services_area, buffer);
    if let Some(service) = service {
        deployments::draw(service, deployments_area, buffer);
    }
    match view.pane {
        Pane::Events => events::draw(seen, view, lower, buffer),
        Pane::Tasks => tasks::draw(seen, view, lower, buffer),
        Pane::Services => {
            let [left, right] =
                Layout::vertical([Constraint::Percentage(50), Constraint::Min(LIST_ROWS_MIN)])
                    .areas(lower);
            tasks::draw(seen, view, left, buffer);
            events::draw(seen, view, right, buffer);
        }
    }
    let keys = "q quit  ↑↓ move  ←→ cluster  tab list (s t e)  a all tasks and events";
    Line::styled(keys, faint()).render(foot, buffer);
}

fn draw_head(seen: &Seen, area: Rect, buffer: &mut Buffer) {
    let clock = words::clock(seen.at);
    match &seen.trouble {
        Some(trouble) => {
            let text = format!("longshore top  as of {clock}: {trouble}");
            Line::styled(text, Style::new().fg(Color::Red)).render(area, buffer);
        }
        None => {
            Line::styled(format!("longshore top  {}", seen.server), title()).render(area, buffer);
            Line::styled(clock, faint())
                .right_aligned()
                .render(area, buffer);
        }
    }
}

/// All clusters by name, and the counts of the one that is looked at.
fn draw_clusters(seen: &Seen, view: &View, area: Rect, buffer: &mut Buffer) {
    let chosen = seen.clusters.iter().find(|row| row.name == view.cluster);
    let counts = match chosen {
        Some(row) => format!(
            " {} instances, {} services, {} running, {} pending",
            row.instances, row.services, row.running, row.pending
        ),
        None => format!(" no cluster {}", view.cluster),
    };
    let width = u16::try_from(counts.chars().count()).unwrap_or(u16::MAX);
    let [names, right] =
        Layout::horizontal([Constraint::Min(1), Constraint::Length(width)]).areas(area);
    let spans = seen.clusters.iter().flat_map(|row| {
        let style = match row.name == view.cluster {
            true => title().add_modifier(Modifier::REVERSED),
            false => Style::new(),
        };
        [Span::styled(format!(" {} ", row.name), style), " ".into()]
    });
    Line::from_iter(spans).render(names, buffer);
    Line::raw(counts).right_aligned().render(right, buffer);
}

/// A list's title, marked where keys move in it.
pub fn block(name: String, has_keys: bool) -> Block<'static> {
    let style = match has_keys {
        true => title().fg(Color::Cyan),
        false => faint(),
    };
    let mark = if has_keys { "▸" } else { " " };
    Block::new()
        .borders(Borders::TOP)
        .border_style(faint())
        .title(Span::styled(format!("{mark}{name} "), style))
}

/// `NAME, N`, with how many are left out.
pub fn counted(name: &str, shown: usize, len: usize) -> String {
    match shown < len {
        true => format!("{name}, {shown} of {len}"),
        false => format!("{name}, {len}"),
    }
}

/// The colour of a status in AWS's words.
pub fn status(word: &str) -> Style {
    match word {
        "RUNNING" | "COMPLETED" | "HEALTHY" | "STEADY_STATE" => Style::new().fg(Color::Green),
        "FAILED" | "STOPPED" | "UNHEALTHY" => Style::new().fg(Color::Red),
        "PENDING" | "PROVISIONING" | "ACTIVATING" | "IN_PROGRESS" | "STABILIZING" | "DRAINING"
        | "STOPPING" | "DEPROVISIONING" | "DEACTIVATING" => Style::new().fg(Color::Yellow),
        _ => Style::new(),
    }
}

/// What is least looked at.
pub fn faint() -> Style {
    Style::new().fg(Color::DarkGray)
}

fn title() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}
