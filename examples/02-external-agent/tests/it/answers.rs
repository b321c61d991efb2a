use soorma::Topic;

use super::world::{World, request};

#[tokio::test]
async fn answers_look_like_those_of_a_worker_in_rust() {
    let world = World::new(|_| {}).await;
    let mut worker = world.worker();
    worker.joined().await;
    let mut elsewhere = request("elsewhere", r#"{"name":"Ada","task_id":"t-1","action_id":"a-1"}"#);
    elsewhere.response_topic = Some("task-events".to_owned());
    let mut other = request("other", r#"{"name":"Ada"}"#);
    other.kind = "weather.requested".to_owned();
    let mut told = request("told", r#"{"name":"Ada"}"#);
    told.response_event = None;
    let done = request("done", r#"{"name":"J\u00f6rg"}"#);
    let failed = request("failed", "{}");
    for event in [other, told, elsewhere, done, failed] {
        world.publish(event).await;
    }
    let mut answers = world.answers().await;
    answers.wait_for(2).await;
    assert_eq!(answers.by_request.keys().collect::<Vec<_>>(), ["done", "failed"]);
    let [done] = answers.to("done") else { panic!("one answer") };
    assert_eq!((done.source.as_str(), done.kind.as_str()), ("hello-worker", "greeting.answered"));
    assert_eq!((done.correlation_id.as_deref(), done.tenant_id.as_deref()), (Some("c-done"), Some("st")));
    assert_eq!(
        done.data.as_ref().unwrap().as_str(),
        r#"{"task_id":"c-done","action_id":null,"status":"completed","result":{"greeting":"hello J\u00f6rg"}}"#
    );
    let [failed] = answers.to("failed") else { panic!("one answer") };
    assert_eq!(
        failed.data.as_ref().unwrap().as_str(),
        r#"{"task_id":"c-failed","action_id":null,"status":"failed","error":"the data of greeting.requested has no name"}"#
    );
    let mut answers = world.answers_on(Topic::TaskEvents).await;
    answers.wait_for(1).await;
    let [elsewhere] = answers.to("elsewhere") else { panic!("one answer") };
    assert_eq!(
        elsewhere.data.as_ref().unwrap().as_str(),
        r#"{"task_id":"t-1","action_id":"a-1","status":"completed","result":{"greeting":"hello Ada"}}"#
    );
    world.node.stop().await.unwrap();
}

#[tokio::test]
async fn the_answer_to_one_request_has_one_id_whoever_gives_it() {
    let mut ids = Vec::new();
    for _ in 0..2 {
        let world = World::new(|_| {}).await;
        let mut worker = world.worker();
        worker.joined().await;
        for id in ["one", "two"] {
            world.publish(request(id, r#"{"name":"Ada"}"#)).await;
        }
        let mut answers = world.answers().await;
        answers.wait_for(2).await;
        ids.push(["one", "two"].map(|id| answers.to(id)[0].id.clone()));
        world.node.stop().await.unwrap();
    }
    assert_eq!(ids[0], ids[1]);
    assert_ne!(ids[0][0], ids[0][1]);
}
