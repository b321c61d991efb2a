//! The edge over a real socket, on the bus over the log in memory.

#[cfg(test)]
mod it {
    pub(crate) mod http;
    pub(crate) mod server;
    pub(crate) mod sse;

    mod access;
    mod batch;
    mod dead_letters;
    mod deliveries;
    mod group_routes;
    mod groups;
    mod live;
    mod metrics;
    mod node;
    mod publish;
    mod recorded;
    mod slow;
    mod tokens;
}
