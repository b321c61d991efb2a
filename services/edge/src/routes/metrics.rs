//! How much there is of what, for Prometheus. Whole it is the operator's, and names all tenants and their groups; a tenant's token shows
//! what is of that tenant, and no sum that others are part of.

use axum::Extension;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse as _, Response};
use soorma_core::{Scope, TenantId};
use soorma_ports::{GroupStatus, Reach};

use crate::access::Pass;
use crate::app::{App, Shared};
use crate::exposition::{Exposition, MEDIA_TYPE};
use crate::reply::Refusal;
use crate::streams::Kind;

/// How many groups are shown, so that a scrape stays small.
const MAX_GROUPS: usize = 1_000;

pub(crate) async fn show(
    State(app): State<Shared>,
    Extension(scope): Extension<Scope>,
    Extension(pass): Extension<Pass>,
) -> Result<Response, Refusal> {
    let of = if pass.whole { None } else { Some(&scope.tenant) };
    let reach = of.map_or(Reach::Platform, |tenant| Reach::Tenant(tenant.clone()));
    let up = app.check().await.is_ok();
    // While the log is away, the rest is shown all the same.
    let groups = match up {
        true => app.bus().groups(&reach, None, MAX_GROUPS + 1).await.unwrap_or_default(),
        false => Vec::new(),
    };
    let mut text = Exposition::default();
    text.family("soorma_log_up", "Whether the event log takes events.", "gauge");
    text.sample(&[], u8::from(up));
    streams(&app, of, &mut text);
    if of.is_none() {
        edge(&app, &mut text);
        registry(&app, &mut text).await;
        memory(&app, &mut text).await;
    }
    of_groups(&app, &groups, &mut text);
    Ok(([(header::CONTENT_TYPE, MEDIA_TYPE)], text.into_text()).into_response())
}

fn streams(app: &App, of: Option<&TenantId>, text: &mut Exposition) {
    text.family("soorma_streams_open", "Streams that are open.", "gauge");
    for kind in Kind::ALL {
        text.sample(&[("kind", kind.as_str())], app.streams.count_of(kind, of));
    }
}

fn edge(app: &App, text: &mut Exposition) {
    let counters = &app.counters;
    for (name, says, counter) in [
        ("soorma_events_published_total", "Events that were appended.", &counters.published),
        ("soorma_events_duplicate_total", "Events that were there before.", &counters.duplicates),
        ("soorma_publishes_refused_total", "Requests to publish that were refused.", &counters.refused),
        ("soorma_streams_slow_total", "Streams that were ended since nobody read them.", &counters.slow),
    ] {
        text.family(name, says, "counter");
        text.sample(&[], counter.get());
    }
    text.family(
        "soorma_deliveries_settled_total",
        "Deliveries that were settled by their ids; stale are those that did not count any more.",
        "counter",
    );
    for (how, counter) in [
        ("ack", &counters.acked),
        ("nack", &counters.nacked),
        ("extend", &counters.extended),
        ("stale", &counters.stale),
    ] {
        text.sample(&[("how", how)], counter.get());
    }
}

async fn registry(app: &App, text: &mut Exposition) {
    let up = app.check_directory().await.is_ok();
    let tally = app.directory().tally();
    text.family("soorma_registry_up", "Whether the registry can be read and written.", "gauge");
    text.sample(&[], u8::from(up));
    text.family(
        "soorma_registry_agents",
        "Agents that are registered, with those that are not heard any more.",
        "gauge",
    );
    text.sample(&[], tally.agents);
    text.family(
        "soorma_registry_payload_faults_total",
        "Published events whose payload did not fit its schema.",
        "counter",
    );
    text.sample(&[], tally.payload_faults);
    text.family(
        "soorma_registry_payloads_unchecked_total",
        "Published events that were not held against their schema, which was not ready in time.",
        "counter",
    );
    text.sample(&[], tally.payloads_unchecked);
}

async fn memory(app: &App, text: &mut Exposition) {
    let up = app.check_memory().await.is_ok();
    let tally = app.memory().tally();
    text.family("soorma_memory_up", "Whether memory can be read and written.", "gauge");
    text.sample(&[], u8::from(up));
    text.family(
        "soorma_memory_embedder_away",
        "Whether the embedder gave no answer when last asked.",
        "gauge",
    );
    text.sample(&[], u8::from(tally.embedder_away));
    for (name, says, count) in [
        ("soorma_memory_embedded_total", "Texts that were turned into vectors.", tally.embedded),
        (
            "soorma_memory_deferred_total",
            "Texts that were stored without a vector, since none could be had in time.",
            tally.deferred,
        ),
        (
            "soorma_memory_searches_without_meaning_total",
            "Searches that went without the meaning, since it could not be had in time.",
            tally.without_meaning,
        ),
        (
            "soorma_memory_expired_total",
            "Entries that were removed since their time was over.",
            tally.expired,
        ),
    ] {
        text.family(name, says, "counter");
        text.sample(&[], count);
    }
}

fn of_groups(app: &App, groups: &[GroupStatus], text: &mut Exposition) {
    let now = app.edge.clock.now();
    text.family("soorma_groups_left_out", "Whether there are more groups than are shown.", "gauge");
    text.sample(&[], u8::from(groups.len() > MAX_GROUPS));
    let seconds = |group: &GroupStatus| group.oldest.map_or(0.0, |oldest| now.since(oldest).as_secs_f64());
    type Of<'a> = &'a dyn Fn(&GroupStatus) -> String;
    let families: [(&'static str, &str, Of<'_>); 6] = [
        ("soorma_group_behind", "Events that the group has not settled.", &|group| {
            group.behind().to_string()
        }),
        (
            "soorma_group_oldest_seconds",
            "How old the oldest event is that the group has not settled.",
            &|group| seconds(group).to_string(),
        ),
        ("soorma_group_in_hand", "Events that members have in hand.", &|group| group.in_hand.to_string()),
        (
            "soorma_group_waiting",
            "Events that wait to be tried again, or for another of their key.",
            &|group| group.waiting.to_string(),
        ),
        ("soorma_group_dead_letters", "Events that the group gave up.", &|group| {
            group.dead_letters.to_string()
        }),
        ("soorma_group_paused", "Whether the group hands out nothing.", &|group| {
            u8::from(group.paused).to_string()
        }),
    ];
    for (name, says, value) in families {
        text.family(name, says, "gauge");
        for group in groups.iter().take(MAX_GROUPS) {
            text.sample(&[("tenant", group.tenant.as_str()), ("group", group.group.as_str())], value(group));
        }
    }
}
