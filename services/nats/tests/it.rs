//! Tests of the log on JetStream.
#[cfg(test)]
mod it {
    mod away;
    mod calls;
    mod connecting;
    mod contract;
    mod contract_synced;
    mod differential;
    mod full;
    mod gathered;
    mod groups;
    mod kill;
    mod provisioning;
    mod retention;
    mod sharing;
    mod tls;
    mod world;
}
