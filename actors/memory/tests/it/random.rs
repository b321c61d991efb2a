//! Whatever changes of working memory come together, each is answered as if they had come one after the other.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use proptest::prelude::{Just, ProptestConfig, Strategy, prop, prop_oneof, proptest};
use serde_json::{Value, json};
use soorma_core::{AnyJson, ErrorCode};
use soorma_memory::Config;
use soorma_ports::{SetWhen, Working as _, WorkingOp};
use soorma_testkit::{Fault, MemoryCall};

use super::world::{World, ada};

#[derive(Debug, Clone)]
enum Act {
    Set(Value, bool),
    /// Only if it is still as it was before all that come together.
    SetOn(Value),
    Add(i64),
    Append(Value),
    Extend(Vec<Value>),
    Merge(Value),
    Swap(Option<Value>, Value),
    Remove,
    Clear,
}

fn any_value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(json!(null)),
        (0_i64..4).prop_map(|n| json!(n)),
        Just(json!([])),
        Just(json!([1])),
        Just(json!({"a": 1})),
    ]
}

fn any_act() -> impl Strategy<Value = Act> {
    let maybe = prop::option::of(any_value());
    prop_oneof![
        3 => (any_value(), prop::bool::ANY).prop_map(|(value, absent)| Act::Set(value, absent)),
        2 => any_value().prop_map(Act::SetOn),
        3 => (-2_i64..3).prop_map(Act::Add),
        2 => any_value().prop_map(Act::Append),
        1 => prop::collection::vec(any_value(), 0..3).prop_map(Act::Extend),
        2 => prop_oneof![Just(json!({"a": null})), Just(json!({"b": [2]}))].prop_map(Act::Merge),
        2 => (maybe, any_value()).prop_map(|(expected, value)| Act::Swap(expected, value)),
        2 => Just(Act::Remove),
        1 => Just(Act::Clear),
    ]
}

fn text(value: &Value) -> AnyJson {
    AnyJson::from_value(value).expect("JSON")
}

/// What there is, and of which keys it is still as it was before.
#[derive(Debug, Clone, Default)]
struct Model {
    values: BTreeMap<String, Value>,
    untouched: BTreeMap<String, u64>,
}

type Told = Result<Option<Value>, ErrorCode>;

impl Model {
    fn put(&mut self, key: &str, value: Value) -> Told {
        self.values.insert(key.into(), value.clone());
        self.untouched.remove(key);
        Ok(Some(value))
    }

    /// Does as it should be done; returns the value, or how many were removed.
    fn act(&mut self, key: &str, act: &Act) -> Told {
        let there = self.values.get(key).cloned();
        match (act, there) {
            (Act::Set(_, true), Some(_)) => Err(ErrorCode::Conflict),
            (Act::Set(value, _), _) => self.put(key, value.clone()),
            (Act::SetOn(value), _) if self.untouched.contains_key(key) => self.put(key, value.clone()),
            (Act::SetOn(_), _) => Err(ErrorCode::Conflict),
            (Act::Add(by), there) => match there.unwrap_or(json!(0)).as_i64() {
                Some(there) => self.put(key, json!(there + by)),
                None => Err(ErrorCode::Conflict),
            },
            (Act::Append(value), there) => self.join(key, there, std::slice::from_ref(value)),
            (Act::Extend(values), there) => self.join(key, there, values),
            (Act::Merge(fields), there) => match there.unwrap_or(json!({})) {
                Value::Object(mut object) => {
                    for (name, value) in fields.as_object().expect("an object") {
                        match value.is_null() {
                            true => drop(object.remove(name)),
                            false => drop(object.insert(name.clone(), value.clone())),
                        }
                    }
                    self.put(key, Value::Object(object))
                }
                _ => Err(ErrorCode::Conflict),
            },
            (Act::Swap(Some(_), _), None) => Err(ErrorCode::NotFound),
            (Act::Swap(expected, value), there) if *expected == there => self.put(key, value.clone()),
            (Act::Swap(..), _) => Err(ErrorCode::Conflict),
            (Act::Remove, _) => {
                self.untouched.remove(key);
                Ok(Some(json!(u64::from(self.values.remove(key).is_some()))))
            }
            (Act::Clear, _) => {
                self.untouched.clear();
                Ok(Some(json!(std::mem::take(&mut self.values).len())))
            }
        }
    }

    fn join(&mut self, key: &str, there: Option<Value>, more: &[Value]) -> Told {
        match there.unwrap_or(json!([])) {
            Value::Array(mut list) => {
                list.extend(more.iter().cloned());
                self.put(key, Value::Array(list))
            }
            _ => Err(ErrorCode::Conflict),
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn changes_that_come_together_are_answered_as_if_they_came_one_after_the_other(
        rounds in prop::collection::vec(prop::collection::vec((0_usize..3, any_act()), 1..12), 1..8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build();
        runtime.expect("a runtime").block_on(async {
            let world = World::new();
            let node = world.node(1, Config { writers: 1, ..Config::default() }).await;
            let (memory, who) = (&node.memory, ada());
            let mut model = Model::default();
            for round in &rounds {
                // One that is held in the store, so that all of the round wait behind it.
                world.store.on(MemoryCall::Write, Fault::Delay(Duration::from_millis(1)));
                let held = memory.set_value(&who, "p", "held", text(&json!(0)), SetWhen::Any, None);
                let revisions = model.untouched.clone();
                let asked = round.iter().map(async |(key, act)| {
                    tokio::task::yield_now().await;
                    let key = format!("k{key}");
                    let value = match act {
                        Act::Set(value, absent) => {
                            let when = if *absent { SetWhen::Absent } else { SetWhen::Any };
                            memory.set_value(&who, "p", &key, text(value), when, None).await
                        }
                        Act::SetOn(value) => {
                            let when = SetWhen::Revision(revisions.get(&key).copied().unwrap_or(u64::MAX >> 1));
                            memory.set_value(&who, "p", &key, text(value), when, None).await
                        }
                        Act::Add(by) => memory.update_value(&who, "p", &key, WorkingOp::Increment(text(&json!(by)))).await,
                        Act::Append(value) => memory.update_value(&who, "p", &key, WorkingOp::Append(text(value))).await,
                        Act::Extend(values) => memory.update_value(&who, "p", &key, WorkingOp::Extend(text(&json!(values)))).await,
                        Act::Merge(fields) => memory.update_value(&who, "p", &key, WorkingOp::Merge(text(fields))).await,
                        Act::Swap(expected, value) => {
                            let op = WorkingOp::CompareAndSet {
                                expected: expected.as_ref().map(text),
                                value: text(value),
                            };
                            memory.update_value(&who, "p", &key, op).await
                        }
                        Act::Remove => {
                            let removed = memory.remove_value(&who, "p", &key).await.expect("answered");
                            return Ok(Some(json!(u64::from(removed))));
                        }
                        Act::Clear => {
                            let count = memory.clear_plan(&who, "p").await.expect("answered");
                            return Ok(Some(json!(count)));
                        }
                    };
                    value.map(|value| Some(value.value.parse().expect("JSON"))).map_err(|error| error.code)
                });
                let (held, told) = tokio::join!(held, join_all(asked));
                held.expect("set");
                model.values.insert("held".into(), json!(0));
                for ((key, act), told) in round.iter().zip(told) {
                    let told: Told = told;
                    assert_eq!(told, model.act(&format!("k{key}"), act), "{act:?} of {round:?}");
                }
                // What is there, and on which revision it can be set.
                let keys = memory.keys(&who, "p", "", None, 100).await.expect("keys");
                let mut there = BTreeMap::new();
                model.untouched.clear();
                for key in keys {
                    let value = memory.value(&who, "p", &key.key).await.expect("read").expect("there");
                    model.untouched.insert(key.key.clone(), key.revision);
                    there.insert(key.key, value.value.parse::<Value>().expect("JSON"));
                }
                assert_eq!(there, model.values, "{round:?}");
            }
        });
    }
}
