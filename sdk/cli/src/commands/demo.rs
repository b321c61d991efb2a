//! `soorma demo`: the platform at work on real files. For every text file one keyed reader agent counts, a collector adds
//! up, all by events over the embedded log; with chaos, while handlers panic and supervisors are killed.

mod agents;
mod count;
mod files;
mod gremlin;
mod ledger;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use soorma::config::Config;
use soorma::{Error, Lifecycle, Node, Options, Turn};

use self::gremlin::Gremlin;
use self::ledger::Ledger;
use crate::print::{Printer, Tone};
use crate::signals;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The folder whose text files are counted; what .gitignore names is left out.
    #[arg(default_value = ".")]
    folder: PathBuf,
    /// Panic in one handler of five and kill supervisors at random: the result is the same.
    #[arg(long)]
    chaos: bool,
    /// What chance follows from, with --chaos.
    #[arg(long, default_value_t = 1, requires = "chaos")]
    seed: u64,
}

/// What it comes to.
#[derive(Debug, Serialize)]
struct Report {
    files: u64,
    lines: u64,
    words: u64,
    top: Vec<Top>,
    events: u64,
    restarts: u64,
    redeliveries: u64,
    seconds: f64,
}

#[derive(Debug, Serialize)]
struct Top {
    word: String,
    count: u64,
}

/// How many common words are shown.
const TOP: usize = 20;

pub(crate) async fn run(args: Args, printer: Printer) -> anyhow::Result<()> {
    let stop = signals::asked_to_stop();
    tokio::select! {
        outcome = demo(args, printer) => outcome,
        stop = stop => {
            stop?;
            Err(Error::new(soorma::ErrorCode::Cancelled, "stopped before all files were counted").into())
        }
    }
}

async fn demo(args: Args, printer: Printer) -> anyhow::Result<()> {
    let begun = tokio::time::Instant::now();
    let files = files::under(&args.folder)?;
    let how = if args.chaos {
        format!(" while a gremlin with seed {} breaks things", args.seed)
    } else {
        String::new()
    };
    if !printer.is_json() {
        printer.line(&format!("counting {} files under {}{how}", files.len(), args.folder.display()))?;
    }
    if args.chaos {
        // Panics are expected by the hundred, and each is in the tree and the totals.
        std::panic::set_hook(Box::new(|_| {}));
    }
    // The log of the demo is real and on disk, and goes with it.
    let data = tempfile::Builder::new().prefix("soorma-demo-").tempdir()?;
    let mut config = Config::default();
    config.node.data = data.path().to_owned();
    config.bus.max_event_bytes = agents::LARGEST_EVENT;
    let restarts = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&restarts);
    let observer = Arc::new(move |turn: &Lifecycle| {
        if matches!(turn.turn, Turn::Failed { .. } | Turn::Quarantined { .. }) {
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    let options = Options { edge: false, seed: args.seed, observer: Some(observer) };
    let node = Node::start(config, options).await.map_err(Error::from)?;
    let ledger = Ledger::new(files.len());
    let gremlin = args.chaos.then(|| Gremlin::new(args.seed));
    let hosted = agents::host(&node, &ledger, gremlin.clone()).await?;

    let bar = ProgressBar::new(u64::try_from(files.len()).unwrap_or(u64::MAX));
    if printer.is_json() {
        bar.set_draw_target(indicatif::ProgressDrawTarget::hidden());
    }
    bar.set_style(ProgressStyle::with_template("{bar:40} {pos}/{len} files  {msg}")?);
    let watch = async {
        while !ledger.is_complete() {
            bar.set_position(ledger.files_done());
            bar.set_message(format!("{} restarts", restarts.load(Ordering::Relaxed)));
            ledger.changed(Duration::from_millis(100)).await;
        }
    };
    let chaos = async {
        match &gremlin {
            Some(gremlin) => gremlin.kill_supervisors(&node, &hosted).await,
            None => std::future::pending().await,
        }
    };
    let work = async {
        agents::ask(&node, &args.folder, &files).await?;
        watch.await;
        anyhow::Ok(())
    };
    tokio::select! {
        done = work => done?,
        () = chaos => {}
        ended = node.ended() => {
            ended.map_err(Error::from)?;
            return Err(Error::internal("the platform ended before all files were counted").into());
        }
    }
    bar.finish_and_clear();
    let seconds = begun.elapsed().as_secs_f64();
    node.stop().await.map_err(Error::from)?;
    let totals = ledger.totals();
    for (path, why) in &totals.unreadable {
        printer.note(&format!("not counted: {path}: {why}"));
    }
    let report = Report {
        files: totals.files,
        lines: totals.lines,
        words: totals.words,
        top: totals.top(TOP).into_iter().map(|(word, count)| Top { word, count }).collect(),
        events: totals.events,
        restarts: restarts.load(Ordering::Relaxed),
        redeliveries: hosted.redeliveries(),
        seconds,
    };
    if printer.is_json() { printer.object(&report) } else { show(printer, &report) }
}

fn show(printer: Printer, report: &Report) -> anyhow::Result<()> {
    let rows = report.top.iter().map(|top| vec![top.word.clone(), top.count.to_string()]).collect();
    printer.line("")?;
    printer.table(&["word", "count"], rows)?;
    let per_second = if report.seconds > 0.0 {
        // Whole events a second are exact enough to read.
        format!("{:.0}", f64::from(u32::try_from(report.events).unwrap_or(u32::MAX)) / report.seconds)
    } else {
        "-".to_owned()
    };
    printer.line("")?;
    printer.line(&format!(
        "{} files, {} lines, {} words",
        printer.tone(Tone::Good, &report.files.to_string()),
        printer.tone(Tone::Good, &report.lines.to_string()),
        printer.tone(Tone::Good, &report.words.to_string()),
    ))?;
    printer.line(&format!(
        "{} events in {:.2} s, {per_second} a second; {} restarts, {} redeliveries",
        report.events, report.seconds, report.restarts, report.redeliveries
    ))
}
