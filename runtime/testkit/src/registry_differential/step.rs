//! What may be asked of a store, at random. Few names and few moments, so that they meet.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use soorma_core::{AgentStatus, Topic};
use soorma_ports::{RegistryAct, RegistryWrite, Standing};

use crate::contract::registry_store::steps::{agent, at, definition, schema_of};
use crate::{name, tenant};

#[derive(Debug, Clone)]
pub(super) enum Step {
    /// By one of two handles.
    Write {
        by: usize,
        writes: Vec<RegistryWrite>,
    },
    Forget {
        by: usize,
        seconds: i64,
    },
    /// Who follows all the while goes on, and is kept as one who may come back.
    Follow {
        by: usize,
        limit: usize,
    },
    /// Who follows by small pages goes on by one.
    Page {
        by: usize,
        limit: usize,
    },
    /// One of those who followed up to some time comes back.
    ComeBack {
        by: usize,
        who: usize,
        limit: usize,
    },
    Begin {
        by: usize,
        limit: usize,
    },
    Reopen,
}

fn standing() -> impl Strategy<Value = Standing> {
    let status = prop_oneof![
        1 => Just(AgentStatus::Starting),
        3 => Just(AgentStatus::Ready),
        1 => Just(AgentStatus::Degraded),
        1 => Just(AgentStatus::Draining),
    ];
    (status, option::of("[a' \\\\]{0,2}")).prop_map(|(status, reason)| Standing { status, reason })
}

fn write() -> impl Strategy<Value = RegistryWrite> {
    let id = || prop_oneof![3 => Just("a"), 2 => Just("b"), 1 => Just("it's")].prop_map(str::to_owned);
    let seconds = || 0..30_i64;
    let put = (id(), "[a-c]{0,3}", standing()).prop_map(|(id, description, standing)| {
        let mut agent = agent(&id);
        agent.description = description;
        RegistryAct::PutAgent { agent, standing }
    });
    let hear = (id(), option::of(standing()))
        .prop_map(|(id, standing)| RegistryAct::Hear { agent: name(&id), standing });
    let remove = (id(), option::of(seconds())).prop_map(|(id, unless)| RegistryAct::RemoveAgent {
        agent: name(&id),
        unless_heard_after: unless.map(at),
    });
    let topic = prop_oneof![Just(Topic::BusinessFacts), Just(Topic::TaskEvents)];
    let event = (id(), topic, "[a-c]{0,2}")
        .prop_map(|(id, topic, description)| RegistryAct::PutEvent(definition(&id, topic, &description)));
    let schema = (id(), 0..6_u8, 0..3_u8).prop_map(|(id, version, content)| {
        RegistryAct::PutSchema(schema_of(&id, &version.to_string(), &format!(r#"{{"v":{content}.0}}"#)))
    });
    let act = prop_oneof![6 => put, 6 => hear, 4 => remove, 2 => event, 2 => schema];
    let whose = prop_oneof![3 => Just("acme"), 1 => Just("globex")];
    (whose, seconds(), act).prop_map(|(whose, seconds, what)| RegistryWrite {
        tenant: tenant(whose),
        at: at(seconds),
        what,
    })
}

pub(super) fn step() -> impl Strategy<Value = Step> {
    let by = || 0..2_usize;
    let limit = || prop_oneof![1..4_usize, Just(1_000)];
    prop_oneof![
        12 => (by(), vec(write(), 0..6)).prop_map(|(by, writes)| Step::Write { by, writes }),
        3 => (by(), 0..30_i64).prop_map(|(by, seconds)| Step::Forget { by, seconds }),
        4 => (by(), limit()).prop_map(|(by, limit)| Step::Follow { by, limit }),
        4 => (by(), limit()).prop_map(|(by, limit)| Step::Page { by, limit }),
        4 => (by(), 0..8_usize, limit()).prop_map(|(by, who, limit)| Step::ComeBack { by, who, limit }),
        2 => (by(), limit()).prop_map(|(by, limit)| Step::Begin { by, limit }),
        1 => Just(Step::Reopen),
    ]
}
