//! A node as a program that embeds it sees it. Real time: it has a disk, and may have a socket.

#[cfg(test)]
mod it {
    mod discovery;
    mod models;
    mod node;
    mod registry;
    mod tokens;
}
