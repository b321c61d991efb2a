//! A file in which there was no registry gets one.

use soorma_core::Topic;

use super::steps::{define, done, names, put, schema};
use crate::it::older::{FILES, assert_the_log_is_there, closed_with};

#[tokio::test]
async fn a_registry_is_added_to_a_file_of_any_version() {
    for file in &FILES[..2] {
        let (world, connection) = closed_with(file).await;
        drop(connection);
        let world = world.reopen().await;
        assert_the_log_is_there(&world).await;
        let store = world.log.registry();
        assert_eq!(names(&store).await, Vec::<String>::new());
        for write in [put("a", 1), define("a", Topic::TaskEvents, 1), schema("a", 1)] {
            assert!(done(&store, write).await.made);
        }
        let world = world.reopen().await;
        assert_the_log_is_there(&world).await;
        assert_eq!(names(&world.log.registry()).await, ["agent a", "event a", "schema a"]);
    }
}
