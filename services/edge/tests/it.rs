//! The edge over a real socket, on the bus over the log in memory.

#[cfg(test)]
mod it {
    pub(crate) mod http;
    pub(crate) mod registry;
    pub(crate) mod server;
    pub(crate) mod sse;
    pub(crate) mod store;

    mod access;
    mod batch;
    mod dead_letters;
    mod deliveries;
    mod group_routes;
    mod groups;
    mod live;
    mod meaning;
    mod memory;
    mod memory_refusals;
    mod memory_working;
    mod metrics;
    mod node;
    mod publish;
    mod recorded;
    mod registry_refusals;
    mod slow;
    mod tokens;
}
