//! A file in which there was no memory gets one.

use super::steps::{all, done, draft, nth, put, saying};
use crate::it::older::{FILES, assert_the_log_is_there, closed_with};

#[tokio::test]
async fn memory_is_added_to_a_file_of_any_version() {
    for file in FILES {
        let (world, connection) = closed_with(file).await;
        drop(connection);
        let world = world.reopen().await;
        assert_the_log_is_there(&world).await;
        assert!(all(&world.log.memory(), "ada").await.is_empty());
        done(&world.log.memory(), put("ada", draft(1, "it remembers"))).await;
        let world = world.reopen().await;
        assert_the_log_is_there(&world).await;
        assert_eq!(all(&world.log.memory(), "ada").await, [nth(1)]);
        assert_eq!(saying(&world.log.memory(), "ada", "remembers").await, [nth(1)]);
    }
}
