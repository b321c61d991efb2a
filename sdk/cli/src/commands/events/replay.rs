//! `soorma events replay`: what is kept, up to now.

use std::time::Duration;

use soorma::{Clock as _, Cursor, Error, Frame, Kinds, MachineClock, Start, StreamRequest};

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
    /// Begin after this position, such as the `at` of an event shown before; at the earliest where nothing is said.
    #[arg(long, value_name = "POSITION")]
    after: Option<String>,
    /// Only events of so long ago at most, such as 30m, 2h or 7d.
    #[arg(long, value_name = "SPAN", value_parser = span)]
    since: Option<Duration>,
    /// Show nothing, but have this group go on from there.
    #[arg(long, value_name = "GROUP", conflicts_with_all = ["topics", "kinds", "since"])]
    group: Option<String>,
    #[command(flatten)]
    connection: Connection,
}

/// How long nothing may come before it counts as the end. What is kept comes at once; where only others' events stand before the end,
/// the next sign of life says so.
const QUIET: Duration = Duration::from_secs(20);

pub(super) async fn run(args: Args, printer: Printer) -> anyhow::Result<()> {
    let after = args.after.as_deref().map(|text| position("--after", text)).transpose()?;
    let client = args.connection.client()?;
    if let Some(group) = &args.group {
        let to = after.map_or_else(|| "earliest".to_owned(), |after| after.to_string());
        let now = client.seek(group, to).await?;
        return if printer.is_json() {
            printer.object(&now)
        } else {
            printer.line(&format!("{group} goes on from there: {} events to come", now.behind))
        };
    }
    let live = StreamRequest {
        // Of all types: those that were passed over would not say that they were, and the end would be waited for.
        topics: topics(&args.topics)?,
        agent_id: format!("replay-{}", std::process::id()),
        ..StreamRequest::default()
    };
    // Where the log ends now: a stream that begins there says so first.
    let mut probe = client.stream(&live).await?;
    probe.next().await?;
    let end = probe.cursor().cloned().unwrap_or_default();
    drop(probe);
    let kept = match after {
        Some(after) => StreamRequest { after: Some(after), ..live },
        None => StreamRequest { start: Some(Start::Earliest), ..live },
    };
    let mut stream = client.stream(&kept).await?;
    let kinds = Kinds::parse(&args.kinds.join(","));
    let oldest = args
        .since
        .map(|since| MachineClock.now().micros() - i64::try_from(since.as_micros()).unwrap_or(i64::MAX));
    let stop = signals::asked_to_stop();
    tokio::pin!(stop);
    let mut shown: u64 = 0;
    while !stream.cursor().is_some_and(|at| reaches(at, &end)) {
        let frame = tokio::select! {
            frame = tokio::time::timeout(QUIET, stream.next()) => frame,
            stop = &mut stop => return Ok(stop?),
        };
        match frame {
            // Others' events stand between here and the end.
            Err(_) => break,
            Ok(frame) => match frame? {
                Some(Frame::Message(event, at)) => {
                    if at.as_ref().is_some_and(|at| is_behind(at, &end, event.topic)) {
                        continue;
                    }
                    let wanted = kinds.as_ref().is_none_or(|kinds| kinds.wants(&event.kind));
                    if wanted && oldest.is_none_or(|oldest| event.time.micros() >= oldest) {
                        shown += 1;
                        show(printer, &event, at.as_ref())?;
                    }
                }
                Some(Frame::SlowConsumer(at)) => return Err(too_slow(at).into()),
                Some(Frame::Disconnected) | None => {
                    return Err(
                        Error::unavailable("the platform closed the stream; it may be stopping").into()
                    );
                }
                Some(_) => {}
            },
        }
    }
    if printer.is_live() {
        printer.note(&format!("{shown} events"));
    }
    Ok(())
}

/// Whether all that stood before the end was seen.
fn reaches(at: &Cursor, end: &Cursor) -> bool {
    end.iter().all(|(topic, place)| at.get(topic).is_some_and(|at| at >= place))
}

/// Whether an event came after the end was asked for.
fn is_behind(at: &Cursor, end: &Cursor, topic: soorma::Topic) -> bool {
    at.get(topic) > end.get(topic)
}

/// Reads a span such as `2h`.
fn span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("'{text}' is no span of time; write a number and s, m, h or d, such as 2h");
    let unit = text.chars().next_back().ok_or_else(wrong)?;
    let number: u64 = text.strip_suffix(unit).and_then(|number| number.parse().ok()).ok_or_else(wrong)?;
    let seconds = match unit {
        's' => 1,
        'm' => 60,
        'h' => 3_600,
        'd' => 86_400,
        _ => return Err(wrong()),
    };
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_a_number_and_a_unit() {
        assert_eq!(span("90s"), Ok(Duration::from_secs(90)));
        assert_eq!(span("2h"), Ok(Duration::from_secs(7_200)));
        assert_eq!(span("7d"), Ok(Duration::from_secs(7 * 86_400)));
        for wrong in ["", "h", "2", "-1h", "1.5h", "2w", "99999999999999999999d"] {
            assert!(span(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn the_end_is_reached_when_every_topic_is() {
        let cursor = |text: &str| text.parse::<Cursor>().unwrap();
        let end = cursor("action-requests=7,plan-events=0");
        assert!(!reaches(&cursor("action-requests=6,plan-events=0"), &end));
        assert!(!reaches(&cursor("action-requests=7"), &end));
        assert!(reaches(&cursor("action-requests=8,plan-events=0"), &end));
    }
}
