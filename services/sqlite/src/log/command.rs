//! What is done with a group as a whole, in the writer's transaction.

use rusqlite::{OptionalExtension as _, params};
use soorma_core::{Name, TenantId};
use soorma_ports::{EventLogError, GroupCommand, GroupKey, Start};

use super::group::{Group, group_id, parsed};
use super::read::within;
use crate::error::Failure;
use crate::numbers::signed;
use crate::topic_set::TopicSet;
use crate::writer::Tx;

/// Carries a command out; says whether there is such a group.
pub(super) fn command(
    tx: &mut Tx<'_>,
    tenant: &TenantId,
    group: &Name,
    command: &GroupCommand,
) -> Result<bool, Failure> {
    let Some(id) = group_id(tx, tenant, group)? else { return Ok(false) };
    match command {
        GroupCommand::Pause => pause(tx, id, true)?,
        GroupCommand::Resume => pause(tx, id, false)?,
        GroupCommand::Seek(start) => seek(tx, id, start)?,
        GroupCommand::Remove => remove(tx, id)?,
    }
    Ok(true)
}

fn pause(tx: &mut Tx<'_>, id: i64, paused: bool) -> rusqlite::Result<()> {
    tx.connection.execute("UPDATE consumers SET paused = ?2 WHERE id = ?1", params![id, paused])?;
    if let Some(group) = tx.state.groups.get_mut(&id) {
        group.paused = paused;
    }
    tx.state.signals.available(id, TopicSet::ALL);
    Ok(())
}

/// Goes on from another place. What is open stays open.
fn seek(tx: &mut Tx<'_>, id: i64, start: &Start) -> Result<(), Failure> {
    let Some(group) = tx.state.groups.get_mut(&id) else { return Ok(()) };
    let mut places = Vec::with_capacity(group.cursors.len());
    for topic in group.cursors.keys() {
        let row = *tx.state.topics.of(*topic);
        let place = match start {
            Start::Now => row.head,
            Start::Earliest => row.before_first,
            Start::After(cursor) => {
                let Some(after) = cursor.get(*topic) else { continue };
                within(*topic, after, row.bounds())?;
                signed(after.0)
            }
        };
        places.push((*topic, place));
    }
    // Not before all of them were looked at: what is refused must not have written anything.
    let mut update = tx
        .connection
        .prepare_cached("UPDATE consumer_topics SET cursor = ?3 WHERE consumer = ?1 AND topic = ?2")?;
    for (topic, place) in places {
        update.execute(params![id, topic.number(), place])?;
        group.cursors.insert(topic, place);
    }
    tx.state.signals.available(id, TopicSet::ALL);
    Ok(())
}

/// Forgets a group, with all that it had.
fn remove(tx: &mut Tx<'_>, id: i64) -> rusqlite::Result<()> {
    for sql in [
        "DELETE FROM deliveries WHERE consumer = ?1",
        "DELETE FROM dead_letters WHERE consumer = ?1",
        "DELETE FROM consumer_topics WHERE consumer = ?1",
        "DELETE FROM consumers WHERE id = ?1",
    ] {
        tx.connection.prepare_cached(sql)?.execute([id])?;
    }
    tx.state.drop_group(id);
    tx.state.signals.removed(id);
    Ok(())
}

/// Removes the groups that nobody has used for as long as they say, and that have no dead letters.
pub(super) fn expire(tx: &mut Tx<'_>) -> rusqlite::Result<Vec<GroupKey>> {
    let is_idle = |(id, group): &(&i64, &Group)| {
        // Who waits for events asks for them all the while.
        group.is_idle(tx.now) && !tx.state.signals.is_asked_for(**id)
    };
    let idle: Vec<(i64, i64, Name)> = tx
        .state
        .groups
        .iter()
        .filter(is_idle)
        .map(|(id, group)| (*id, group.tenant, group.name.clone()))
        .collect();
    let mut gone = Vec::new();
    for (id, tenant, group) in idle {
        let letter = tx
            .connection
            .prepare_cached("SELECT 1 FROM dead_letters WHERE consumer = ?1 LIMIT 1")?
            .query_row([id], |_| Ok(()))
            .optional()?;
        if letter.is_some() {
            continue;
        }
        let tenant = tx
            .connection
            .prepare_cached("SELECT name FROM tenants WHERE id = ?1")?
            .query_row([tenant], |row| parsed(row, 0, TenantId::new))?;
        remove(tx, id)?;
        gone.push((tenant, group));
    }
    gone.sort_unstable();
    Ok(gone)
}

/// What a member of a group hears that is no more.
pub(super) fn removed(group: &Name) -> EventLogError {
    EventLogError::Unavailable(format!("the group {group} was removed; join it again"))
}
