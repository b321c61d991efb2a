//! `soorma events tail`.

use soorma::{Error, Frame, StreamRequest};

use super::{position, show, too_slow, topics};
use crate::connection::Connection;
use crate::print::Printer;
use crate::signals;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Topics; all where none is named.
    topics: Vec<String>,
    /// Only events of this type; may be given several times, and `order.*` stands for all that begin with `order.`.
    #[arg(long = "type", value_name = "TYPE")]
    kinds: Vec<String>,
    /// Resume after this position: the `at` of an event shown before.
    #[arg(long, value_name = "POSITION")]
    after: Option<String>,
    /// End after so many events.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args, printer: Printer) -> anyhow::Result<()> {
    let request = StreamRequest {
        topics: topics(&args.topics)?,
        types: args.kinds.iter().cloned().collect(),
        agent_id: format!("tail-{}", std::process::id()),
        after: args.after.as_deref().map(|text| position("--after", text)).transpose()?,
        ..StreamRequest::default()
    };
    let mut stream = args.connection.client()?.stream(&request).await?;
    if printer.is_live() {
        printer.note("waiting for events · Ctrl-C ends");
    }
    let stop = signals::asked_to_stop();
    tokio::pin!(stop);
    let mut shown = 0;
    while args.count.is_none_or(|count| shown < count) {
        let frame = tokio::select! {
            frame = stream.next() => frame?,
            stop = &mut stop => return Ok(stop?),
        };
        match frame {
            Some(Frame::Message(event, at)) => {
                shown += 1;
                show(printer, &event, at.as_ref())?;
            }
            Some(Frame::SlowConsumer(at)) => return Err(too_slow(at).into()),
            Some(Frame::Disconnected) | None => {
                return Err(Error::unavailable("the platform closed the stream; it may be stopping").into());
            }
            Some(_) => {}
        }
    }
    Ok(())
}
