//! Frames as they look, in several sizes.

use super::frame;
use super::model::{ClusterRow, DeploymentRow, EventRow, Seen, ServiceRow, TaskRow};
use super::view::{Pane, View};
use aws_types::Timestamp;
use ratatui::Terminal;
use ratatui::backend::TestBackend;

/// 2023-11-14T22:13:20Z
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn ago(seconds: i64) -> Timestamp {
    Timestamp::from_millis(NOW.millis() - seconds * 1000)
}

fn deployment(status: &str, revision: u32, counts: [i32; 3], state: &str) -> DeploymentRow {
    let [desired, running, pending] = counts;
    DeploymentRow {
        status: status.into(),
        definition: format!("web:{revision}"),
        desired,
        running,
        pending,
        failed: pending,
        state: state.into(),
        reason: format!("ECS deployment ecs-svc/{revision} in progress."),
    }
}

fn service(name: &str, deployments: Vec<DeploymentRow>, events: Vec<EventRow>) -> ServiceRow {
    ServiceRow {
        name: name.into(),
        status: "ACTIVE".into(),
        scheduling: "REPLICA".into(),
        definition: deployments[0].definition.clone(),
        desired: deployments[0].desired,
        running: deployments.iter().map(|d| d.running).sum(),
        pending: deployments.iter().map(|d| d.pending).sum(),
        deployments,
        events,
    }
}

fn task(digit: char, revision: u32, status: &str, seconds: i64) -> TaskRow {
    TaskRow {
        id: digit.to_string().repeat(32),
        definition: format!("web:{revision}"),
        status: status.into(),
        health: if status == "RUNNING" { "HEALTHY" } else { "" }.into(),
        since: ago(seconds),
        instance: "e".repeat(32),
    }
}

fn cluster(name: &str, services: i32) -> ClusterRow {
    ClusterRow {
        name: name.into(),
        instances: 2,
        services,
        running: 9,
        pending: 1,
    }
}

fn seen() -> Seen {
    let started = format!(
        "(service web) has started 2 tasks: (task {}) (task {}).",
        "a".repeat(32),
        "b".repeat(32)
    );
    let event = |seconds, text: &str| EventRow {
        at: ago(seconds),
        text: text.into(),
    };
    Seen {
        at: NOW,
        server: "http://127.0.0.1:4566".into(),
        clusters: vec![cluster("blue", 0), cluster("default", 3)],
        services: vec![
            service(
                "api",
                vec![deployment("PRIMARY", 1, [2, 2, 0], "COMPLETED")],
                vec![event(30, "(service api) has reached a steady state.")],
            ),
            service(
                "web",
                vec![
                    deployment("PRIMARY", 2, [4, 1, 1], "IN_PROGRESS"),
                    deployment("ACTIVE", 1, [3, 3, 0], "COMPLETED"),
                ],
                vec![
                    event(3, &started),
                    event(90, "(service web) has reached a steady state."),
                ],
            ),
            ServiceRow {
                status: "DRAINING".into(),
                ..service(
                    "zoo",
                    vec![deployment("PRIMARY", 1, [0, 0, 0], "COMPLETED")],
                    vec![],
                )
            },
        ],
        services_len: 3,
        tasks: vec![
            task('a', 2, "PENDING", 3),
            task('b', 2, "RUNNING", 4),
            task('c', 1, "RUNNING", 7200),
        ],
        tasks_len: 3,
        trouble: None,
    }
}

fn web(pane: Pane) -> View {
    View {
        service: Some("web".into()),
        pane,
        ..View::of("default")
    }
}

/// The frame as a terminal of this size shows it.
fn shown(seen: &Seen, view: &View, columns: u16, rows: u16) -> String {
    let mut terminal = Terminal::new(TestBackend::new(columns, rows)).unwrap();
    let drawn = |frame: &mut ratatui::Frame<'_>| {
        frame::draw(seen, view, frame.area(), frame.buffer_mut());
    };
    terminal.draw(drawn).unwrap();
    let shown = terminal.backend().to_string();
    let line = |line: &str| format!("{}\n", line.trim_matches('"').trim_end());
    shown.lines().map(line).collect()
}

fn check(shown: &str, expected: &str) {
    assert!(shown == expected, "it looks like this:\n{shown}");
}

#[test]
fn a_deployment_under_way_fills_a_terminal_of_80_by_24() {
    let expected = include_str!("snapshots/services-80x24.txt");
    check(&shown(&seen(), &web(Pane::Services), 80, 24), expected);
}

#[test]
fn a_wide_terminal_shows_whole_ids_and_reasons() {
    let expected = include_str!("snapshots/tasks-140x20.txt");
    check(&shown(&seen(), &web(Pane::Tasks), 140, 20), expected);
}

#[test]
fn events_of_all_services_are_the_newest_first() {
    let view = View {
        is_all: true,
        ..web(Pane::Events)
    };
    let expected = include_str!("snapshots/events-80x24.txt");
    check(&shown(&seen(), &view, 80, 24), expected);
}

#[test]
fn nothing_there_and_a_server_that_is_away_are_said() {
    let nothing = Seen {
        at: NOW,
        clusters: vec![cluster("default", 0)],
        trouble: Some("no server answers at http://127.0.0.1:4566".into()),
        ..Seen::default()
    };
    let expected = include_str!("snapshots/nothing-80x12.txt");
    check(&shown(&nothing, &View::of("default"), 80, 12), expected);
}

#[test]
fn no_size_is_too_small_to_be_drawn() {
    for (columns, rows) in [(1, 1), (3, 2), (10, 5), (20, 9), (500, 3)] {
        let shown = shown(&seen(), &web(Pane::Services), columns, rows);
        assert_eq!(shown.lines().count(), usize::from(rows));
    }
}

#[test]
fn a_frame_as_text_is_what_a_terminal_shows() {
    let view = web(Pane::Services);
    let area = ratatui::layout::Rect::new(0, 0, 80, 24);
    let as_text = super::text(&seen(), &view, area);
    assert_eq!(as_text, shown(&seen(), &view, 80, 24));
}
