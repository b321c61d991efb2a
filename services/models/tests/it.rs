//! Tests of the embedders.
#[cfg(test)]
mod it {
    mod asking;
    mod bad_days;
    mod endpoint;
    mod hashing;
    #[cfg(feature = "local-models")]
    mod local;
    #[cfg(feature = "local-models")]
    mod local_folders;
    mod openai;
    #[cfg(feature = "local-models")]
    mod plain_bert;
    #[cfg(feature = "local-models")]
    mod tiny;
}
