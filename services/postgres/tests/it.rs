//! Tests of the stores on Postgres.
#[cfg(test)]
mod it {
    mod away;
    mod contract;
    mod differential;
    mod kill;
    mod migrating;
    mod opening;
    mod roles;
    mod sharing;
    mod walls;
    mod world;
}
