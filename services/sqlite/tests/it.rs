//! Tests of the stores in a file.
#[cfg(test)]
mod it {
    mod contract;
    mod damaged;
    mod differential;
    mod full;
    mod groups;
    mod handing_back;
    mod kill;
    mod memory;
    mod migration;
    mod older;
    mod opening;
    mod registry;
    mod retention;
    mod world;
}
