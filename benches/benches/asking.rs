//! Requests over many connections, each with a number of its own.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::load::{self, Rate};

/// Asks over so many connections, one request at a time each.
pub(crate) async fn ask(
    addr: SocketAddr,
    connections: usize,
    take: Duration,
    request: fn(u64) -> Vec<u8>,
) -> Rate {
    let until = Instant::now() + take;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..connections {
        tasks.spawn(async move {
            let mut stream = TcpStream::connect(addr).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let (mut times, mut buffer) = (Vec::new(), Vec::new());
            // Numbers of one measurement are not those of another.
            let mut n = fresh();
            while Instant::now() < until {
                let request = request(n);
                n += 1;
                let begun = Instant::now();
                stream.write_all(&request).await.unwrap();
                load::answer(&mut stream, &mut buffer).await;
                times.push(begun.elapsed());
            }
            times
        });
    }
    Rate::of(tasks.join_all().await.concat(), take)
}

/// A number in an order that no cache can guess: what is answered lies far in memory.
pub(crate) fn scattered(n: u64) -> usize {
    usize::try_from(n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32).unwrap()
}

/// A number far from those given before.
fn fresh() -> u64 {
    static NEXT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(1);
    NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed) << 28
}
