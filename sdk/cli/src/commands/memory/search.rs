//! What fits a question.

use serde::Serialize;
use soorma::api::memory::RecallQuery;
use soorma::{Client, Episode, Error, Explanation, Fact, Place, RankedBy, Skill, Timestamp, Uuid};

use super::excerpt;
use crate::connection::{Connection, Whose};
use crate::print::Printer;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// What is looked for, in a sentence or a few words.
    question: String,
    /// Among which kind; among what is known where nothing is said, and with --agent among all three.
    #[arg(long)]
    kind: Option<Kind>,
    /// The agent, for what happened and how something is done.
    #[arg(long, value_name = "NAME", required_if_eq_any([("kind", "episodic"), ("kind", "procedural")]))]
    agent: Option<String>,
    /// At most so many of each kind.
    #[arg(long, default_value_t = 10)]
    limit: usize,
    /// How much meaning, words and newness count, such as meaning:1,words:0.5,recency:0.2; meaning alone where nothing is said.
    #[arg(long)]
    weights: Option<String>,
    /// Show the place that each has by meaning, by words and by newness.
    #[arg(long)]
    explain: bool,
    /// Those with all of these tags, with commas between them; only what is known has some.
    #[arg(long)]
    tags: Option<String>,
    #[command(flatten)]
    whose: Whose,
    #[command(flatten)]
    connection: Connection,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Kind {
    /// What is known.
    Semantic,
    /// What happened.
    Episodic,
    /// How something is done.
    Procedural,
}

/// What was found, whatever it is.
#[derive(Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Hit {
    Semantic(Fact),
    Episodic(Episode),
    Procedural(Skill),
}

#[derive(Serialize)]
struct Found {
    ranking: RankedBy,
    items: Vec<Hit>,
}

/// What is shown of it.
struct Shown<'a> {
    score: Option<f32>,
    explanation: Option<Explanation>,
    kind: &'static str,
    text: String,
    at: Timestamp,
    id: &'a Uuid,
}

impl Hit {
    fn shown(&self) -> Shown<'_> {
        match self {
            Self::Semantic(Fact { score, explanation, content, updated_at, id, .. }) => Shown {
                score: *score,
                explanation: *explanation,
                kind: "semantic",
                text: content.clone(),
                at: *updated_at,
                id,
            },
            Self::Episodic(Episode { score, explanation, role, content, created_at, id, .. }) => Shown {
                score: *score,
                explanation: *explanation,
                kind: "episodic",
                text: format!("{}: {content}", role.as_str()),
                at: *created_at,
                id,
            },
            Self::Procedural(Skill {
                score,
                explanation,
                name,
                trigger_condition,
                content,
                created_at,
                id,
                ..
            }) => Shown {
                score: *score,
                explanation: *explanation,
                kind: "procedural",
                text: name.as_ref().or(trigger_condition.as_ref()).unwrap_or(content).clone(),
                at: *created_at,
                id,
            },
        }
    }
}

/// How much of a text a row shows.
const CHARS: usize = 100;

pub(crate) async fn run(args: Args, printer: Printer) -> anyhow::Result<()> {
    let client = args.connection.client_of(&args.whose)?;
    let (by, hits) = search(&client, &args).await?;
    if printer.is_json() {
        return printer.object(&Found { ranking: by, items: hits });
    }
    if hits.is_empty() {
        return printer.line("nothing is there: knowledge comes by POST /v1/memory/semantic, or from agents");
    }
    let rows = hits.iter().map(|hit| {
        let Shown { score, explanation, kind, text, at, id } = hit.shown();
        let at = at.to_string();
        let mut row = vec![
            score.map_or_else(|| "-".to_owned(), |score| format!("{score:.3}")),
            kind.to_owned(),
            excerpt(&text, CHARS),
            at.get(..19).unwrap_or(&at).to_owned(),
            id.to_string(),
        ];
        if args.explain {
            row.push(explanation.map(explained).unwrap_or_default());
        }
        row
    });
    let mut head = vec!["score", "kind", "text", "stored", "id"];
    head.extend(args.explain.then_some("why"));
    printer.table(&head, rows.collect())?;
    match by {
        RankedBy::Meaning => Ok(()),
        RankedBy::Words => printer.line("by words and time: the meaning of the question could not be had"),
    }
}

async fn search(client: &Client, args: &Args) -> Result<(RankedBy, Vec<Hit>), Error> {
    let query = RecallQuery {
        q: Some(args.question.clone()),
        limit: Some(args.limit),
        weights: args.weights.clone(),
        explain: args.explain,
        tags: args.tags.clone(),
        agent_id: args.agent.clone(),
        ..RecallQuery::default()
    };
    // Only knowledge has tags.
    let all = args.agent.is_some() && args.tags.is_none();
    let wanted = |kind| args.kind.map_or(kind == Kind::Semantic || all, |only| only == kind);
    let memory = client.memory();
    let (mut by, mut hits) = (RankedBy::Meaning, Vec::new());
    if wanted(Kind::Semantic) {
        let query = RecallQuery { agent_id: None, ..query.clone() };
        let found = memory.search_knowledge(&query).await?;
        by = if found.by == RankedBy::Words { found.by } else { by };
        hits.extend(found.items.into_iter().map(Hit::Semantic));
    }
    if wanted(Kind::Episodic) {
        let found = memory.search_interactions(&query).await?;
        by = if found.by == RankedBy::Words { found.by } else { by };
        hits.extend(found.items.into_iter().map(Hit::Episodic));
    }
    if wanted(Kind::Procedural) {
        let found = memory.relevant_skills(&query).await?;
        by = if found.by == RankedBy::Words { found.by } else { by };
        hits.extend(found.items.into_iter().map(Hit::Procedural));
    }
    // Each kind is in the order of its scores; what has none stays behind.
    hits.sort_by(|a, b| {
        let score = |hit: &Hit| hit.shown().score.unwrap_or(f32::NEG_INFINITY);
        score(b).total_cmp(&score(a))
    });
    Ok((by, hits))
}

/// Its places in the lists that were fused.
fn explained(explanation: Explanation) -> String {
    let place = |name: &str, place: Option<Place>| {
        place.map(|place| match place.score {
            Some(score) => format!("{name} #{} ({score:.3})", place.rank),
            None => format!("{name} #{}", place.rank),
        })
    };
    let places = [
        place("meaning", explanation.meaning),
        place("words", explanation.words),
        place("recency", explanation.recency),
    ];
    places.into_iter().flatten().collect::<Vec<_>>().join(", ")
}
