//! How much there is, and how far its vectors are.

use std::time::Duration;

use soorma::{EmbeddingStatus, Error, ErrorCode, MemoryStats};
use tokio::time::Instant;

use super::admin::Admin;
use super::{bar, size};
use crate::connection::{Connection, Whose};
use crate::print::{Printer, Tone};
use crate::signals;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Of all of the tenant.
    #[arg(long, conflicts_with_all = ["service_tenant", "user"])]
    all: bool,
    #[command(flatten)]
    admin: Admin,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Reembed {
    /// Do not wait until the vectors are there.
    #[arg(long)]
    no_wait: bool,
    /// For how many seconds no vector may come before it is not waited any longer. An embedder may refuse a text for good.
    #[arg(long, value_name = "SECONDS", default_value_t = 120, conflicts_with = "no_wait")]
    patience: u64,
    #[command(flatten)]
    admin: Admin,
    #[command(flatten)]
    connection: Connection,
}

/// How often it is asked how far the vectors are: at first, and at least. To count all that a large tenant has takes a while.
const REFRESH: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));

pub(crate) async fn run(args: Args, printer: Printer) -> anyhow::Result<()> {
    let client = args.connection.client_of(&args.whose)?;
    let stats = match args.all {
        true => client.memory().tenant_stats(Some(args.admin.key())).await?,
        false => client.memory().stats().await?,
    };
    if printer.is_json() {
        return printer.object(&stats);
    }
    show(printer, &stats)
}

fn show(printer: Printer, stats: &MemoryStats) -> anyhow::Result<()> {
    if stats.kinds.is_empty() {
        printer.line("nothing is there")?;
    } else {
        let rows = stats.kinds.iter().map(|line| {
            let embedded = if line.texts == 0 { "-".to_owned() } else { percent(line.embedded, line.texts) };
            vec![
                line.kind.to_string(),
                line.entries.to_string(),
                line.public.to_string(),
                size(line.bytes),
                line.texts.to_string(),
                embedded,
            ]
        });
        printer
            .table(&["kind", "entries", "public", "size", "searchable", "with vectors"], rows.collect())?;
    }
    match &stats.embedding {
        None => printer.line("no embedder: memory is searched by words and time (models.embedder)"),
        Some(EmbeddingStatus { generation, available, .. }) => {
            let how = match available {
                true => printer.tone(Tone::Good, "answers"),
                false => printer.tone(Tone::Bad, "does not answer: searches go by words and time meanwhile"),
            };
            printer.line(&format!("vectors are of {generation}, whose embedder {how}"))
        }
    }
}

/// Whole percent, of which 100 means all.
fn percent(part: u64, all: u64) -> String {
    format!("{}%", part.saturating_mul(100) / all.max(1))
}

pub(crate) async fn reembed(args: Reembed, printer: Printer) -> anyhow::Result<()> {
    let client = args.connection.client()?;
    let stop = signals::asked_to_stop();
    tokio::pin!(stop);
    let begun = client.memory().reembed(Some(args.admin.key())).await?;
    if args.no_wait {
        if printer.is_json() {
            return printer.object(&begun);
        }
        return printer.line(&format!(
            "{} vectors are made anew in the background; soorma memory stats --all shows how far that is",
            begun.dropped
        ));
    }
    let bar = bar(printer, 0, "vectors")?;
    let patience = Duration::from_secs(args.patience);
    let (mut wait, mut moved) = (REFRESH.0, (0, Instant::now()));
    loop {
        let stats = client.memory().tenant_stats(Some(args.admin.key())).await?;
        let Some(embedding) = stats.embedding else {
            return Err(
                Error::invalid("there is no embedder that could make vectors (models.embedder)").into()
            );
        };
        bar.set_length(embedding.texts);
        bar.set_position(embedding.embedded);
        if embedding.embedded >= embedding.texts {
            bar.finish_and_clear();
            if printer.is_json() {
                return printer.object(&embedding);
            }
            let EmbeddingStatus { embedded, generation, .. } = embedding;
            return printer.line(&format!("{embedded} texts have vectors of {generation}"));
        }
        if embedding.embedded > moved.0 {
            moved = (embedding.embedded, Instant::now());
        } else if moved.1.elapsed() >= patience {
            bar.finish_and_clear();
            return Err(stuck(&embedding, patience).into());
        }
        tokio::select! {
            stop = &mut stop => {
                stop?;
                bar.finish_and_clear();
                printer.note("it goes on in the background; soorma memory stats --all shows how far it is");
                return Ok(());
            }
            () = tokio::time::sleep(wait.min(patience)) => wait = (wait * 2).min(REFRESH.1),
        }
    }
}

/// Says that no more vectors come, and why that may be.
fn stuck(embedding: &EmbeddingStatus, patience: Duration) -> Error {
    let EmbeddingStatus { texts, embedded, available, .. } = embedding;
    let left = texts.saturating_sub(*embedded);
    let why = match available {
        true => "the embedder may refuse them, which the log of the node tells",
        false => "the embedder does not answer",
    };
    let message = format!(
        "{left} of {texts} texts have no vector, and none came for {} s: {why}. They are found by words meanwhile, and it is tried again in the background",
        patience.as_secs()
    );
    Error::new(ErrorCode::Timeout, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_alone_is_a_hundred_percent() {
        for (part, all, text) in
            [(0, 0, "0%"), (0, 3, "0%"), (2, 3, "66%"), (999, 1_000, "99%"), (7, 7, "100%")]
        {
            assert_eq!(percent(part, all), text);
        }
    }
}
