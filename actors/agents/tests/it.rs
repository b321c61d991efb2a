//! What happens to events that agents handle, whatever happens to the agents. Paused time, no I/O.

#[cfg(test)]
mod it {
    pub(crate) mod world;

    mod answers;
    mod faults;
    mod instances;
}
