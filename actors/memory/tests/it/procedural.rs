//! How something is done: versions, and what is found by its trigger.

use soorma_core::ErrorCode;
use soorma_ports::{NewSkill, Procedural as _, Recall, SkillQuery};
use uuid::Uuid;

use super::world::{ada, plain, rule, scope, scripted};

#[tokio::test(start_paused = true)]
async fn of_a_name_an_agent_has_one_skill_and_each_store_is_its_next_version() {
    let (_world, node) = plain().await;
    let memory = &node.memory;
    let (first, made) = memory.store_skill(&ada(), rule("a", Some("n"), "t", "1")).await.expect("stored");
    assert!(made && first.version == Some(1));
    let (second, made) = memory.store_skill(&ada(), rule("a", Some("n"), "t", "2")).await.expect("stored");
    assert!(!made);
    assert_eq!((second.id, second.version, second.content.as_str()), (first.id, Some(2), "2"));
    let (other, made) = memory.store_skill(&ada(), rule("b", Some("n"), "t", "1")).await.expect("stored");
    assert!(made && other.id != first.id);
    let (unnamed, _) = memory.store_skill(&ada(), rule("a", None, "t", "1")).await.expect("stored");
    let (again, made) = memory.store_skill(&ada(), rule("a", None, "t", "1")).await.expect("stored");
    assert!(made && again.id != unnamed.id, "without a name each is its own");
}

#[tokio::test(start_paused = true)]
async fn a_skill_is_replaced_in_its_place_and_keeps_its_agent_and_name() {
    let (_world, node) = plain().await;
    let memory = &node.memory;
    for name in [Some("n"), None] {
        let (stored, _) = memory.store_skill(&ada(), rule("a", name, "t", "1")).await.expect("stored");
        let new = NewSkill { procedure_type: "skill".into(), ..rule("a", None, "u", "2") };
        let replaced = memory.replace_skill(&ada(), stored.id, new).await.expect("answered").expect("there");
        assert_eq!((replaced.id, replaced.version), (stored.id, Some(2)));
        assert_eq!((replaced.name.as_deref(), replaced.procedure_type.as_str()), (name, "skill"));
        assert_eq!(replaced.trigger_condition.as_deref(), Some("u"));
        let read = memory.skill(&ada(), stored.id).await.expect("read").expect("there");
        assert_eq!((read.content.as_str(), read.created_at), ("2", stored.created_at));
        for new in [rule("b", name, "t", "3"), rule("a", Some("other"), "t", "3")] {
            let refused = memory.replace_skill(&ada(), stored.id, new).await.expect_err("refused");
            assert_eq!(refused.code, ErrorCode::Invalid, "{refused}");
        }
        let bob = scope("one", "st", "bob");
        let nothing =
            memory.replace_skill(&bob, stored.id, rule("a", None, "t", "3")).await.expect("answered");
        assert!(nothing.is_none());
        assert!(!memory.remove_skill(&bob, stored.id).await.expect("answered"));
        assert!(memory.remove_skill(&ada(), stored.id).await.expect("removed"));
        assert!(memory.skill(&ada(), stored.id).await.expect("read").is_none());
    }
    let nothing = memory.replace_skill(&ada(), Uuid::nil(), rule("a", None, "t", "3")).await;
    assert!(nothing.expect("answered").is_none());
}

#[tokio::test(start_paused = true)]
async fn skills_are_listed_by_agent_and_sort_and_found_by_their_trigger() {
    let (_world, node, embedder) = scripted().await;
    let memory = &node.memory;
    for (text, vector) in [("late", [1.0, 0.0]), ("delayed", [0.6, 0.8]), ("happy", [0.0, 1.0])] {
        embedder.say(text, &vector);
    }
    for (agent, trigger) in [("a", "happy"), ("a", "delayed"), ("b", "delayed")] {
        memory.store_skill(&ada(), rule(agent, None, trigger, trigger)).await.expect("stored");
    }
    let prompt =
        NewSkill { procedure_type: "system_prompt".into(), trigger: None, ..rule("a", None, "", "p") };
    memory.store_skill(&ada(), prompt).await.expect("stored");
    let count = async |agent: Option<&str>, sort: Option<&str>| {
        let query = SkillQuery {
            agent: agent.map(str::to_owned),
            procedure_type: sort.map(str::to_owned),
            after: None,
            limit: 10,
        };
        memory.skills(&ada(), &query).await.expect("listed").items.len()
    };
    assert_eq!((count(None, None).await, count(Some("a"), None).await), (4, 3));
    assert_eq!((count(Some("a"), Some("rule")).await, count(None, Some("none")).await), (2, 0));
    let found = memory.relevant_skills(&ada(), "a", &Recall::new("late", 3)).await.expect("found");
    let contents: Vec<_> = found.items.iter().map(|one| (one.content.as_str(), one.score)).collect();
    assert_eq!(contents, [("delayed", Some(0.6)), ("happy", Some(0.0)), ("p", None)]);
}
