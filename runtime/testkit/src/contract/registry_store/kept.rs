//! Clause 14 of the store.

use soorma_core::{
    AgentKind, AgentStatus, Capability, Data, EventRef, Name, PayloadSchema, SchemaVersion, Timestamp, Topic,
};
use soorma_ports::{RegistryWrite, Standing};

use super::RegistryStoreHarness;
use super::follower::Row;
use super::steps::{
    agent, all, all_done, at, define_as, definition, definitions, done, find, hear_as, of, put, put_as,
    schema_as, schema_of, schemas,
};
use crate::{name, tenant};

/// What some database or some format takes for its own, or folds into another.
const TEXTS: [&str; 12] = [
    "",
    " ",
    " before and behind \n",
    "it's \"quoted\" \\ and `this`; DROP TABLE registry_agents; --",
    "%s ${x} {{y}} <b>&amp;</b> $1 :name @p ?",
    "line\r\nbreak\ttab\u{b}\u{7f}",
    "nothing\0behind",
    "\u{fffd}\u{feff}\u{2028}\u{85}\u{202e}reversed",
    "Grüße, 世界, مرحبا, 👩\u{200d}🚀",
    // One letter in two ways: they look alike and differ.
    "\u{e9} e\u{301}",
    "null",
    r#"{"looks":"like","json":1.0}"#,
];

pub(super) async fn texts_come_back_as_they_were<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let mut expected = Vec::new();
    for (nth, text) in (0..).zip(TEXTS) {
        let mut record = agent(&format!("agent-{nth:02}"));
        record.description = text.into();
        record.version = Some(text.into());
        record.capabilities = vec![Capability {
            name: name("c"),
            description: text.into(),
            consumes: EventRef { name: name("e"), topic: None },
            produces: vec![],
        }];
        let how = Standing { status: AgentStatus::Degraded, reason: Some(text.into()) };
        let mut event = definition(&format!("event-{nth:02}"), Topic::BusinessFacts, text);
        event.payload_schema = Some(Data::from_value(&serde_json::json!({ "text": text, text: 1 })).unwrap());
        let mut schema = schema_of(&format!("schema-{nth:02}"), "1", "{}");
        schema.description = Some(text.into());
        let writes = vec![
            put_as(record.clone(), how.clone(), 1),
            define_as(event.clone(), 1),
            schema_as(schema.clone(), 1),
        ];
        all_done(&*store, writes).await;
        schema.created_at = at(1);
        expected.push((record, how, event, schema));
    }
    drop(store);
    let h = h.reopen().await;
    let all = all(&*h.store()).await;
    for (nth, (record, how, event, schema)) in expected.into_iter().enumerate() {
        let found = all.agents()[record.id.as_str()].clone();
        assert_eq!((found.record, found.standing), (record, how));
        assert_eq!(definitions(&all)[nth], &event);
        assert_eq!(schemas(&all)[nth], &schema);
    }
    // By a sign of life, too.
    let how = Standing { status: AgentStatus::Degraded, reason: Some("nothing\0behind '\\".into()) };
    done(&*h.store(), hear_as("agent-00", how.clone(), 2)).await;
    assert_eq!(find(&*h.store(), "agent-00").await.unwrap().standing, how);
}

pub(super) async fn names_of_all_lengths_and_scripts_come_back<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let long = ["x".repeat(Name::MAX_BYTES), "ü".repeat(127), "世".repeat(85)];
    let odd = [
        "x",
        " x ",
        "it's",
        "a\"b\\c",
        "%",
        "a/b?c=d#e",
        "\u{e9}",
        "e\u{301}",
        "👩\u{200d}🚀",
        "İ",
        "ß",
        "SS",
    ];
    let names: Vec<String> = long.into_iter().chain(odd.map(str::to_owned)).collect();
    let tenants = ["t".repeat(64), "ü".repeat(32), "it's \"one\"".to_owned()];
    for whose in &tenants {
        let of_name = |text: &String| -> Vec<RegistryWrite> {
            let version = SchemaVersion::new(text.chars().take(8).collect::<String>()).unwrap();
            let schema = PayloadSchema { version, owner: Some(name(text)), ..schema_of(text, "1", "{}") };
            let writes = [
                put(text, 1),
                define_as(definition(text, Topic::BusinessFacts, text), 1),
                schema_as(schema, 1),
            ];
            writes.map(|write| of(whose, write)).to_vec()
        };
        let answers = all_done(&*store, names.iter().flat_map(of_name).collect()).await;
        assert!(answers.iter().all(|written| written.made), "no two of the names are one");
    }
    let all = all(&*store).await;
    assert_eq!(all.rows.len(), 3 * names.len() * tenants.len());
    for whose in &tenants {
        for text in &names {
            let key = super::follower::Key::Agent(tenant(whose), name(text));
            let Some(Row::Agent(found)) = all.rows.get(&key) else { panic!("{text} of {whose} is there") };
            assert_eq!(found.record, agent(text));
        }
    }
}

pub(super) async fn schemas_come_back_to_the_letter<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let texts = [
        // The order of keys; and one twice, of which most readers know the last only.
        r#"{"z":1,"a":2,"m":{"y":1,"b":2},"":3,"z":4}"#,
        // Numbers that no binary number holds, and those that are equal and written differently.
        r#"{"a":1.0,"b":1,"c":1e0,"d":10E-1,"e":-0,"f":-0.0,"g":0.10000000000000000000000000000001}"#,
        r#"{"a":1e400,"b":-1e-400,"c":123456789012345678901234567890,"d":9007199254740993,"e":18446744073709551616}"#,
        r#"{"a":"\u00e9","b":"\/","c":"\u0000","d":"\ud83d\ude80","e":"\"\\\b\f\n\r\t"}"#,
        r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","required":[],"x":[{}],"y":[[]],"n":null,"t":true}"#,
    ];
    for (nth, text) in (0..).zip(texts) {
        let mut event = definition(&format!("event-{nth}"), Topic::BusinessFacts, "");
        event.payload_schema = Some(Data::from_json(text).unwrap());
        event.response_schema = Some(Data::from_json(text).unwrap());
        let schema = schema_of(&format!("schema-{nth}"), "1", text);
        all_done(&*store, vec![define_as(event, 1), schema_as(schema, 1)]).await;
    }
    drop(store);
    let h = h.reopen().await;
    let all = all(&*h.store()).await;
    for (nth, text) in texts.into_iter().enumerate() {
        assert_eq!(schemas(&all)[nth].schema.as_str(), text);
        let event = definitions(&all)[nth];
        for schema in [&event.payload_schema, &event.response_schema] {
            assert_eq!(schema.as_ref().map(Data::as_str), Some(text));
        }
    }
}

pub(super) async fn times_from_first_to_last_come_back<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let times = [Timestamp::MIN, Timestamp::from_micros(-1), Timestamp::default(), at(0), Timestamp::MAX];
    for (nth, time) in (0..).zip(times) {
        let id = format!("a{nth}");
        let agent = RegistryWrite { at: time, ..put(&id, 0) };
        let schema = RegistryWrite { at: time, ..schema_as(schema_of(&id, "1", "{}"), 0) };
        all_done(&*store, vec![agent, schema]).await;
    }
    let all = all(&*store).await;
    for (nth, time) in times.into_iter().enumerate() {
        let found = all.agents()[format!("a{nth}").as_str()];
        assert_eq!((found.registered_at, found.heard_at), (time, time));
        assert_eq!(schemas(&all)[nth].created_at, time);
    }
}

pub(super) async fn what_was_not_said_stays_unsaid<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let (mut none, mut empty) = (agent("none"), agent("empty"));
    none.description = String::new();
    none.consumes = vec![];
    empty.kind = Some(AgentKind::Tool);
    empty.version = Some(String::new());
    let said_nothing = Standing { status: AgentStatus::Degraded, reason: Some(String::new()) };
    let writes =
        vec![put_as(none.clone(), Standing::READY, 1), put_as(empty.clone(), said_nothing.clone(), 1)];
    all_done(&*store, writes).await;
    let found = find(&*store, "none").await.unwrap();
    assert_eq!((found.record, found.standing), (none, Standing::READY));
    let found = find(&*store, "empty").await.unwrap();
    assert_eq!((found.record, found.standing), (empty, said_nothing), "an empty reason is one");
}

/// As large as the limits of a record allow, or nearly.
pub(super) async fn large_documents_come_back<H: RegistryStoreHarness>(h: H) {
    let store = h.store();
    let mut large = agent("large");
    large.description = "ü".repeat(4_096);
    large.consumes = (0..1_000).map(|nth| name(&format!("{}-{nth:03}", "x".repeat(200)))).collect();
    large.capabilities = (0..200)
        .map(|nth| Capability {
            name: name(&format!("capability-{nth}")),
            description: "does things ".repeat(100),
            consumes: EventRef { name: name("e"), topic: Some(Topic::ActionRequests) },
            produces: vec![EventRef { name: name("f"), topic: None }; 20],
        })
        .collect();
    let text = format!(r#"{{"enum":["{}"]}}"#, "0123456789".repeat(100_000));
    let writes = vec![
        put_as(large.clone(), Standing::READY, 1),
        put("small", 1),
        schema_as(schema_of("large", "1", &text), 1),
    ];
    all_done(&*store, writes).await;
    let all = all(&*store).await;
    assert_eq!(all.agents()["large"].record, large);
    assert_eq!(schemas(&all)[0].schema.as_str(), text);
}
