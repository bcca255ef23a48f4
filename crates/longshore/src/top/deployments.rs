//! The deployments of the service that is looked at, each with how far it is.

use super::frame::{block, counted, status};
use super::model::{DeploymentRow, ServiceRow};
use super::words::{bar, cut};
use ratatui::buffer::Buffer;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::text::{Line, Span};
use ratatui::widgets::Widget;

/// Columns of a bar, on a narrow and on a wide screen.
const BAR: [usize; 2] = [20, 40];
const WIDE: u16 = 110;

/// Draws them.
pub fn draw(service: &ServiceRow, area: Rect, buffer: &mut Buffer) {
    let name = format!("deployments of {}", service.name);
    let shown = usize::from(area.height.saturating_sub(1)).min(service.deployments.len());
    let block = block(counted(&name, shown, service.deployments.len()), false);
    let inside = block.inner(area);
    block.render(area, buffer);
    let lines = Layout::vertical(vec![Constraint::Length(1); inside.height.into()]).split(inside);
    for (deployment, area) in service.deployments.iter().zip(lines.iter()) {
        line(deployment, area.width).render(*area, buffer);
    }
}

fn line(of: &DeploymentRow, width: u16) -> Line<'static> {
    let wide = usize::from(width >= WIDE);
    let bar = bar(of.running, of.pending, of.desired, BAR[wide]);
    let mut counts = format!(" {}/{}", of.running, of.desired);
    if of.pending > 0 {
        counts.push_str(&format!(" +{}", of.pending));
    }
    if of.failed > 0 {
        counts.push_str(&format!(", {} failed", of.failed));
    }
    let mut spans = vec![
        Span::raw(format!(
            "  {:<8} {:<16} ",
            of.status,
            cut(&of.definition, 16)
        )),
        Span::styled(bar, status(&of.state)),
        Span::raw(format!("{counts:<10} ")),
        Span::styled(of.state.clone(), status(&of.state)),
    ];
    if wide == 1 && of.state != "COMPLETED" {
        spans.push(Span::raw(format!("  {}", of.reason)));
    }
    Line::from(spans)
}
