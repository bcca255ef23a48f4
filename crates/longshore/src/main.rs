//! The binary: command line, configuration and the supervisor. It wires the other crates together
//! and contains no rules of its own.
//!
//! * [`cli`]: flags, environment and `longshore.toml`, merged into [`settings::Settings`].
//! * [`data_dir`]: where everything of one Longshore lies, and its tag.
//! * [`up`], [`down`]: the supervisor of the two roles, and the end of everything.
//! * one module for each further command.

mod agent_process;
mod api;
mod aws_cli;
mod bench;
mod cli;
mod data_dir;
mod demo;
mod doctor;
mod down;
mod duration;
mod env;
mod events;
mod http;
mod image;
mod logs;
mod membership;
mod ps;
mod role;
mod roles;
mod settings;
mod sim;
mod state;
mod token;
mod top;
mod up;
mod why;

use clap::Parser;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match run(cli) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("longshore: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(cli: cli::Cli) -> anyhow::Result<ExitCode> {
    use cli::Command;
    if let Command::Proxy = cli.command {
        // It is told everything, and must not fail over a mistake in a file of settings.
        return roles::proxy();
    }
    let settings = settings::Settings::resolve(&cli.global)?;
    match cli.command {
        Command::Up(options) => up::run(&settings, &options),
        Command::Down(options) => down::run(&settings, &options),
        Command::Server(command) => match &command.command {
            None => roles::server(&settings, &command.options),
            Some(cli::ServerSubcommand::Token(options)) => token::run(&settings, options),
        },
        Command::Agent(options) => roles::agent(&settings, &options),
        Command::Proxy => roles::proxy(),
        Command::Env => env::run(&settings),
        Command::Doctor => doctor::run(&settings),
        Command::Ps(options) => ps::run(&settings, &options),
        Command::Logs(options) => logs::run(&settings, &options),
        Command::Why(options) => why::run(&settings, &options),
        Command::Events(options) => events::run(&settings, &options),
        Command::Top(options) => top::run(&settings, &options),
        Command::Image(command) => image::run(&settings, &command),
        Command::State(command) => state::run(&settings, &command),
        Command::Bench(options) => bench::run(&settings, &options),
        Command::Sim(options) => sim::run(&options),
        Command::Compatibility => {
            print!("{}", control::compatibility());
            Ok(ExitCode::SUCCESS)
        }
        Command::Completions { shell } => {
            cli::completions(shell);
            Ok(ExitCode::SUCCESS)
        }
        Command::Version => {
            println!("longshore {}", env!("CARGO_PKG_VERSION"));
            Ok(ExitCode::SUCCESS)
        }
    }
}
