//! The binary `soorma` as its users meet it: real processes, real sockets, real files.

#[cfg(test)]
mod it {
    pub(crate) mod http;
    pub(crate) mod place;

    mod commands;
    mod configuration;
    mod dead_letters;
    mod demo;
    mod full_disk;
    mod gremlin;
    mod groups;
    mod kill;
    mod memory;
    mod memory_answers;
    mod memory_kills;
    mod refusals;
    mod registrations;
    mod registry;
    mod serve;
    mod startup;
    mod stop;
    mod tokens;
}
