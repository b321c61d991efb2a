//! What an agent may say of itself.

use soorma_core::{AgentRecord, AgentStatus, Error, ErrorCode, Name};
use soorma_ports::Standing;

/// Says what of a record is larger than it may be.
pub(crate) fn check_record(agent: &AgentRecord) -> Result<(), Error> {
    at_most("capabilities", agent.capabilities.len(), AgentRecord::MAX_CAPABILITIES)?;
    at_most("consumed events", agent.consumes.len(), AgentRecord::MAX_EVENTS)?;
    at_most("produced events", agent.produces.len(), AgentRecord::MAX_EVENTS)?;
    at_most("bytes of description", agent.description.len(), AgentRecord::MAX_DESCRIPTION_BYTES)?;
    let version = agent.version.as_ref().map_or(0, String::len);
    at_most("bytes of version", version, AgentRecord::MAX_VERSION_BYTES)?;
    for capability in &agent.capabilities {
        let of = |what: &str| format!("{what} of capability '{}'", capability.name);
        at_most(
            &of("bytes of description"),
            capability.description.len(),
            AgentRecord::MAX_DESCRIPTION_BYTES,
        )?;
        at_most(&of("produced events"), capability.produces.len(), AgentRecord::MAX_EVENTS)?;
    }
    at_most("bytes of all that it says of itself", agent.bytes(), AgentRecord::MAX_BYTES)
}

/// Refuses what only a reader can find out.
pub(crate) fn check_standing(standing: &Standing) -> Result<(), Error> {
    let reason = standing.reason.as_ref().map_or(0, String::len);
    at_most("bytes of reason", reason, AgentRecord::MAX_DESCRIPTION_BYTES)?;
    if standing.status == AgentStatus::Expired {
        return Err(Error::invalid("an agent that gives a sign of life is not expired; say another status"));
    }
    Ok(())
}

fn at_most(what: &str, has: usize, most: usize) -> Result<(), Error> {
    if has <= most {
        return Ok(());
    }
    Err(Error::invalid(format!("an agent has at most {most} {what}; this one has {has}")))
}

/// Refuses an event or a schema that would be one too many; none is ever removed.
pub(crate) fn room_for(what: &str, name: &Name, has: usize, most: usize) -> Result<(), Error> {
    if has < most {
        return Ok(());
    }
    let message = format!("there is no room for {what} '{name}': the tenant has {has} of at most {most}");
    Err(Error::new(ErrorCode::RateLimited, message))
}

/// Refuses what would take more bytes than a tenant may have.
pub(crate) fn bytes_for(what: &str, name: &Name, takes: usize, most: usize) -> Result<(), Error> {
    if takes <= most {
        return Ok(());
    }
    let message = format!(
        "there is no room for {what} '{name}': with it, what the tenant has registered would take {takes} bytes of at most {most}"
    );
    Err(Error::new(ErrorCode::RateLimited, message))
}
