//! Tests of the log on JetStream.
#[cfg(test)]
mod it {
    mod connecting;
    mod contract;
    mod contract_synced;
    mod differential;
    mod kill;
    mod provisioning;
    mod retention;
    mod sharing;
    mod world;
}
