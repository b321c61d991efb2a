//! What `docs/supervision.md` says, shown.

#[cfg(test)]
mod it {
    pub(crate) mod fixture;

    mod dynamic;
    mod edges;
    mod escalation;
    mod mailbox;
    mod restart;
    mod stop;
    mod strategy;
    mod task;
    mod tree;
}
