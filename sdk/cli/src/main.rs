//! The binary `soorma`.

mod commands;
mod connection;
mod exit;
mod print;
mod signals;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::print::Printer;

/// AI agents that work together by events, each of them a supervised actor.
#[derive(Debug, Parser)]
#[command(
    name = "soorma",
    version,
    max_term_width = 100,
    propagate_version = true,
    arg_required_else_help = true
)]
struct Cli {
    /// Print JSON instead of text.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the platform on this machine: no token, no server to install, data in one folder.
    Dev(commands::dev::Args),
    /// Run the platform beside its servers: the event log on NATS JetStream.
    Serve(commands::serve::Args),
    /// Count the words of a folder with supervised agents; with --chaos, while they are made to fail.
    Demo(commands::demo::Args),
    /// Show the supervision tree of a running platform, live.
    Tree(commands::tree::Args),
    /// See who is here, what they can do, and how they are.
    #[command(subcommand)]
    Agents(commands::agents::Command),
    /// See what events mean; publish them, watch them come, read them again, and see who works through them.
    #[command(subcommand)]
    Events(commands::events::Command),
    /// Look at the schemas of payloads, register them, and see what a change would break.
    #[command(subcommand)]
    Schemas(commands::schemas::Command),
    /// Search what agents know and what happened, look at what plans have at hand; export, import and erase it.
    #[command(subcommand)]
    Memory(commands::memory::Command),
    /// Look at events that no agent could deal with, and give them back or drop them.
    #[command(subcommand)]
    Dlq(commands::dlq::Command),
    /// Show the configuration and where each value comes from.
    #[command(subcommand)]
    Config(commands::config::Command),
    /// Show the version.
    Version,
    /// Write completions for a shell to standard output.
    Completions {
        /// Which shell.
        shell: clap_complete::Shell,
    },
}

fn main() -> std::process::ExitCode {
    let cli = Cli::parse();
    let printer = Printer::new(cli.json);
    let outcome = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(run(cli.command, printer)),
        Err(error) => Err(error.into()),
    };
    match outcome {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => exit::code(&error, printer),
    }
}

async fn run(command: Command, printer: Printer) -> anyhow::Result<()> {
    match command {
        Command::Dev(args) => commands::dev::run(args, printer).await,
        Command::Serve(args) => commands::serve::run(args, printer).await,
        Command::Demo(args) => commands::demo::run(args, printer).await,
        Command::Tree(args) => commands::tree::run(args, printer).await,
        Command::Agents(command) => commands::agents::run(command, printer).await,
        Command::Schemas(command) => commands::schemas::run(command, printer).await,
        Command::Events(command) => commands::events::run(command, printer).await,
        Command::Memory(command) => commands::memory::run(command, printer).await,
        Command::Dlq(command) => commands::dlq::run(command, printer).await,
        Command::Config(command) => commands::config::run(command, printer),
        Command::Version => commands::version(printer),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "soorma", &mut script);
            printer.raw(&script)
        }
    }
}
