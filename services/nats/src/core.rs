//! What all that works on one log shares.

use std::sync::Arc;

use soorma_ports::Clock;

use crate::gathered::Gathered;
use crate::group::Due;
use crate::names::Names;
use crate::server_time::ServerTime;
use crate::signals::Signals;
use crate::wire::Wire;

#[derive(Debug)]
pub(crate) struct Core {
    pub(crate) wire: Arc<Wire>,
    /// Where appends are gathered, if they are.
    pub(crate) gathered: Option<Gathered>,
    pub(crate) names: Names,
    pub(crate) signals: Arc<Signals>,
    pub(crate) time: ServerTime,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Core {
    pub(crate) fn now(&self) -> Due {
        Due { server: self.time.now(), wall: self.clock.now() }
    }
}
