//! The bus over the log in memory, under paused time.

#[cfg(test)]
mod it {
    pub(crate) mod world;

    mod groups;
    mod live;
    mod publish;
    mod random;
    mod tails;
}
