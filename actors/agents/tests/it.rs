//! What happens to events that agents handle, hosted or connected, whatever happens to the agents. Paused time, no I/O.

#[cfg(test)]
mod it {
    pub(crate) mod world;

    mod answers;
    mod external;
    mod faults;
    mod instances;
    mod members;
    mod memory;
    mod registered;
}
