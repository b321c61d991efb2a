//! `soorma schemas`: what payloads look like.

mod diff;
mod pretty;

use std::io::Read as _;
use std::path::{Path, PathBuf};

use clap::Subcommand;
use soorma::api::registry::{SchemaItem, SchemaQuery};
use soorma::{Client, Data, Error, ErrorCode};

use crate::connection::Connection;
use crate::print::Printer;
pub(crate) use pretty::pretty;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List them, by name and in the order in which they were registered.
    List {
        /// Those that one agent brought.
        #[arg(long, value_name = "AGENT")]
        owner: Option<String>,
        /// At most so many.
        #[arg(long, default_value_t = 500)]
        limit: usize,
        #[command(flatten)]
        connection: Connection,
    },
    /// Show one: a version, or the one that was registered last.
    // `--version` means the schema's here.
    #[command(disable_version_flag = true)]
    Show {
        /// Its name.
        name: String,
        /// Its version.
        #[arg(long)]
        version: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Register one. A name and version that are there are never changed: give another version.
    #[command(disable_version_flag = true)]
    Put {
        /// The file with the JSON Schema (2020-12); `-` reads standard input.
        file: PathBuf,
        /// Its name.
        #[arg(long)]
        name: String,
        /// Its version.
        #[arg(long)]
        version: String,
        /// What it describes.
        #[arg(long)]
        description: Option<String>,
        #[command(flatten)]
        connection: Connection,
    },
    /// Say what differs between two versions, and whom it breaks; the exit status is 4 where it breaks somebody.
    Diff(diff::Args),
}

pub(crate) async fn run(command: Command, printer: Printer) -> anyhow::Result<()> {
    match command {
        Command::List { owner, limit, connection } => {
            let query = SchemaQuery { owner_agent_id: owner, limit: Some(limit), cursor: None };
            list(&connection.client()?, &query, printer).await
        }
        Command::Show { name, version, connection } => {
            show(printer, &known(&connection.client()?, &name, version.as_deref()).await?)
        }
        Command::Put { file, name, version, description, connection } => {
            let schema = SchemaItem {
                schema_name: name,
                version,
                json_schema: read(&file)?,
                description,
                owner_agent_id: None,
                created_at: None,
                updated_at: None,
            };
            let done = connection.client()?.put_schema(schema).await?;
            if printer.is_json() { printer.object(&done) } else { printer.line(&done.message) }
        }
        Command::Diff(args) => diff::run(args, printer).await,
    }
}

async fn list(client: &Client, query: &SchemaQuery, printer: Printer) -> anyhow::Result<()> {
    let page = client.schemas(query).await?;
    if printer.is_json() {
        return printer.object(&page);
    }
    if page.schemas.is_empty() {
        return printer
            .line("no schemas: register one with soorma schemas put FILE --name NAME --version 1.0.0");
    }
    let rows = page.schemas.iter().map(|schema| {
        let time = schema.created_at.map(|at| at.to_string()).unwrap_or_default();
        vec![
            schema.schema_name.clone(),
            schema.version.clone(),
            schema.owner_agent_id.clone().unwrap_or_default(),
            time.get(..19).unwrap_or_default().to_owned(),
            schema.description.clone().unwrap_or_default(),
        ]
    });
    printer.table(&["schema", "version", "brought by", "registered", "what it describes"], rows.collect())?;
    match page.next_cursor {
        Some(_) => printer.line("and more: give --owner, or a higher --limit"),
        None => Ok(()),
    }
}

fn show(printer: Printer, schema: &SchemaItem) -> anyhow::Result<()> {
    if printer.is_json() {
        return printer.object(schema);
    }
    let or_none = |text: Option<String>| text.unwrap_or_else(|| "-".to_owned());
    let lines = [
        ("schema", format!("{}@{}", schema.schema_name, schema.version)),
        ("registered", or_none(schema.created_at.map(|at| at.to_string()))),
        ("brought by", or_none(schema.owner_agent_id.clone())),
        ("describes", or_none(schema.description.clone())),
    ];
    for (name, value) in lines {
        printer.line(&format!("{name:<11} {value}"))?;
    }
    printer.lines(&pretty(schema.json_schema.as_str()))
}

/// Returns a schema, or says how to find those that are there.
async fn known(client: &Client, name: &str, version: Option<&str>) -> Result<SchemaItem, Error> {
    client.schema(name, version).await.map_err(|error| match error.code {
        ErrorCode::NotFound => {
            Error::not_found(format!("{}; list those that are there with soorma schemas list", error.message))
        }
        _ => error,
    })
}

/// Reads a schema from a file or from standard input.
fn read(file: &Path) -> Result<Data, Error> {
    let shown = file.display();
    let wrong = |why: String| Error::invalid(format!("{shown}: {why}"));
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    let text = text.map_err(|error| wrong(error.to_string()))?;
    Data::from_json(&text).map_err(|error| wrong(format!("is no JSON object: {error}")))
}
