//! A node and clients of it over HTTP: each scenario on the embedded log and on NATS JetStream. Real time: there are sockets and servers.

#[cfg(test)]
mod it {
    mod bad_days;
    mod cuts;
    mod delivery;
    mod memory;
    mod registry;
    mod registry_client;
    mod streams;
    mod tenancy;
    mod tokens;
    mod world;
}
