//! Tests of the testkit itself.
#[cfg(test)]
mod it {
    mod clock;
    mod entropy;
    mod faulty_log;
    mod faulty_memory;
    mod fence;
    mod map_memory;
    mod memory_differential;
    mod memory_log;
    mod memory_registry;
    mod postgres_server;
    mod scripted_embedder;
    mod tidy;
}
