//! All that somebody has, as lines.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};

use futures_util::future::try_join_all;
use indicatif::ProgressBar;
use serde::Serialize;
use serde_json::json;
use soorma::api::memory::{Page, RecallQuery};
use soorma::{ClientMemory, Error, ErrorCode, Fact, MemoryKind, MemoryStats};
use tempfile::NamedTempFile;

use super::backup::{self, Kind};
use super::bar;
use crate::connection::{Connection, Whose};
use crate::print::Printer;
use crate::signals;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file to write; standard output where nothing is said, or by `-`.
    #[arg(default_value = "-")]
    file: PathBuf,
    /// A plan whose values are wanted, too, though it is not in the list of plans; can be given several times.
    #[arg(long = "plan", value_name = "PLAN")]
    plans: Vec<String>,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    connection: Connection,
}

/// The plan of values that are of none, as in the published SDK.
const NO_PLAN: &str = "00000000-0000-0000-0000-000000000000";
/// How many entries are asked for at once.
const ROWS: usize = 200;
/// The most plans and sessions that are listed at once.
const FEW_ROWS: usize = 100;
/// How many values are read at once.
const AT_ONCE: usize = 16;

pub(crate) async fn run(args: Args, printer: Printer) -> anyhow::Result<()> {
    let client = args.connection.client_of(&args.whose)?;
    let stop = signals::asked_to_stop();
    let stats = client.memory().stats().await?;
    let to_stdout = args.file == Path::new("-");
    let out = if to_stdout { None } else { Some(beside(&args.file)?) };
    let of = count(&stats, |kind| *kind != MemoryKind::TASK_CONTEXT);
    let mut sink = Sink {
        printer,
        out,
        pending: Vec::new(),
        counts: BTreeMap::new(),
        bar: bar(printer, of, "entries")?,
    };
    tokio::select! {
        written = all(client.memory(), stats.user_id.as_deref(), args.plans, &mut sink) => written?,
        stop = stop => {
            stop?;
            return Err(Error::new(ErrorCode::Cancelled, "stopped before all was written").into());
        }
    }
    sink.bar.finish_and_clear();
    let Sink { out, counts, .. } = sink;
    let left_out = left_out(&stats, &counts);
    if let Some(out) = out {
        out.as_file().sync_all()?;
        out.persist(&args.file)
            .map_err(|error| Error::invalid(format!("cannot write {}: {error}", args.file.display())))?;
    }
    if printer.is_json() && !to_stdout {
        let counts: BTreeMap<_, _> = counts.iter().map(|(kind, n)| (kind.as_str(), n)).collect();
        let left_out: BTreeMap<_, _> = left_out.iter().map(|(kind, left, _)| (kind.as_str(), left)).collect();
        return printer.object(&json!({ "file": args.file, "exported": counts, "leftOut": left_out }));
    }
    printer.note(&format!("exported {}", said(&counts)));
    for (kind, left, advice) in left_out {
        printer.note(&format!("not exported: {left} of kind {kind}, {advice}"));
    }
    Ok(())
}

/// A file beside the one that is to be, which takes its place when it is whole.
fn beside(file: &Path) -> Result<NamedTempFile, Error> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    NamedTempFile::new_in(folder)
        .map_err(|error| Error::invalid(format!("cannot write {}: {error}", file.display())))
}

/// Where lines go, and how many there were.
struct Sink {
    printer: Printer,
    out: Option<NamedTempFile>,
    pending: Vec<u8>,
    counts: BTreeMap<Kind, u64>,
    bar: ProgressBar,
}

impl Sink {
    fn add<T: Serialize>(&mut self, kind: Kind, entry: &T) -> anyhow::Result<()> {
        backup::write(&mut self.pending, kind, entry)?;
        *self.counts.entry(kind).or_default() += 1;
        self.bar.inc(1);
        Ok(())
    }

    fn flush(&mut self) -> anyhow::Result<()> {
        match &mut self.out {
            Some(file) => file.write_all(&self.pending)?,
            None => self.printer.raw(&self.pending)?,
        }
        self.pending.clear();
        Ok(())
    }
}

async fn all(
    memory: ClientMemory<'_>,
    user: Option<&str>,
    named: Vec<String>,
    sink: &mut Sink,
) -> anyhow::Result<()> {
    let mut cursor = None;
    loop {
        let (sessions, next) = memory.sessions(FEW_ROWS, cursor.as_deref()).await?;
        sessions.iter().try_for_each(|session| sink.add(Kind::Session, session))?;
        sink.flush()?;
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    let mut plans: BTreeSet<String> = named.into_iter().chain([NO_PLAN.to_owned()]).collect();
    loop {
        let (some, next) = memory.plans(None, None, FEW_ROWS, cursor.as_deref()).await?;
        for plan in some {
            sink.add(Kind::Plan, &plan)?;
            plans.insert(plan.plan_id);
        }
        sink.flush()?;
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    for plan in &plans {
        if let Some(context) = memory.plan_context(plan).await? {
            sink.add(Kind::PlanContext, &context)?;
        }
    }
    sink.flush()?;
    // What is public is shown to all of the tenant; what others said is theirs to export.
    let own = |fact: &Fact| !fact.is_public || user == Some(fact.user_id.as_str());
    let knowledge = async |query| {
        let mut page = memory.knowledge(&query).await?;
        page.items.retain(own);
        Ok(page)
    };
    pages(sink, Kind::Semantic, knowledge).await?;
    pages(sink, Kind::Procedural, async |query| memory.skills(&query).await).await?;
    for plan in &plans {
        values(memory, plan, sink).await?;
    }
    pages(sink, Kind::Episodic, async |query| memory.interactions(&query).await).await
}

/// Writes a list, page by page.
async fn pages<T: Serialize>(
    sink: &mut Sink,
    kind: Kind,
    page: impl AsyncFn(RecallQuery) -> Result<Page<T>, Error>,
) -> anyhow::Result<()> {
    let mut query = RecallQuery { limit: Some(ROWS), also_invalid: true, ..RecallQuery::default() };
    loop {
        let Page { items, next_cursor, .. } = page(query.clone()).await?;
        items.iter().try_for_each(|entry| sink.add(kind, entry))?;
        sink.flush()?;
        query.cursor = next_cursor;
        if query.cursor.is_none() {
            return Ok(());
        }
    }
}

async fn values(memory: ClientMemory<'_>, plan: &str, sink: &mut Sink) -> anyhow::Result<()> {
    let mut cursor = None;
    loop {
        let page = memory.keys(plan, "", cursor.as_deref()).await?;
        for some in page.items.chunks(AT_ONCE) {
            // One that is gone meanwhile is gone.
            let values = try_join_all(some.iter().map(|key| memory.value(plan, &key.key))).await?;
            values.iter().flatten().try_for_each(|value| sink.add(Kind::Working, value))?;
            sink.flush()?;
        }
        cursor = page.next_cursor;
        if cursor.is_none() {
            return Ok(());
        }
    }
}

fn count(stats: &MemoryStats, of: impl Fn(&MemoryKind) -> bool) -> u64 {
    stats.kinds.iter().filter(|line| of(&line.kind)).map(|line| line.entries).sum()
}

/// Returns how many there are of which kind that no list names, and what is to be done about it.
fn left_out(stats: &MemoryStats, counts: &BTreeMap<Kind, u64>) -> Vec<(MemoryKind, u64, &'static str)> {
    let written = |kind| counts.get(&kind).copied().unwrap_or_default();
    let of_plans = "of plans that are not listed: name these with --plan";
    let unlisted = [
        (MemoryKind::WORKING, written(Kind::Working), of_plans),
        (MemoryKind::PLAN_CONTEXT, written(Kind::PlanContext), of_plans),
        (MemoryKind::TASK_CONTEXT, 0, "which no list names, and which are not exported"),
    ];
    let left = unlisted.into_iter().map(|(kind, written, advice)| {
        let left = count(stats, |of| *of == kind).saturating_sub(written);
        (kind, left, advice)
    });
    left.filter(|(_, left, _)| *left > 0).collect()
}

/// Says how many there are of what.
pub(super) fn said(counts: &BTreeMap<Kind, u64>) -> String {
    let all: u64 = counts.values().sum();
    let each: Vec<_> = counts.iter().map(|(kind, n)| format!("{n} {}", kind.as_str())).collect();
    let entries = if all == 1 { "entry" } else { "entries" };
    if each.is_empty() { "nothing".to_owned() } else { format!("{all} {entries}: {}", each.join(", ")) }
}
