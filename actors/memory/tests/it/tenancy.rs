//! Nothing of one tenant is another's, and nothing private of one owner another owner's: a model of who may see what, beside random requests.

use std::collections::BTreeMap;

use soorma_core::{MemoryScope, Role};
use soorma_ports::{
    EpisodeQuery, Episodic as _, Erased, ListQuery, NewFact, Procedural as _, Recall, Semantic as _, SetWhen,
    SkillQuery, Upkeep as _, Working as _,
};
use soorma_testkit::{SeededEntropy, tenant};

use super::world::{json, knowledge, rule, said, scope, scripted};

fn everybody() -> Vec<MemoryScope> {
    let mut all = Vec::new();
    for of in ["one", "two"] {
        for service_tenant in ["s", "t"] {
            for user in ["ada", "bob"] {
                all.push(scope(of, service_tenant, user));
            }
        }
    }
    all
}

/// A content that says whose it is.
fn content(scope: &MemoryScope, public: bool, n: u64) -> String {
    let owner = &scope.owner;
    format!("{} {} {} {public} {n}", scope.tenant, owner.service_tenant(), owner.user())
}

#[tokio::test(start_paused = true)]
async fn each_sees_what_is_his_own_and_what_is_public_in_his_tenant() {
    for seed in 0..6 {
        let (_world, node, _embedder) = scripted().await;
        let memory = &node.memory;
        let random = SeededEntropy::new(seed);
        let all = everybody();
        // What there is, by content, and who put it.
        let mut facts: BTreeMap<String, (MemoryScope, bool, uuid::Uuid)> = BTreeMap::new();
        for n in 0..60 {
            let who = &all[usize::try_from(random.below(8)).expect("small")];
            let public = random.below(2) == 0;
            let text = content(who, public, n);
            let new = NewFact { public, ..knowledge(&text) };
            let id = memory.store_fact(who, new).await.expect("stored").0.id;
            facts.insert(text.clone(), (who.clone(), public, id));
            memory.log_episode(who, said("a", Role::User, &text)).await.expect("logged");
            memory.store_skill(who, rule("a", None, &text, &text)).await.expect("stored");
            memory
                .set_value(who, "p", &n.to_string(), json(&format!("{text:?}")), SetWhen::Any, None)
                .await
                .expect("set");
        }
        for who in &all {
            let own: Vec<_> =
                facts.iter().filter(|(_, (by, ..))| by == who).map(|(text, _)| text.clone()).collect();
            let visible: Vec<_> = facts
                .iter()
                .filter(|(_, (by, public, _))| by == who || (*public && by.tenant == who.tenant))
                .map(|(text, _)| text.clone())
                .collect();
            let sorted = |mut texts: Vec<String>| {
                texts.sort_unstable();
                texts
            };
            let recall = Recall::new("one two ada bob", 1_000);
            let found = memory.search_facts(who, &recall).await.expect("found");
            assert_eq!(sorted(found.items.into_iter().map(|fact| fact.content).collect()), visible);
            let list = ListQuery { limit: 1_000, ..ListQuery::default() };
            let listed = memory.facts(who, &list).await.expect("listed");
            assert_eq!(sorted(listed.items.into_iter().map(|fact| fact.content).collect()), visible);
            for (text, (by, _, id)) in &facts {
                let read = memory.fact(who, *id).await.expect("read");
                assert_eq!(read.is_some(), visible.contains(text), "{text} for {who:?}");
                let removed = memory.remove_fact(who, *id).await.expect("answered");
                assert_eq!(removed, by == who, "{text} by {who:?}");
                if removed {
                    let new = NewFact { public: text.contains("true"), ..knowledge(text) };
                    memory.store_fact(who, new).await.expect("stored again");
                }
            }
            let query = EpisodeQuery { limit: 1_000, ..EpisodeQuery::default() };
            let episodes = memory.episodes(who, &query).await.expect("listed").items;
            assert_eq!(sorted(episodes.into_iter().map(|one| one.content).collect()), own);
            let found = memory.search_episodes(who, None, &recall).await.expect("found").items;
            assert_eq!(sorted(found.into_iter().map(|one| one.content).collect()), own);
            let query = SkillQuery { limit: 1_000, ..SkillQuery::default() };
            let skills = memory.skills(who, &query).await.expect("listed").items;
            assert_eq!(sorted(skills.into_iter().map(|one| one.content).collect()), own);
            let found = memory.relevant_skills(who, "a", &recall).await.expect("found").items;
            assert_eq!(sorted(found.into_iter().map(|one| one.content).collect()), own);
            assert_eq!(memory.keys(who, "p", "", None, 1_000).await.expect("keys").len(), own.len());
            // What was removed and stored anew has another id.
            for (text, (by, public, id)) in &mut facts {
                if by == who {
                    let new = NewFact { public: *public, ..knowledge(text) };
                    *id = memory.store_fact(who, new).await.expect("stored").0.id;
                }
            }
        }
        // What one tenant has is counted for itself, and erased for itself.
        let whole = async |of: &str| {
            let stats = memory.stats(&tenant(of), None).await.expect("stats");
            stats.kinds.iter().map(|line| line.entries).sum::<u64>()
        };
        let of_two = whole("two").await;
        let receipt = memory.erase(&tenant("one"), &Erased::Tenant).await.expect("erased");
        assert!(receipt.entries > 0 && receipt.entries + of_two == 4 * 60);
        assert_eq!((whole("one").await, whole("two").await), (0, of_two));
    }
}
