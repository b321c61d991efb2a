//! What was exported, stored again.

mod known;
mod lines;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use soorma::api::memory::{
    LogEpisode, MakePlan, MakeSession, SetValue, StoreFact, StorePlanContext, StoreSkill,
};
use soorma::{
    ClientMemory, Clock as _, Data, Error, ErrorCode, Fact, MachineClock, Plan, PlanStatus, Uuid,
    WorkingValue,
};

use super::backup::{Entry, Kind};
use super::bar;
use super::export::said;
use crate::connection::{Connection, Whose};
use crate::print::Printer;
use crate::signals;
use known::Known;
use lines::Lines;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// The file that was exported; `-` reads standard input.
    file: PathBuf,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    connection: Connection,
}

/// How many entries whose order does not matter are stored at once.
const AT_ONCE: usize = 16;
/// How often an entry is tried where the platform is away or has too much to do.
const TRIES: u32 = 6;

/// What became of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// It was stored, and has this id where it has one of its own.
    Stored(Option<Uuid>),
    /// There is one already, which stays as it is, or its time is over.
    Passed,
}

pub(crate) async fn run(args: Args, printer: Printer) -> anyhow::Result<()> {
    let client = args.connection.client_of(&args.whose)?;
    let stop = signals::asked_to_stop();
    // Whatever cannot be read is said before anything is stored.
    let mut lines = Lines::open(&args.file)?;
    let mut import =
        Import { memory: client.memory(), known: Known::default(), stored: BTreeMap::new(), passed: 0 };
    let bar = bar(printer, lines.len(), "entries")?;
    tokio::select! {
        done = import.all(&mut lines, |n| bar.inc(n)) => done?,
        stop = stop => {
            stop?;
            return Err(Error::new(
                ErrorCode::Cancelled,
                "stopped before all was imported; run it again: what is there stays as it is",
            )
            .into());
        }
    }
    bar.finish_and_clear();
    let Import { stored, passed, .. } = import;
    if printer.is_json() {
        let stored: BTreeMap<_, _> = stored.iter().map(|(kind, n)| (kind.as_str(), n)).collect();
        return printer.object(&json!({ "imported": stored, "passed": passed }));
    }
    let rest = if passed == 0 {
        String::new()
    } else {
        format!("; {passed} were there already, or their time is over")
    };
    printer.line(&format!("imported {}{rest}", said(&stored)))
}

struct Import<'c> {
    memory: ClientMemory<'c>,
    known: Known,
    stored: BTreeMap<Kind, u64>,
    passed: u64,
}

impl Import<'_> {
    async fn all(&mut self, lines: &mut Lines, told: impl Fn(u64)) -> Result<(), Error> {
        for kind in lines.kinds() {
            self.known = Known::read(self.memory, kind).await?;
            // What happened stays in its order; and of what may be stored twice it must be known which was stored last.
            let at_once = if matches!(kind, Kind::Episodic | Kind::Procedural) { 1 } else { AT_ONCE };
            let mut of_kind = lines.of(kind);
            if kind.newest_first() {
                of_kind.reverse();
            }
            for some in of_kind.chunks(at_once) {
                let mut entries = Vec::new();
                for line in some {
                    entries.push((line.0, lines.read(*line)?));
                }
                for (number, fate) in self.some(&entries).await {
                    match fate.map_err(|error| at(number, kind, error))? {
                        Fate::Stored(id) => {
                            id.into_iter().for_each(|id| self.known.stored(id));
                            *self.stored.entry(kind).or_default() += 1;
                        }
                        Fate::Passed => self.passed += 1,
                    }
                    told(1);
                }
            }
        }
        Ok(())
    }

    async fn some(&mut self, entries: &[(usize, Entry)]) -> Vec<(usize, Result<Fate, Error>)> {
        // Whether one is there is asked in the order of the lines: of several that are the same, so many are left.
        let there: Vec<bool> = entries.iter().map(|(_, entry)| self.known.takes(entry)).collect();
        let (memory, known) = (self.memory, &self.known);
        let stored = entries.iter().zip(there).map(async |((number, entry), there)| {
            let fate = if there { Ok(Fate::Passed) } else { patiently(memory, known, entry).await };
            (*number, fate)
        });
        join_all(stored).await
    }
}

fn at(line: usize, kind: Kind, error: Error) -> Error {
    let message = format!(
        "line {line} ({}): {}; when that is mended, run it again: what is there stays as it is",
        kind.as_str(),
        error.message
    );
    Error { message, ..error }
}

/// Stores an entry, and tries again where that may help. What may stand there twice is looked for first: a refusal may come when it was
/// written already.
async fn patiently(memory: ClientMemory<'_>, known: &Known, entry: &Entry) -> Result<Fate, Error> {
    let mut wait = Duration::from_millis(200);
    let mut tries = 1;
    let mut done = store(memory, entry).await;
    loop {
        match done {
            // Nobody answers: whoever started this knows more.
            Err(error) if tries < TRIES && error.code.may_retry() && error.retry_after.is_some() => {
                tokio::time::sleep(wait.max(error.retry_after.unwrap_or_default())).await;
                wait *= 2;
                tries += 1;
                done = match known.was_stored(memory, entry).await {
                    Ok(None) => store(memory, entry).await,
                    looked => looked.map(Fate::Stored),
                };
            }
            done => return done,
        }
    }
}

async fn store(memory: ClientMemory<'_>, entry: &Entry) -> Result<Fate, Error> {
    match entry {
        Entry::Session(session) => {
            let new = MakeSession {
                session_id: session.session_id.clone(),
                name: session.name.clone(),
                metadata: Some(session.metadata.clone()),
            };
            made(memory.make_session(&new).await)
        }
        Entry::Plan(plan) => {
            let new = MakePlan {
                plan_id: plan.plan_id.clone(),
                session_id: plan.session_id.clone(),
                goal_event: plan.goal_event.clone(),
                goal_data: Some(plan.goal_data.clone()),
                parent_plan_id: plan.parent_plan_id.clone(),
            };
            let fate = made(memory.make_plan(&new).await)?;
            let is_new = match fate {
                Fate::Stored(_) => true,
                // It was broken off between the two.
                Fate::Passed => memory.plan(&plan.plan_id).await?.as_ref().is_some_and(untouched),
            };
            if is_new && plan.status != PlanStatus::Running {
                memory.set_plan_status(&plan.plan_id, plan.status).await?;
            }
            Ok(fate)
        }
        Entry::PlanContext(context) if memory.plan_context(&context.plan_id).await?.is_some() => {
            Ok(Fate::Passed)
        }
        Entry::PlanContext(context) => {
            let new = StorePlanContext {
                plan_id: context.plan_id.clone(),
                session_id: context.session_id.clone(),
                goal_event: context.goal_event.clone(),
                goal_data: Some(context.goal_data.clone()),
                response_event: context.response_event.clone(),
                state: Some(context.state.clone()),
                current_state: context.current_state.clone(),
                correlation_ids: context.correlation_ids.clone(),
            };
            memory.store_plan_context(&new).await.map(|_| Fate::Stored(None))
        }
        Entry::Semantic(fact) => {
            memory.store_knowledge(&known_again(fact)).await.map(|fact| Fate::Stored(Some(fact.id)))
        }
        Entry::Procedural(skill) => {
            let new = StoreSkill {
                agent_id: skill.agent_id.clone(),
                name: skill.name.clone(),
                trigger_condition: skill.trigger_condition.clone(),
                procedure_type: skill.procedure_type.clone(),
                content: skill.content.clone(),
            };
            memory.store_skill(&new).await.map(|skill| Fate::Stored(Some(skill.id)))
        }
        Entry::Working(value) => set_again(memory, value).await,
        Entry::Episodic(episode) => {
            let new = LogEpisode {
                agent_id: episode.agent_id.clone(),
                role: episode.role,
                content: episode.content.clone(),
                metadata: Some(episode.metadata.clone()),
                session_id: episode.session_id.clone(),
            };
            memory.log_interaction(&new).await.map(|episode| Fate::Stored(Some(episode.id)))
        }
    }
}

/// Whether nothing was done with a plan since it was made.
fn untouched(plan: &Plan) -> bool {
    plan.status == PlanStatus::Running && plan.created_at == plan.updated_at
}

/// One that is there stays as it is.
fn made<T>(made: Result<T, Error>) -> Result<Fate, Error> {
    match made {
        Ok(_) => Ok(Fate::Stored(None)),
        Err(error) if matches!(error.code, ErrorCode::AlreadyExists | ErrorCode::Conflict) => {
            Ok(Fate::Passed)
        }
        Err(error) => Err(error),
    }
}

/// Tags and source stand in the metadata; by these it is found again only where they are said anew.
fn known_again(fact: &Fact) -> StoreFact {
    #[derive(serde::Deserialize)]
    struct Folded {
        tags: Option<Vec<String>>,
    }
    #[derive(serde::Deserialize)]
    struct Source {
        source: Option<String>,
    }
    let read = |data: &Data| {
        (
            data.parse::<Folded>().ok().and_then(|folded| folded.tags),
            data.parse::<Source>().ok().and_then(|from| from.source),
        )
    };
    let (tags, source) = read(&fact.metadata);
    StoreFact {
        content: fact.content.clone(),
        external_id: fact.external_id.clone(),
        is_public: fact.is_public,
        metadata: Some(fact.metadata.clone()),
        tags,
        source,
        valid_from: fact.valid_from,
        valid_to: fact.valid_to,
        episode_id: fact.episode_id,
    }
}

/// Sets a value for what is left of its time, where there is none.
async fn set_again(memory: ClientMemory<'_>, value: &WorkingValue) -> Result<Fate, Error> {
    let left = value.expires_at.map(|at| at.since(MachineClock.now()).as_secs());
    if left == Some(0) {
        return Ok(Fate::Passed);
    }
    let set = SetValue { value: value.value.clone(), ttl_seconds: left, if_revision: None, if_absent: true };
    made(memory.set(&value.plan_id, &value.key, &set).await)
}
