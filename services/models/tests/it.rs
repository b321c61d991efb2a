//! Tests of the embedders.
#[cfg(test)]
mod it {
    mod asking;
    mod bad_days;
    mod endpoint;
    mod hashing;
    mod openai;
}
