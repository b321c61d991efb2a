//! Tests of the stores on Postgres.
#[cfg(test)]
mod it {
    mod away;
    mod contract;
    mod costs;
    mod differential;
    mod kill;
    mod memory_contract;
    mod memory_differential;
    mod memory_kill;
    mod memory_walls;
    mod migrating;
    mod near;
    mod opening;
    mod roles;
    mod sharing;
    mod walls;
    mod world;
}
