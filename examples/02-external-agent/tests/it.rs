//! The worker in Python: that it does what the README says, and what of its work holds when it or the edge dies.
#[cfg(test)]
mod it {
    pub(crate) mod world;

    mod answers;
    mod faults;
    mod readme;
}
