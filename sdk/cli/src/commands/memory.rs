//! `soorma memory`: what agents know, what happened, how things are done, and what plans have at hand.

mod admin;
mod backup;
mod erase;
mod export;
mod import;
mod search;
mod show;
mod stats;

use clap::Subcommand;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::print::Printer;

pub(super) use admin::DEV_KEY;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Search what is known; and with --agent, what happened with an agent and how it does things.
    Search(search::Args),
    /// Show one piece of knowledge or one skill by its id, or what a plan has at hand: `show working PLAN [KEY]`.
    Show(show::Args),
    /// Show how much there is of what, and how far the vectors are by which it is searched.
    Stats(stats::Args),
    /// Write all that a user has, one JSON object a line: sessions, plans and their contexts, knowledge, skills, values of plans, and what happened. What others
    /// have made public is not written.
    Export(export::Args),
    /// Read what `export` wrote. What is there already stays as it is, so nothing is imported twice, and what was broken off is just run again.
    Import(import::Args),
    /// Erase for good all that a user, a service tenant or a whole tenant has, and show what it was.
    Erase(erase::Args),
    /// Make the vectors of the tenant anew, by which memory is searched, and show how far that is. Meanwhile searches go by words and time.
    Reembed(stats::Reembed),
}

pub(crate) async fn run(command: Command, printer: Printer) -> anyhow::Result<()> {
    match command {
        Command::Search(args) => search::run(args, printer).await,
        Command::Show(args) => show::run(args, printer).await,
        Command::Stats(args) => stats::run(args, printer).await,
        Command::Export(args) => export::run(args, printer).await,
        Command::Import(args) => import::run(args, printer).await,
        Command::Erase(args) => erase::run(args, printer).await,
        Command::Reembed(args) => stats::reembed(args, printer).await,
    }
}

/// A bar on standard error, for people who watch.
fn bar(printer: Printer, of: u64, what: &str) -> anyhow::Result<ProgressBar> {
    let bar = ProgressBar::new(of);
    bar.set_style(ProgressStyle::with_template(&format!("{{bar:40}} {{pos}}/{{len}} {what}  {{per_sec}}"))?);
    if printer.is_json() {
        bar.set_draw_target(ProgressDrawTarget::hidden());
    }
    Ok(bar)
}

/// The beginning of a text, on one line.
fn excerpt(text: &str, chars: usize) -> String {
    let mut excerpt: String = text.chars().take(chars).collect();
    if text.chars().nth(chars).is_some() {
        excerpt.push('…');
    }
    excerpt
}

/// A number of bytes for people.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    let (mut tenths, mut unit) = (bytes.saturating_mul(10), "B");
    for larger in UNITS {
        if tenths < 10_240 {
            break;
        }
        (tenths, unit) = (tenths / 1_024, larger);
    }
    if unit == "B" { format!("{bytes} B") } else { format!("{}.{} {unit}", tenths / 10, tenths % 10) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_in_the_largest_unit_that_leaves_something_before_the_point() {
        for (bytes, text) in [
            (0, "0 B"),
            (1_023, "1023 B"),
            (1_024, "1.0 KiB"),
            (1_536, "1.5 KiB"),
            (10 * 1_024 * 1_024, "10.0 MiB"),
            (5_000_000_000, "4.6 GiB"),
        ] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn an_excerpt_says_that_there_is_more() {
        assert_eq!((excerpt("äöü", 3), excerpt("äöüß", 3)), ("äöü".to_owned(), "äöü…".to_owned()));
    }
}
