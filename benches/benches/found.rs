//! What searches among the vectors of many tenants come to, in tables.
#![expect(clippy::print_stdout, reason = "the bench's result")]

use std::time::Duration;

use soorma_benches::table;
use uuid::Uuid;

use crate::tenants::Asked;
use crate::{EACH, World};

/// What was found for each question, best first, and the time that it took.
pub(crate) type Answers = Vec<(Vec<Uuid>, Duration)>;

/// What a search costs.
pub(crate) struct Shown {
    pub(crate) name: &'static str,
    pub(crate) of_all: Answers,
    pub(crate) of_biggest: Answers,
    pub(crate) built: String,
    pub(crate) memory: String,
}

/// What answers come to.
pub(crate) struct Figures {
    pub(crate) recall: f64,
    pub(crate) rows: f64,
    pub(crate) wanted: f64,
    p50: Duration,
    p99: Duration,
}

impl Figures {
    pub(crate) fn of<'a>(
        asked: impl IntoIterator<Item = &'a Asked>,
        answers: &[(Vec<Uuid>, Duration)],
    ) -> Self {
        let (mut right, mut rows, mut wanted) = (0, 0, 0);
        for (asked, (found, _)) in asked.into_iter().zip(answers) {
            right += found.iter().filter(|id| asked.exact.contains(id)).count();
            rows += found.len();
            wanted += asked.exact.len();
        }
        let mut times: Vec<Duration> = answers.iter().map(|(_, took)| *took).collect();
        times.sort_unstable();
        let each = |count: usize| count as f64 / answers.len() as f64;
        Self {
            recall: right as f64 / wanted as f64,
            rows: each(rows),
            wanted: each(wanted),
            p50: times[times.len() / 2],
            p99: times[times.len() * 99 / 100],
        }
    }

    /// The time in the middle and that of nearly all, in ms.
    pub(crate) fn times(&self) -> String {
        let ms = |time: Duration| format!("{:.2}", time.as_secs_f64() * 1e3);
        format!("{} / {}", ms(self.p50), ms(self.p99))
    }
}

pub(crate) fn row_of_one(name: &str, asked: &[Asked], answers: &Answers, goal: &str) -> Vec<String> {
    let figures = Figures::of(asked, answers);
    vec![name.to_owned(), format!("{:.4}", figures.recall), figures.times(), goal.to_owned()]
}

pub(crate) fn show(world: &World, all: &[Shown]) {
    let tenth = world.asked.len() / 10;
    let mut rows = Vec::new();
    for nth in 0..10 {
        let part = nth * tenth..(nth + 1) * tenth;
        let of = &world.tenants[part.start / EACH..part.end / EACH];
        let sizes = format!("{} to {}", of[of.len() - 1].rows.len(), of[0].rows.len());
        let of_part = |one: &Shown| Figures::of(&world.asked[part.clone()], &one.of_all[part.clone()]);
        rows.push(row(format!("tenth {}", nth + 1), sizes, all.iter().map(of_part).collect()));
    }
    let of_biggest = |one: &Shown| Figures::of(&world.of_biggest, &one.of_biggest);
    let size = world.tenants[0].rows.len().to_string();
    rows.push(row("the biggest".to_owned(), size, all.iter().map(of_biggest).collect()));
    let mut head = vec!["recall@10 and rows", "vectors each", "there are"];
    all.iter().for_each(|one| head.extend([one.name, "rows"]));
    println!();
    print!("{}", table(&head, &rows));

    let of_each = all.iter().map(|one| {
        let of_all = Figures::of(&world.asked, &one.of_all);
        vec![
            one.name.to_owned(),
            format!("{:.4}", of_all.recall),
            format!("{:.2} of {:.2}", of_all.rows, of_all.wanted),
            of_all.times(),
            of_biggest(one).times(),
            one.built.clone(),
            one.memory.clone(),
        ]
    });
    println!();
    let head =
        ["p50 / p99 in ms", "recall", "rows", "any tenant", "the biggest", "index made in", "vectors take"];
    print!("{}", table(&head, &of_each.collect::<Vec<_>>()));
}

fn row(name: String, sizes: String, all: Vec<Figures>) -> Vec<String> {
    let mut row = vec![name, sizes, format!("{:.1}", all[0].wanted)];
    for one in &all {
        row.extend([format!("{:.3}", one.recall), format!("{:.1}", one.rows)]);
    }
    row
}
