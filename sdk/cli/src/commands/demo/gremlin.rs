//! What breaks things, by a seed.

use std::time::Duration;

use soorma::{Ctx, Node};

use super::agents::Hosted;

/// Breaks things at random.
#[derive(Debug, Clone)]
pub(crate) struct Gremlin {
    seed: u64,
}

impl Gremlin {
    pub(crate) fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// Panics in one handler of five; which ones follows from the seed, the event and the attempt.
    #[expect(clippy::panic, reason = "that is what it is for")]
    pub(crate) fn strike(&self, ctx: &Ctx) {
        let text = format!("{}{}", ctx.event().id, ctx.attempt());
        let hash = text.bytes().fold(self.seed, |hash, byte| mix(hash ^ u64::from(byte)));
        if hash.is_multiple_of(5) {
            panic!("the gremlin struck");
        }
    }

    /// Kills supervisors at random, without end; what is held after that it lets out again, as an operator would.
    pub(crate) async fn kill_supervisors(&self, node: &Node, hosted: &Hosted) {
        const TARGETS: [&str; 8] = [
            "agents/hosted/0/reader/instances",
            "agents/hosted/0/collector/instances",
            "agents/hosted/0/reader/dispatcher",
            "agents/hosted/0/collector/dispatcher",
            "agents/hosted/0/reader",
            "agents/hosted/0/collector",
            "agents/hosted/0",
            "bus/tails",
        ];
        let mut chance = self.seed;
        loop {
            chance = mix(chance);
            tokio::time::sleep(Duration::from_millis(20 + chance % 100)).await;
            chance = mix(chance);
            let nth = usize::try_from(chance % 8).unwrap_or(0);
            if let Some(target) = TARGETS.get(nth) {
                node.root().kill(target);
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            hosted.release(node).await;
        }
    }
}

/// splitmix64.
fn mix(x: u64) -> u64 {
    let mut x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}
