//! A stream that is a member of a group: shows what its proxy in the tree has for it.

use futures_util::Stream;
use soorma_api::{ConnectionRef, frame as name};
use soorma_core::Json;
use soorma_ports::{Connection, Outgoing};

use crate::app::Shared;
use crate::ending::Ending;
use crate::frame;
use crate::pulse::{Beat, Pulse};
use crate::watched::Shown;

pub(crate) struct MemberStream {
    pub(crate) app: Shared,
    pub(crate) proxy: Box<dyn Connection>,
    /// Whether each event is acknowledged by its id.
    pub(crate) explicit: bool,
    pub(crate) connection: ConnectionRef,
    pub(crate) pulse: Pulse,
    pub(crate) ending: Ending,
    pub(crate) ended: bool,
}

impl MemberStream {
    pub(crate) fn into_stream(self) -> impl Stream<Item = Shown> + Send {
        futures_util::stream::unfold(self, |mut stream| async move {
            let shown = stream.next().await?;
            Some((shown, stream))
        })
    }

    async fn next(&mut self) -> Option<Shown> {
        if self.ended {
            return None;
        }
        let outgoing = tokio::select! {
            biased;
            () = self.ending.comes() => {
                // The client is not to blame: nothing counts as tried.
                self.proxy.close().await;
                Outgoing::End
            }
            beat = self.pulse.beat() => {
                return Some(Shown::aside(match beat {
                    Beat::Ping => frame::ping(self.app.edge.clock.now()),
                    Beat::Heartbeat => frame::control(name::HEARTBEAT, None, &self.connection),
                }));
            }
            outgoing = self.proxy.next() => outgoing,
        };
        Some(Shown::aside(match outgoing {
            Outgoing::Event { delivery, ticket, lease, cursor } => {
                self.pulse.shown();
                if self.explicit {
                    frame::delivery(&ticket, lease, &delivery.event)
                } else {
                    frame::message(&cursor, &delivery.event.to_json(Json::Snake))
                }
            }
            Outgoing::End => {
                self.ended = true;
                frame::control(name::DISCONNECTED, None, &self.connection)
            }
        }))
    }
}
