//! `soorma tree`: what runs, as it is now.

use std::time::Duration;

use soorma::{ChildState, TreeNode};

use crate::connection::Connection;
use crate::print::{Printer, Tone};
use crate::signals;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(flatten)]
    connection: Connection,
    /// How deep to look.
    #[arg(long, default_value_t = 16)]
    depth: usize,
    /// How many children of each to show.
    #[arg(long, default_value_t = 50)]
    limit: usize,
    /// Show it once, also on a terminal.
    #[arg(long)]
    once: bool,
}

/// How often the live table is drawn.
const REFRESH: Duration = Duration::from_secs(1);

pub(crate) async fn run(args: Args, printer: Printer) -> anyhow::Result<()> {
    let client = args.connection.client()?;
    let mut tree = client.tree(Some(args.depth), Some(args.limit)).await?;
    if printer.is_json() {
        return printer.object(&tree);
    }
    if args.once || !printer.is_live() {
        return show(printer, &tree);
    }
    let stop = signals::asked_to_stop();
    tokio::pin!(stop);
    loop {
        // Home, and all below it cleared: no flicker, nothing left of a longer table.
        printer.raw(b"\x1b[H\x1b[2J")?;
        show(printer, &tree)?;
        printer.line(
            &printer.tone(Tone::Quiet, &format!("{} · every second · Ctrl-C ends", args.connection.url)),
        )?;
        tokio::select! {
            stop = &mut stop => return Ok(stop?),
            () = tokio::time::sleep(REFRESH) => {}
        }
        tree = match client.tree(Some(args.depth), Some(args.limit)).await {
            Ok(tree) => tree,
            Err(error) => return Err(error.into()),
        };
    }
}

fn show(printer: Printer, tree: &TreeNode) -> anyhow::Result<()> {
    let mut rows = Vec::new();
    add(printer, tree, "", "", &mut rows);
    printer.table(&["child", "state", "restarts", "waiting", "up for", "last failure"], rows)
}

fn add(printer: Printer, node: &TreeNode, lead: &str, below: &str, rows: &mut Vec<Vec<String>>) {
    let tone = match node.state {
        ChildState::Running => Tone::Good,
        ChildState::Quarantined => Tone::Bad,
        ChildState::Restarting | ChildState::Starting | ChildState::Stopping => Tone::Warn,
        ChildState::Waiting | ChildState::Stopped => Tone::Quiet,
    };
    let state = match node.restart_in_ms {
        Some(ms) => format!("restarts in {ms} ms"),
        None => node.state.as_str().to_owned(),
    };
    let kind = node.strategy.as_ref().map_or_else(String::new, |strategy| format!(" ({strategy})"));
    let zero_is_blank = |n: u64| if n == 0 { String::new() } else { n.to_string() };
    rows.push(vec![
        format!("{lead}{}{}", node.id, printer.tone(Tone::Quiet, &kind)),
        printer.tone(tone, &state),
        zero_is_blank(node.restarts),
        zero_is_blank(node.depth.into()),
        age(node.age_seconds),
        node.last_failure.clone().unwrap_or_default(),
    ]);
    let last = node.children.len();
    for (nth, child) in node.children.iter().enumerate() {
        let is_last = nth + 1 == last && node.more == 0;
        let (mine, beyond) = if is_last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
        add(printer, child, &format!("{below}{mine}"), &format!("{below}{beyond}"), rows);
    }
    if node.more > 0 {
        rows.push(vec![format!("{below}└─ … {} more", node.more)]);
    }
}

fn age(seconds: f64) -> String {
    let whole = Duration::from_secs_f64(seconds.max(0.0)).as_secs();
    match whole {
        0 => String::new(),
        1..60 => format!("{whole}s"),
        60..3_600 => format!("{}m {}s", whole / 60, whole % 60),
        3_600..86_400 => format!("{}h {}m", whole / 3_600, whole % 3_600 / 60),
        _ => format!("{}d {}h", whole / 86_400, whole % 86_400 / 3_600),
    }
}
