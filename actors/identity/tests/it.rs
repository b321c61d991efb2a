//! Which tokens count, and which keys. Paused time, no I/O.

#[cfg(test)]
mod it {
    pub(crate) mod mint;

    mod keys;
    mod random;
    mod tokens;
}
