//! What was seen of a log, and answers written down by it: with ranks instead of positions and ids, and without times.

use std::collections::BTreeMap;

use soorma_core::{Cursor, Data, Event, Json, Position, TenantId, Timestamp, Topic};
use soorma_ports::{
    Bounds, DeadLetter, DeadLetterFilter, DeliveryId, Entry, EventLog, EventLogError, GroupStatus, Reach,
    Start,
};

use super::step::{Place, TOPICS, whose};
use crate::name;

/// More than a case has of anything.
pub(super) const MANY: usize = 1_000;

#[derive(Debug, Default)]
pub(super) struct Known {
    positions: BTreeMap<Topic, Vec<Position>>,
    letters: BTreeMap<TenantId, Vec<u64>>,
}

impl Known {
    /// Looks for what nobody was told the place of: dead letters, and the events that tell of them.
    pub(super) async fn look(&mut self, log: &dyn EventLog) -> Result<(), EventLogError> {
        let (one, another) = (whose(0), whose(1));
        let last = self.positions.get(&Topic::SystemEvents).and_then(|all| all.last()).copied();
        let (page, of_one, of_another) = tokio::join!(
            log.read(&Reach::Platform, Topic::SystemEvents, last.unwrap_or_default(), MANY),
            self.fresh_letters(log, &one),
            self.fresh_letters(log, &another),
        );
        self.appended(Topic::SystemEvents, page?.entries.iter().map(|entry| entry.position));
        for (tenant, fresh) in [(one, of_one?), (another, of_another?)] {
            let known = self.letters.entry(tenant).or_default();
            known.extend(fresh.iter().map(|letter| letter.id));
            assert!(known.is_sorted(), "ids of dead letters grow");
        }
        Ok(())
    }

    async fn fresh_letters(
        &self,
        log: &dyn EventLog,
        tenant: &TenantId,
    ) -> Result<Vec<DeadLetter>, EventLogError> {
        let last = self.letters.get(tenant).and_then(|all| all.last()).copied().unwrap_or(0);
        log.dead_letters(tenant, &DeadLetterFilter::default(), last, MANY).await
    }

    /// Takes note of new events of a topic.
    pub(super) fn appended(&mut self, topic: Topic, positions: impl IntoIterator<Item = Position>) {
        let known = self.positions.entry(topic).or_default();
        known.extend(positions);
        assert!(known.is_sorted(), "positions grow");
    }

    /// How many events stand up to a position.
    pub(super) fn rank(&self, topic: Topic, position: Position) -> usize {
        self.positions.get(&topic).map_or(0, |all| all.partition_point(|one| *one <= position))
    }

    /// The position of the event with a rank; far ahead where there is none.
    pub(super) fn position(&self, topic: Topic, rank: usize) -> Position {
        let Some(nth) = rank.checked_sub(1) else { return Position(0) };
        self.positions.get(&topic).and_then(|all| all.get(nth)).copied().unwrap_or(Position(u64::MAX))
    }

    pub(super) fn start(&self, place: &Place) -> Start {
        match place {
            Place::Now => Start::Now,
            Place::Earliest => Start::Earliest,
            Place::After(places) => Start::After(Cursor::from_iter(
                places.iter().map(|(topic, rank)| (TOPICS[*topic], self.position(TOPICS[*topic], *rank))),
            )),
        }
    }

    /// The id of a tenant's dead letter; one that is none where there are not so many.
    pub(super) fn letter_id(&self, tenant: &TenantId, rank: usize) -> u64 {
        self.letters.get(tenant).and_then(|known| known.get(rank)).copied().unwrap_or(u64::MAX)
    }

    pub(super) fn letter_rank(&self, tenant: &TenantId, id: u64) -> usize {
        self.letters[tenant].binary_search(&id).expect("a letter that was looked for")
    }

    pub(super) fn id(&self, id: DeliveryId) -> String {
        format!("{}@{}#{}", id.topic, self.rank(id.topic, id.position), id.attempt)
    }

    pub(super) fn bounds(&self, topic: Topic, bounds: Bounds) -> String {
        format!("{topic} {}..{}", self.rank(topic, bounds.before_first), self.rank(topic, bounds.head))
    }

    pub(super) fn entry(&self, entry: &Entry) -> String {
        let rank = self.rank(entry.event.topic, entry.position);
        format!("{rank}: {} {}", entry.tenant, self.event(&entry.event))
    }

    pub(super) fn letter(&self, tenant: &TenantId, letter: &DeadLetter) -> String {
        let DeadLetter { id, group, position, cause, attempts, event, .. } = letter;
        let (rank, at) = (self.letter_rank(tenant, *id), self.rank(event.topic, *position));
        format!("{rank}: {group} @{at} '{cause}' {attempts} {}", self.event(event))
    }

    /// The logs are called one after the other, so their clocks differ a little, and all that tells the time.
    pub(super) fn group(&self, status: &GroupStatus) -> String {
        let places = status
            .topics
            .iter()
            .map(|(topic, place)| format!("{topic}@{} lag {}", self.rank(*topic, place.position), place.lag));
        let places: Vec<String> = places.collect();
        let GroupStatus { tenant, group, in_hand, waiting, dead_letters, paused, key, expire_after, .. } =
            status;
        format!(
            "{tenant} {group} {places:?} hand {in_hand} wait {waiting} dead {dead_letters} paused {paused} \
             oldest {} key {key:?} expire {expire_after:?}",
            status.oldest.is_some()
        )
    }

    pub(super) fn error(&self, error: &EventLogError) -> String {
        match error {
            EventLogError::Beyond { topic, after, head } => {
                format!("{} of {topic} is beyond {}", self.rank(*topic, *after), self.rank(*topic, *head))
            }
            EventLogError::Gone { topic, after, before_first } => {
                let (after, first) = (self.rank(*topic, *after), self.rank(*topic, *before_first));
                format!("{after} of {topic} is gone, first {first}")
            }
            other => other.to_string(),
        }
    }

    pub(super) fn event(&self, event: &Event) -> String {
        let mut event = event.clone();
        if event.kind == DeadLetter::ANNOUNCEMENT {
            (event.id, event.time) = (name("told"), Timestamp::default());
            let mut told: serde_json::Value = event.data.take().unwrap().parse().unwrap();
            let topic: Topic = told["topic"].as_str().unwrap().parse().unwrap();
            let tenant = TenantId::new(event.platform_tenant_id.as_deref().unwrap()).unwrap();
            told["position"] = self.rank(topic, Position(told["position"].as_u64().unwrap())).into();
            told["dead_letter"] = self.letter_rank(&tenant, told["dead_letter"].as_u64().unwrap()).into();
            assert!(told.as_object_mut().unwrap().remove("first_at").is_some());
            event.data = Some(Data::from_value(&told).unwrap());
        }
        event.to_json(Json::Snake)
    }
}
