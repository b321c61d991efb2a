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
    ClientMemory, Clock as _, Data, Error, ErrorCode, Fact, MachineClock, PlanStatus, WorkingValue,
};

use super::backup::{Entry, Kind, same_episode, same_skill};
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
    Stored,
    /// It was there, or its time is over.
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
                "stopped before all was imported; run it again: what is there is not imported twice",
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
            match kind {
                Kind::Episodic => self.known.read_episodes(self.memory).await?,
                Kind::Procedural => self.known.read_skills(self.memory).await?,
                _ => {}
            }
            // What happened stays in its order.
            let at_once = if kind == Kind::Episodic { 1 } else { AT_ONCE };
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
                        Fate::Stored => *self.stored.entry(kind).or_default() += 1,
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
        let memory = self.memory;
        let stored = entries.iter().zip(there).map(async |((number, entry), there)| {
            let fate = if there { Ok(Fate::Passed) } else { patiently(memory, entry).await };
            (*number, fate)
        });
        join_all(stored).await
    }
}

impl Known {
    /// Says whether an entry is there that stands for this one; each stands for one.
    fn takes(&mut self, entry: &Entry) -> bool {
        match entry {
            Entry::Episodic(episode) => self.take(same_episode(episode)),
            Entry::Procedural(skill) => self.take(same_skill(skill)),
            _ => false,
        }
    }
}

fn at(line: usize, kind: Kind, error: Error) -> Error {
    let message = format!(
        "line {line} ({}): {}; when that is mended, run it again: what is there is not imported twice",
        kind.as_str(),
        error.message
    );
    Error { message, ..error }
}

/// Stores an entry, and tries again where that may help.
async fn patiently(memory: ClientMemory<'_>, entry: &Entry) -> Result<Fate, Error> {
    let mut wait = Duration::from_millis(200);
    for _ in 1..TRIES {
        match store(memory, entry).await {
            // Nobody answers: whoever started this knows more.
            Err(error) if error.code.may_retry() && error.retry_after.is_some() => {
                tokio::time::sleep(wait.max(error.retry_after.unwrap_or_default())).await;
                wait *= 2;
            }
            done => return done,
        }
    }
    store(memory, entry).await
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
            if plan.status != PlanStatus::Running {
                memory.set_plan_status(&plan.plan_id, plan.status).await?;
            }
            Ok(fate)
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
            memory.store_plan_context(&new).await.map(|_| Fate::Stored)
        }
        Entry::Semantic(fact) => memory.store_knowledge(&known_again(fact)).await.map(|_| Fate::Stored),
        Entry::Procedural(skill) => {
            let new = StoreSkill {
                agent_id: skill.agent_id.clone(),
                name: skill.name.clone(),
                trigger_condition: skill.trigger_condition.clone(),
                procedure_type: skill.procedure_type.clone(),
                content: skill.content.clone(),
            };
            memory.store_skill(&new).await.map(|_| Fate::Stored)
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
            memory.log_interaction(&new).await.map(|_| Fate::Stored)
        }
    }
}

/// One that is there stays as it is.
fn made<T>(made: Result<T, Error>) -> Result<Fate, Error> {
    match made {
        Ok(_) => Ok(Fate::Stored),
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

/// Sets a value for what is left of its time.
async fn set_again(memory: ClientMemory<'_>, value: &WorkingValue) -> Result<Fate, Error> {
    let left = value.expires_at.map(|at| at.since(MachineClock.now()).as_secs());
    if left == Some(0) {
        return Ok(Fate::Passed);
    }
    let set = SetValue { value: value.value.clone(), ttl_seconds: left, if_revision: None, if_absent: false };
    memory.set(&value.plan_id, &value.key, &set).await.map(|_| Fate::Stored)
}
