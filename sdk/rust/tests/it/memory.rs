//! Memory, over HTTP and as hosted agents have it: all in the file, and on servers, with two nodes.

use std::time::Duration;

use serde_json::{Value, json};
use soorma::api::memory::{
    ChangeValue, LogEpisode, MakePlan, MakeSession, RecallQuery, SetValue, StoreFact, StoreSkill,
};
use soorma::config::EmbedderKind;
use soorma::{
    AnyJson, Client, Ctx, ErrorCode, Fault, PlanStatus, PlanWatch, RankedBy, Role, Scope, Topic, Watched,
    Weights, Worker, WorkingOp,
};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout_at};

use super::world::{PATIENCE, World, event, next, on_all, open, watcher};

on_all!(
    what_is_stored_is_found_and_is_there_after_a_restart,
    an_agent_remembers_for_whoever_the_event_is_of,
    changes_from_many_at_once_all_count,
    who_watches_a_plan_sees_what_there_is_and_then_what_happens,
    while_the_embedder_is_away_writes_are_kept_and_searches_go_by_words,
);

fn known(content: &str) -> StoreFact {
    StoreFact { content: content.to_owned(), ..StoreFact::default() }
}

fn said(content: &str) -> LogEpisode {
    LogEpisode {
        agent_id: "librarian".to_owned(),
        role: Role::User,
        content: content.to_owned(),
        metadata: None,
        session_id: Some("s1".to_owned()),
    }
}

fn about(question: &str) -> RecallQuery {
    RecallQuery { q: Some(question.to_owned()), ..RecallQuery::default() }
}

fn with_agent(query: RecallQuery) -> RecallQuery {
    RecallQuery { agent_id: Some("librarian".to_owned()), ..query }
}

fn json_of(value: &Value) -> AnyJson {
    AnyJson::from_value(value).unwrap()
}

/// The same client, for a user of a service tenant.
fn of(client: Client, user: &str) -> Client {
    client.scope(Scope {
        service_tenant: Some("st".to_owned()),
        user: Some(user.to_owned()),
        ..Scope::default()
    })
}

/// Asks until it is so.
async fn until(what: &str, is: impl AsyncFn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !is().await {
        assert!(Instant::now() < deadline, "{what}: not in time");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

async fn what_is_stored_is_found_and_is_there_after_a_restart(world: World) {
    let mut world = world.start().await;
    let client = world.client();
    let memory = client.memory();
    let opens = StoreFact {
        external_id: Some("hours".to_owned()),
        tags: Some(vec!["library".to_owned()]),
        ..known("the library opens at ten")
    };
    let first = memory.store_knowledge(&opens).await.unwrap();
    let opens = StoreFact { content: "the library opens at nine".to_owned(), ..opens };
    assert_eq!(memory.store_knowledge(&opens).await.unwrap().id, first.id, "of one name there is one");
    memory.store_knowledge(&known("cats are not allowed")).await.unwrap();
    let again = memory.store_knowledge(&known("cats are not allowed")).await.unwrap();
    let session =
        MakeSession { session_id: "s1".to_owned(), name: Some("a visit".to_owned()), metadata: None };
    memory.make_session(&session).await.unwrap();
    let twice = memory.make_session(&session).await.unwrap_err().code;
    assert!(matches!(twice, ErrorCode::AlreadyExists | ErrorCode::Conflict), "{twice}");
    for text in ["when does the library open", "may I bring my cat"] {
        memory.log_interaction(&said(text)).await.unwrap();
    }
    let skill = StoreSkill {
        agent_id: "librarian".to_owned(),
        name: Some("greet".to_owned()),
        trigger_condition: Some("somebody says hello".to_owned()),
        procedure_type: "skill".to_owned(),
        content: "say hello, too".to_owned(),
    };
    memory.store_skill(&skill).await.unwrap();
    assert_eq!(memory.store_skill(&skill).await.unwrap().version, Some(2));
    let plan =
        MakePlan { plan_id: "p1".to_owned(), goal_event: "visit.wanted".to_owned(), ..MakePlan::default() };
    memory.make_plan(&plan).await.unwrap();
    memory.set_plan_status("p1", PlanStatus::Paused).await.unwrap();
    memory.store("p1", "seat", &json!({ "row": 3, "price": 1.50 })).await.unwrap();

    for _ in 0..2 {
        let client = world.client();
        let memory = client.memory();
        let found = memory.search_knowledge(&about("when does the library open")).await.unwrap();
        assert_eq!(found.by, RankedBy::Meaning);
        let texts: Vec<_> = found.items.iter().map(|fact| fact.content.as_str()).collect();
        assert_eq!(texts, ["the library opens at nine", "cats are not allowed"]);
        assert!(found.items[0].score.unwrap() > found.items[1].score.unwrap());
        let tagged = RecallQuery {
            tags: Some("library".to_owned()),
            weights: Some("meaning:1,words:1".to_owned()),
            explain: true,
            ..about("cats")
        };
        let found = memory.search_knowledge(&tagged).await.unwrap().items;
        assert_eq!((found.len(), found[0].id), (1, first.id));
        assert!(found[0].explanation.unwrap().meaning.is_some());
        assert_eq!(memory.fact(again.id).await.unwrap().unwrap().content, "cats are not allowed");
        let found = memory.search_interactions(&with_agent(about("bring a cat"))).await.unwrap().items;
        assert_eq!((found.len(), found[0].content.as_str()), (2, "may I bring my cat"));
        let recent = memory.recent_history("librarian", 1).await.unwrap();
        assert_eq!(recent[0].content, "may I bring my cat");
        let window = memory.conversation("librarian", Some("s1"), 1_000).await.unwrap();
        assert_eq!((window.episodes.len(), window.cut), (2, false));
        assert_eq!(window.episodes[0].content, "when does the library open");
        let found = memory.relevant_skills(&with_agent(about("says hello"))).await.unwrap().items;
        assert_eq!((found.len(), found[0].content.as_str()), (1, "say hello, too"));
        let plans = memory.plans(Some(PlanStatus::Paused), None, 10, None).await.unwrap().0;
        assert_eq!(plans[0].plan_id, "p1");
        let seat = memory.value("p1", "seat").await.unwrap().unwrap();
        assert_eq!(seat.value.as_str(), r#"{"price":1.5,"row":3}"#);
        assert_eq!(memory.retrieve::<Value>("p1", "nothing").await.unwrap(), None);
        world.restart().await;
    }
    let client = world.client();
    assert!(client.memory().remove_knowledge(first.id).await.unwrap());
    assert_eq!(client.memory().search_knowledge(&about("library")).await.unwrap().items.len(), 1);
    world.stop().await;
}

async fn learn(asked: Value, ctx: Ctx) -> Result<Value, Fault> {
    let memory = ctx.memory();
    if let Some(text) = asked["learn"].as_str() {
        memory.store_knowledge(text).external_id(text).tags(["told"]).metadata(&json!({ "n": 1 })).await?;
    }
    memory.log_interaction(Role::User, asked.to_string()).await?;
    let known = memory.search_knowledge("what is known", 10).weights(Weights::HYBRID).await?;
    let texts: Vec<_> = known.items.into_iter().map(|fact| fact.content).collect();
    memory.append("asked", &asked).await?;
    memory.store("last", &asked).await?;
    let first = memory.compare_and_set("first", None, &ctx.event().id.to_string()).await?;
    let history = memory.recent_history(10).await?.len();
    let nth: i64 = memory.update("count", WorkingOp::Increment(json_of(&json!(1)))).await?;
    Ok(json!({ "known": texts, "history": history, "nth": nth, "first": first }))
}

async fn an_agent_remembers_for_whoever_the_event_is_of(world: World) {
    let world = world.start().await;
    world
        .node()
        .agents()
        .host(Worker::new("learner").unwrap().on_task("work.requested", learn))
        .await
        .unwrap();
    let client = world.client();
    let mut answers = open(&client, &watcher(Topic::ActionResults)).await;
    let mut ask = async |id: &str, user: &str, data: Value| {
        let mut request = event(id, Topic::ActionRequests);
        (request.user_id, request.plan_id) = (Some(user.to_owned()), Some("p1".to_owned()));
        (request.response_event, request.session_id) = (Some("done".to_owned()), Some("s1".to_owned()));
        request.data = Some(soorma::Data::from_value(&data).unwrap());
        client.publish(&request).await.unwrap();
        let answer: Value = next(&mut answers).await.data.unwrap().parse().unwrap();
        assert_eq!(answer["status"], "completed", "{answer}");
        answer["result"].clone()
    };
    let first = ask("e1", "ada", json!({ "learn": "Ada likes tea" })).await;
    assert_eq!(first, json!({ "known": ["Ada likes tea"], "history": 1, "nth": 1, "first": true }));
    let second = ask("e2", "ada", json!({})).await;
    assert_eq!(second, json!({ "known": ["Ada likes tea"], "history": 2, "nth": 2, "first": false }));
    let other = ask("e3", "bob", json!({})).await;
    assert_eq!(other, json!({ "known": [], "history": 1, "nth": 1, "first": true }));

    // Over HTTP it is the same memory.
    let ada = of(world.client(), "ada");
    let memory = ada.memory();
    let known = memory.knowledge(&RecallQuery::default()).await.unwrap().items;
    assert_eq!((known.len(), known[0].external_id.as_deref()), (1, Some("Ada likes tea")));
    assert_eq!(known[0].metadata.parse::<Value>().unwrap()["tags"], json!(["told"]));
    let asked: Vec<Value> = memory.retrieve("p1", "asked").await.unwrap().unwrap();
    assert_eq!(asked, [json!({ "learn": "Ada likes tea" }), json!({})]);
    assert_eq!(memory.retrieve::<Value>("p1", "last").await.unwrap(), Some(json!({})));
    let history = memory.recent_history("learner", 10).await.unwrap();
    assert_eq!((history.len(), history[0].session_id.as_deref()), (2, Some("s1")));
    world.stop().await;
}

async fn changes_from_many_at_once_all_count(world: World) {
    const MANY: i64 = 8;
    const EACH: i64 = 20;
    let on_servers = !world.config.postgres.url.is_empty();
    let second = if on_servers { Some(world.beside().start().await) } else { None };
    let world = world.start().await;
    let nodes: Vec<Client> =
        [Some(&world), second.as_ref()].into_iter().flatten().map(World::client).collect();
    let mut load = JoinSet::new();
    for n in 0..MANY {
        let client = nodes[usize::try_from(n).unwrap() % nodes.len()].clone();
        load.spawn(async move {
            let memory = client.memory();
            let one = ChangeValue::Increment { by: json_of(&json!(1)) };
            for k in 0..EACH {
                memory.update("p", "count", &one).await.unwrap();
                let element = ChangeValue::Append { value: json_of(&json!([n, k])) };
                memory.update("p", "list", &element).await.unwrap();
            }
            // Of all that set what is not there, one does.
            let set =
                SetValue { value: json_of(&json!(n)), ttl_seconds: None, if_revision: None, if_absent: true };
            match memory.set("p", "winner", &set).await {
                Ok(_) => 1,
                Err(error) => {
                    assert_eq!(error.code, ErrorCode::Conflict, "{error}");
                    0
                }
            }
        });
    }
    let winners: i32 = load.join_all().await.into_iter().sum();
    assert_eq!(winners, 1);
    for client in &nodes {
        let memory = client.memory();
        assert_eq!(memory.retrieve("p", "count").await.unwrap(), Some(MANY * EACH));
        let mut list: Vec<(i64, i64)> = memory.retrieve("p", "list").await.unwrap().unwrap();
        let of_one: Vec<_> = list.iter().filter(|(n, _)| *n == 1).map(|(_, k)| *k).collect();
        assert_eq!(of_one, (0..EACH).collect::<Vec<_>>(), "each in its order");
        list.sort_unstable();
        list.dedup();
        assert_eq!(list.len(), usize::try_from(MANY * EACH).unwrap());
    }
    if let Some(second) = second {
        second.stop().await;
    }
    world.stop().await;
}

/// The next thing that a watch says, but that it lives.
async fn told(watch: &mut PlanWatch) -> Watched {
    let deadline = Instant::now() + PATIENCE;
    loop {
        match timeout_at(deadline, watch.next()).await.expect("something happens").unwrap() {
            Some(Watched::Heartbeat) => {}
            Some(told) => return told,
            None => panic!("the watch ended"),
        }
    }
}

async fn who_watches_a_plan_sees_what_there_is_and_then_what_happens(world: World) {
    let on_servers = !world.config.postgres.url.is_empty();
    let second = if on_servers { Some(world.beside().start().await) } else { None };
    let world = world.start().await;
    let client = world.client();
    // Who watches may be at another node than who writes.
    let watching = second.as_ref().unwrap_or(&world).client();
    client.memory().store("p", "a", &1).await.unwrap();
    client.memory().store("q", "a", &0).await.unwrap();
    let mut watch = watching.memory().watch_plan("p").await.unwrap();
    let mut there = Vec::new();
    loop {
        let Watched::Snapshot(some, complete) = told(&mut watch).await else { panic!("what there is") };
        there.extend(some);
        if complete {
            break;
        }
    }
    assert_eq!((there.len(), there[0].key.as_str()), (1, "a"));
    for n in 2..10 {
        client.memory().store("p", "a", &n).await.unwrap();
    }
    let seen = async |watch: &mut PlanWatch| match told(watch).await {
        Watched::Change(change) => change,
        other => panic!("{other:?}"),
    };
    // The last state is told, whether or not all before it are.
    loop {
        let change = seen(&mut watch).await;
        assert_eq!((change.key.as_str(), change.deleted), ("a", false));
        if change.value.unwrap().as_str() == "9" {
            break;
        }
    }
    client.memory().delete("p", "a").await.unwrap();
    let gone = seen(&mut watch).await;
    assert_eq!((gone.key.as_str(), gone.deleted, gone.value), ("a", true, None));
    drop(watch);
    // What ends by itself, where it was written: who watches elsewhere looks once a second.
    let mut watch = client.memory().watch_plan("p").await.unwrap();
    assert_eq!(told(&mut watch).await, Watched::Snapshot(Vec::new(), true));
    let short =
        SetValue { value: json_of(&json!("b")), ttl_seconds: Some(3), if_revision: None, if_absent: false };
    client.memory().set("p", "b", &short).await.unwrap();
    assert!(!seen(&mut watch).await.deleted);
    assert!(seen(&mut watch).await.deleted, "its time is over");
    assert_eq!(client.memory().value("p", "b").await.unwrap(), None);
    drop(watch);
    if let Some(second) = second {
        second.stop().await;
    }
    world.stop().await;
}

async fn while_the_embedder_is_away_writes_are_kept_and_searches_go_by_words(world: World) {
    let world = world.with(|config| {
        config.models.embedder = Some(EmbedderKind::OpenAi);
        // Nobody listens there.
        config.models.embedder_url = "http://127.0.0.1:1/v1".to_owned();
        config.models.embedder_model = "away".to_owned();
        config.models.embedder_dimensions = Some(8);
        (config.memory.embed_within, config.memory.search_within) =
            (Duration::from_millis(100), Duration::from_millis(100));
    });
    let mut world = world.start().await;
    let client = world.client();
    for text in ["the library opens at nine", "cats are not allowed", "books are kept for four weeks"] {
        client.memory().store_knowledge(&known(text)).await.unwrap();
    }
    let found = client.memory().search_knowledge(&about("may cats come in")).await.unwrap();
    assert_eq!((found.by, found.items.len()), (RankedBy::Words, 3), "as many as there are");
    assert_eq!(found.items[0].content, "cats are not allowed");
    until("it is told that the embedder is away", async || {
        let embedding = client.memory().stats().await.unwrap().embedding.unwrap();
        assert_eq!((embedding.texts, embedding.embedded), (3, 0));
        !embedding.available
    })
    .await;
    // With another embedder, what is there gets its vectors by itself.
    world.config.models = soorma::config::Models::default();
    world.restart().await;
    let client = world.client();
    until("all have vectors", async || {
        let embedding = client.memory().stats().await.unwrap().embedding.unwrap();
        (embedding.texts, embedding.embedded) == (3, 3)
    })
    .await;
    let found = client.memory().search_knowledge(&about("may cats come in")).await.unwrap();
    assert_eq!((found.by, found.items[0].content.as_str()), (RankedBy::Meaning, "cats are not allowed"));
    world.stop().await;
}
