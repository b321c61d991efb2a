//! `soorma schemas diff`: what differs, and whom it breaks.

use std::path::PathBuf;

use serde_json::json;
use soorma::{Data, Error, ErrorCode};
use soorma_registry::schema::{Effect, Verdict, admit, diff};

use super::{known, read};
use crate::connection::Connection;
use crate::print::{Printer, Tone};

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The schema's name.
    name: String,
    /// The old version; the one that was registered last where only --file is given.
    #[arg(required_unless_present = "file")]
    old: Option<String>,
    /// The new version; the one that was registered last where none is given.
    #[arg(conflicts_with = "file")]
    new: Option<String>,
    /// Compare with a file that is not registered yet; `-` reads standard input.
    #[arg(long)]
    file: Option<PathBuf>,
    #[command(flatten)]
    connection: Connection,
}

pub(super) async fn run(args: Args, printer: Printer) -> anyhow::Result<()> {
    // A file that cannot be read is said before anybody is asked.
    let file = args.file.as_deref().map(read).transpose()?;
    let client = args.connection.client()?;
    let old = known(&client, &args.name, args.old.as_deref()).await?;
    let (new, version) = match (file, args.file) {
        (Some(schema), Some(path)) => {
            let path = path.display().to_string();
            is_schema(&path, &schema)?;
            (schema, path)
        }
        _ => {
            let new = known(&client, &args.name, args.new.as_deref()).await?;
            (new.json_schema, new.version)
        }
    };
    let changes = diff(&value(&old.json_schema)?, &value(&new)?);
    let verdict = Verdict::of(&changes);
    if printer.is_json() {
        let changes = changes.iter().map(|change| {
            json!({ "pointer": change.pointer, "sentence": change.sentence, "effect": word(change.effect) })
        });
        printer.object(&json!({
            "name": args.name, "old": old.version, "new": version, "verdict": verdict.to_string(),
            "changes": changes.collect::<Vec<_>>(),
        }))?;
    } else if changes.is_empty() {
        printer.line(&format!("{}: {} and {version} mean the same", args.name, old.version))?;
    } else {
        let rows = changes.iter().map(|change| {
            let place = if change.pointer.is_empty() { "(the whole)" } else { change.pointer.as_str() };
            let effect = printer.tone(tone(change.effect), &change.effect.to_string());
            vec![place.to_owned(), change.sentence.clone(), effect]
        });
        printer.table(&["where", "what is different", "for whom"], rows.collect())?;
        printer.lines(&format!("\n{} from {} to {version}: {verdict}", args.name, old.version))?;
    }
    match advice(verdict) {
        None => Ok(()),
        Some(advice) => Err(Error::new(ErrorCode::Conflict, advice).into()),
    }
}

/// Refuses a file that could not be registered: what is no schema has no versions.
fn is_schema(path: &str, schema: &Data) -> Result<(), Error> {
    match admit(&value(schema)?) {
        Ok(_) => Ok(()),
        Err(faults) => {
            let faults: Vec<_> = faults.iter().map(ToString::to_string).collect();
            Err(Error::invalid(format!("{path}: {}", faults.join("; "))))
        }
    }
}

fn value(schema: &Data) -> Result<serde_json::Value, Error> {
    schema.parse().map_err(|error| Error::internal(error.to_string()))
}

const fn word(effect: Effect) -> &'static str {
    match effect {
        Effect::Compatible => "compatible",
        Effect::BreaksConsumers => "breaks_consumers",
        Effect::BreaksProducers => "breaks_producers",
        Effect::Unknown => "unknown",
    }
}

const fn tone(effect: Effect) -> Tone {
    match effect {
        Effect::Compatible => Tone::Good,
        Effect::BreaksConsumers | Effect::BreaksProducers => Tone::Bad,
        Effect::Unknown => Tone::Warn,
    }
}

/// Says whom a change breaks, and how it can be made all the same.
const fn advice(verdict: Verdict) -> Option<&'static str> {
    match verdict {
        Verdict::Full => None,
        Verdict::Backward => Some(
            "new payloads may break who reads by the old version: move those who read first, then those who write",
        ),
        Verdict::Forward => Some(
            "old payloads may be refused by the new version: move those who write first, then those who read",
        ),
        Verdict::Breaking => {
            Some("the versions do not go together: move all at once, or give the new one a name of its own")
        }
    }
}
