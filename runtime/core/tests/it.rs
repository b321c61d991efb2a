//! Tests of the words, from outside.
#[cfg(test)]
mod it {
    mod data;
    mod draft;
    mod envelope;
    mod golden;
    mod names;
    mod order;
    mod sample;
    mod timestamp;
}
