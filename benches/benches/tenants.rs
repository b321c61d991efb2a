//! Vectors of tenants of very unequal size, and what is nearest to a question in each.

use soorma_core::{MemoryKind, MemoryScope, Owner, TenantId};
use soorma_ports::{
    Clock, Embedded, Generation, MemoryAct, MemoryDraft, MemoryFilter, MemoryStore, MemoryWrite, RankQuery,
    Seen, When,
};
use tokio::time::Instant;
use uuid::Uuid;

use crate::like_real::{LikeReal, Random};

/// How many are looked for.
pub(crate) const K: usize = 10;
/// How many entries are written in one call.
const WRITTEN_AT_ONCE: usize = 250;

/// A tenant's vectors.
pub(crate) struct Tenant {
    pub(crate) scope: MemoryScope,
    pub(crate) rows: Vec<Row>,
}

/// An entry.
#[derive(Clone)]
pub(crate) struct Row {
    pub(crate) id: Uuid,
    pub(crate) vector: Vec<f32>,
}

/// A question to one tenant, and its true answer, best first.
pub(crate) struct Asked {
    pub(crate) scope: MemoryScope,
    pub(crate) vector: Vec<f32>,
    pub(crate) exact: Vec<Uuid>,
}

impl Tenant {
    /// Makes a tenant with so many vectors. Ids grow with time, as ours do.
    pub(crate) fn new(name: &str, ids: &mut u128, rows: usize, source: &mut LikeReal) -> Self {
        let owner = Owner::new("st", "su").unwrap();
        let mut row = || {
            *ids += 1;
            Row { id: Uuid::from_u128(*ids), vector: source.vector() }
        };
        let rows = (0..rows).map(|_| row()).collect();
        Self { scope: MemoryScope { tenant: TenantId::new(name).unwrap(), owner }, rows }
    }

    pub(crate) fn ask(&self, vector: Vec<f32>) -> Asked {
        let mut all: Vec<(f32, Uuid)> =
            self.rows.iter().map(|row| (product(&row.vector, &vector), row.id)).collect();
        all.sort_by(|one, other| other.0.total_cmp(&one.0));
        let exact = all.into_iter().take(K).map(|(_, id)| id).collect();
        Asked { scope: self.scope.clone(), vector, exact }
    }
}

/// How many vectors each of so many tenants has, by the law of Zipf with an exponent of 1.2: of 1,000, the biggest has a quarter of all.
pub(crate) fn sizes(tenants: u32, vectors: usize) -> Vec<usize> {
    let weights: Vec<f64> = (1..=tenants).map(|rank| f64::from(rank).powf(-1.2)).collect();
    let all: f64 = weights.iter().sum();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded down, and small")]
    let mut sizes: Vec<usize> =
        weights.iter().map(|weight| ((weight / all * vectors as f64) as usize).max(1)).collect();
    let given: usize = sizes.iter().sum();
    sizes[0] += vectors.saturating_sub(given);
    sizes
}

/// Writes all, in an order in which tenants come as they come.
pub(crate) async fn fill(
    store: &dyn MemoryStore,
    clock: &dyn Clock,
    generation: &Generation,
    tenants: &[&Tenant],
    random: &mut Random,
) -> f64 {
    let mut order: Vec<(usize, usize)> = (0..)
        .zip(tenants)
        .flat_map(|(of, tenant): (usize, _)| (0..tenant.rows.len()).map(move |row| (of, row)))
        .collect();
    for last in (1..order.len()).rev() {
        order.swap(last, random.below(last as u64 + 1));
    }
    let begun = Instant::now();
    for some in order.chunks(WRITTEN_AT_ONCE) {
        let write = |(of, row): &(usize, usize)| {
            let (tenant, row) = (tenants[*of], tenants[*of].rows[*row].clone());
            MemoryWrite {
                scope: tenant.scope.clone(),
                at: clock.now(),
                act: MemoryAct::Put { draft: Box::new(draft(row, generation)), when: When::Absent },
            }
        };
        let done = store.write(some.iter().map(write).collect()).await.unwrap();
        assert!(done.iter().all(Result::is_ok), "each is new");
    }
    begun.elapsed().as_secs_f64()
}

/// As a fact is put.
fn draft(row: Row, generation: &Generation) -> MemoryDraft {
    MemoryDraft {
        id: row.id,
        kind: MemoryKind::SEMANTIC,
        text: Some(format!("entry {}", row.id)),
        body: "{}".to_owned(),
        vector: Some(Embedded { generation: generation.clone(), vector: row.vector }),
        ..MemoryDraft::default()
    }
}

/// The search by meaning alone, of private and public ones.
pub(crate) fn question(generation: &Generation, asked: &Asked) -> RankQuery {
    RankQuery {
        filter: MemoryFilter {
            kind: Some(MemoryKind::SEMANTIC),
            reach: Seen::Both,
            ..MemoryFilter::default()
        },
        meaning: Some(Embedded { generation: generation.clone(), vector: asked.vector.clone() }),
        depth: K,
        ..RankQuery::default()
    }
}

fn product(one: &[f32], other: &[f32]) -> f32 {
    let mut sums = [0.0; 8];
    for (one, other) in one.chunks_exact(8).zip(other.chunks_exact(8)) {
        for ((sum, a), b) in sums.iter_mut().zip(one).zip(other) {
            *sum += a * b;
        }
    }
    sums.iter().sum()
}
