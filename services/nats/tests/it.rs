//! Tests of the log on JetStream.
#[cfg(test)]
mod it {
    mod connecting;
    mod contract;
    mod differential;
    mod kill;
    mod provisioning;
    mod retention;
    mod sharing;
    mod world;
}
