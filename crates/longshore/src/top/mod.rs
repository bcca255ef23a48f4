//! `longshore top`: clusters, services, deployments, tasks and events, live in a terminal.
//!
//! Twice a second [`fetch`] reads a [`model::Seen`] through the API; [`view`] is what keys choose of
//! it; [`frame`] draws both. Only this file touches the terminal.

mod deployments;
mod events;
mod fetch;
mod frame;
mod model;
mod services;
#[cfg(test)]
mod snapshots;
mod tasks;
mod view;
mod words;

use crate::api::{Root, Session};
use crate::settings::Settings;
use clap::Args;
use model::Seen;
use ratatui::buffer::Buffer;
use ratatui::crossterm::event::{self, Event, KeyEvent, KeyEventKind};
use ratatui::layout::Rect;
use std::io::{IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;
use tokio::sync::mpsc;
use view::{Next, View};

const REFRESH_EVERY: Duration = Duration::from_millis(500);

/// What is looked at, and how.
#[derive(Args, Debug)]
pub struct Options {
    /// Cluster to begin with
    #[arg(long, default_value = "default")]
    pub cluster: String,
    /// Print one frame as text and exit
    #[arg(long)]
    pub once: bool,
    /// Columns and rows of that frame
    #[arg(long, value_name = "COLUMNSxROWS", default_value = "80x24", value_parser = size, requires = "once")]
    pub size: Rect,
}

/// Reads `80x24`.
fn size(text: &str) -> Result<Rect, String> {
    let number = |of: &str| of.parse::<u16>().ok().filter(|n| (1..=1000).contains(n));
    text.split_once('x')
        .and_then(|(columns, rows)| Some(Rect::new(0, 0, number(columns)?, number(rows)?)))
        .ok_or_else(|| "is not COLUMNSxROWS, each at most 1000".into())
}

/// Shows what the running server tells until somebody quits.
pub fn run(settings: &Settings, options: &Options) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let mut look = Look {
            root: Root::of(settings)?,
            session: None,
            view: View::of(&options.cluster),
            seen: Seen::default(),
        };
        // What cannot be read now is an error; later it is shown, and tried again.
        look.read().await?;
        if options.once {
            let text = text(&look.seen, &look.view, options.size);
            std::io::stdout().write_all(text.as_bytes())?;
            return anyhow::Ok(());
        }
        anyhow::ensure!(
            std::io::stdout().is_terminal() && std::io::stdin().is_terminal(),
            "this is no terminal: --once prints one frame"
        );
        live(look).await
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A frame as text, without the blanks at the ends of its lines.
fn text(seen: &Seen, view: &View, area: Rect) -> String {
    let mut buffer = Buffer::empty(area);
    frame::draw(seen, view, area, &mut buffer);
    let lines = buffer.content().chunks(area.width.into());
    let line = |cells: &[ratatui::buffer::Cell]| {
        let line: String = cells.iter().map(ratatui::buffer::Cell::symbol).collect();
        format!("{}\n", line.trim_end())
    };
    lines.map(line).collect()
}

/// What is looked at, with the connection that is kept for it.
struct Look {
    root: Root,
    session: Option<Session>,
    view: View,
    seen: Seen,
}

impl Look {
    /// Reads anew; after an error on a new connection.
    async fn read(&mut self) -> anyhow::Result<()> {
        let mut session = match self.session.take() {
            Some(session) => session,
            None => self.root.connect().await?,
        };
        self.seen = fetch::fetch(&mut session, &self.root, &mut self.view).await?;
        self.session = Some(session);
        Ok(())
    }

    /// The same; what fails is told, over what was seen before.
    async fn read_or_tell(&mut self) {
        self.seen.trouble = match self.read().await {
            Ok(()) => None,
            Err(error) => Some(format!("{error:#}")),
        };
    }
}

async fn live(mut look: Look) -> anyhow::Result<()> {
    let mut keys = keys();
    // Raw mode and the other screen; a panic puts both back too.
    let mut terminal = ratatui::try_init()?;
    let shown = async {
        loop {
            terminal.draw(|frame| {
                frame::draw(&look.seen, &look.view, frame.area(), frame.buffer_mut());
            })?;
            match tokio::time::timeout(REFRESH_EVERY, keys.recv()).await {
                Ok(Some(key)) => {
                    let mut next = pressed(&mut look, key);
                    while let (Next::Look, Ok(key)) = (next, keys.try_recv()) {
                        next = pressed(&mut look, key);
                    }
                    if next == Next::Quit {
                        return anyhow::Ok(());
                    }
                }
                Ok(None) => return Ok(()),
                Err(_) => {}
            }
            look.read_or_tell().await;
        }
    }
    .await;
    ratatui::try_restore()?;
    shown
}

fn pressed(look: &mut Look, key: Option<KeyEvent>) -> Next {
    match key {
        Some(key) => look.view.press(key, &look.seen),
        None => Next::Look,
    }
}

/// Keys as they are pressed, and `None` where the terminal has another size; ends with standard
/// input. A thread of its own reads them: the terminal can only be waited for.
fn keys() -> mpsc::Receiver<Option<KeyEvent>> {
    let (sender, receiver) = mpsc::channel(64);
    std::thread::spawn(move || {
        while let Ok(event) = event::read() {
            let sent = match event {
                Event::Key(key) if key.kind != KeyEventKind::Release => {
                    sender.blocking_send(Some(key))
                }
                Event::Resize(..) => sender.blocking_send(None),
                _ => Ok(()),
            };
            if sent.is_err() {
                return;
            }
        }
    });
    receiver
}
