//! The registry over a store and a log in memory, under paused time.

#[cfg(test)]
mod it {
    pub(crate) mod world;

    mod announcements;
    mod crashes;
    mod descriptions;
    mod leases;
    mod meaning;
    mod payloads;
    mod queries;
    mod random;
    mod room;
    mod writes;
}
