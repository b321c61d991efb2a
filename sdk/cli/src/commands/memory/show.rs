//! One piece of memory.

use soorma::{Client, Error, Fact, Skill, Uuid, WorkingKey, WorkingValue};

use super::size;
use crate::commands::schemas::pretty;
use crate::connection::{Connection, Whose};
use crate::print::Printer;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// An id, or `working`.
    what: String,
    /// With `working`, the plan.
    #[arg(required_if_eq("what", "working"))]
    plan: Option<String>,
    /// With `working`, a key of the plan; all keys where nothing is said.
    key: Option<String>,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    connection: Connection,
}

pub(crate) async fn run(args: Args, printer: Printer) -> anyhow::Result<()> {
    let client = args.connection.client_of(&args.whose)?;
    match (args.plan, args.key) {
        (None, _) => entry(&client, &args.what, printer).await,
        (Some(plan), _) if args.what != "working" => {
            Err(Error::invalid(format!("{} {plan} is not of the form ID or working PLAN [KEY]", args.what))
                .into())
        }
        (Some(plan), None) => keys(&client, &plan, printer).await,
        (Some(plan), Some(key)) => match client.memory().value(&plan, &key).await? {
            Some(found) => value(&found, printer),
            None => Err(Error::not_found(format!(
                "there is no {key} in plan {plan}; see what there is with soorma memory show working {plan}"
            ))
            .into()),
        },
    }
}

async fn entry(client: &Client, id: &str, printer: Printer) -> anyhow::Result<()> {
    let id: Uuid = id.parse().map_err(|_| {
        Error::invalid(format!("'{id}' is no id; soorma memory search shows those of what it finds"))
    })?;
    let memory = client.memory();
    if let Some(found) = memory.fact(id).await? {
        return fact(&found, printer);
    }
    if let Some(found) = memory.skill(id).await? {
        return skill(&found, printer);
    }
    Err(Error::not_found(format!(
        "neither knowledge nor a skill has the id {id}; soorma memory search finds what there is (what happened has no page of its own)"
    ))
    .into())
}

fn fact(fact: &Fact, printer: Printer) -> anyhow::Result<()> {
    if printer.is_json() {
        return printer.object(fact);
    }
    let moment = |at: Option<soorma::Timestamp>| at.map(|at| at.to_string());
    let lines = [
        ("kind", Some("semantic".to_owned())),
        ("id", Some(fact.id.to_string())),
        ("external id", fact.external_id.clone()),
        ("stored by", Some(fact.user_id.clone())),
        ("seen by", Some(if fact.is_public { "all of the tenant" } else { "its owner" }.to_owned())),
        ("stored", moment(Some(fact.created_at))),
        ("changed", moment(Some(fact.updated_at))),
        ("holds from", moment(fact.valid_from)),
        ("holds until", moment(fact.valid_to)),
        ("learnt in", fact.episode_id.map(|id| id.to_string())),
    ];
    told(printer, lines)?;
    printer.lines(&format!("\n{}\n", fact.content))?;
    printer.lines(&pretty(fact.metadata.as_str()))
}

fn skill(skill: &Skill, printer: Printer) -> anyhow::Result<()> {
    if printer.is_json() {
        return printer.object(skill);
    }
    let lines = [
        ("kind", Some("procedural".to_owned())),
        ("id", Some(skill.id.to_string())),
        ("agent", Some(skill.agent_id.clone())),
        ("name", skill.name.clone()),
        ("type", Some(skill.procedure_type.clone())),
        ("version", skill.version.map(|version| version.to_string())),
        ("stored", Some(skill.created_at.to_string())),
        ("used when", skill.trigger_condition.clone()),
    ];
    told(printer, lines)?;
    printer.lines(&format!("\n{}", skill.content))
}

async fn keys(client: &Client, plan: &str, printer: Printer) -> anyhow::Result<()> {
    let mut keys: Vec<WorkingKey> = Vec::new();
    let mut cursor = None;
    loop {
        let page = client.memory().keys(plan, "", cursor.as_deref()).await?;
        keys.extend(page.items);
        cursor = page.next_cursor;
        if cursor.is_none() {
            break;
        }
    }
    if printer.is_json() {
        return printer.object(&keys);
    }
    if keys.is_empty() {
        return printer.line("the plan has nothing at hand");
    }
    let rows = keys.into_iter().map(|key| {
        let short = |at: soorma::Timestamp| at.to_string().get(..19).unwrap_or_default().to_owned();
        vec![
            key.key,
            size(key.bytes),
            key.revision.to_string(),
            short(key.updated_at),
            key.expires_at.map(short).unwrap_or_default(),
        ]
    });
    printer.table(&["key", "size", "revision", "set", "gone at"], rows.collect())
}

fn value(value: &WorkingValue, printer: Printer) -> anyhow::Result<()> {
    if printer.is_json() {
        return printer.object(value);
    }
    let lines = [
        ("plan", Some(value.plan_id.clone())),
        ("key", Some(value.key.clone())),
        ("set", Some(value.updated_at.to_string())),
        ("revision", value.revision.map(|revision| revision.to_string())),
        ("gone at", value.expires_at.map(|at| at.to_string())),
    ];
    told(printer, lines)?;
    printer.lines(&format!("\n{}", pretty(value.value.as_str())))
}

fn told<const N: usize>(printer: Printer, lines: [(&str, Option<String>); N]) -> anyhow::Result<()> {
    for (name, value) in lines {
        if let Some(value) = value {
            printer.line(&format!("{name:<12} {value}"))?;
        }
    }
    Ok(())
}
