//! Who is let in, and what becomes of a connection that is lost.

use std::sync::Arc;
use std::time::Duration;

use soorma_core::{Position, Topic};
use soorma_nats::{Credentials, NatsLog, NatsLogConfig};
use soorma_ports::{EventLog, EventLogError, Reach};
use soorma_testkit::servers::NatsServer;
use soorma_testkit::{TestClock, event, tenant};

use super::world::{config, prefix, workers};

const TOPIC: Topic = Topic::PlanEvents;

fn of(server: &NatsServer, credentials: Credentials) -> NatsLogConfig {
    NatsLogConfig {
        servers: vec![server.url().to_owned()],
        prefix: prefix(),
        credentials,
        answer_within: Duration::from_secs(10),
        ..NatsLogConfig::default()
    }
}

async fn open(config: &NatsLogConfig) -> Result<Arc<NatsLog>, EventLogError> {
    NatsLog::open(config, Arc::new(TestClock::new())).await
}

fn user(password: &str) -> Credentials {
    Credentials::User { name: "soorma".into(), password: password.into() }
}

#[tokio::test]
async fn a_user_with_the_right_password_is_let_in_and_others_are_told_why_not() {
    let server = NatsServer::start(&["--user", "soorma", "--pass", "right"]);
    let log = open(&of(&server, user("right"))).await.unwrap();
    assert_eq!(log.check().await, Ok(()));
    for credentials in [user("wrong-secret"), Credentials::None, Credentials::Token("wrong-secret".into())] {
        let error = open(&of(&server, credentials)).await.unwrap_err();
        assert!(matches!(error, EventLogError::Invalid(_)), "{error}");
        let said = error.to_string();
        assert!(said.contains("refuses the credentials") && said.contains("127.0.0.1"), "{said}");
        assert!(!said.contains("wrong-secret"), "{said}");
    }
}

#[tokio::test]
async fn a_token_is_let_in() {
    let server = NatsServer::start(&["--auth", "s3cret"]);
    assert_eq!(open(&of(&server, Credentials::Token("s3cret".into()))).await.unwrap().check().await, Ok(()));
}

#[tokio::test]
async fn a_password_in_a_url_is_not_repeated() {
    let server = NatsServer::start(&["--user", "soorma", "--pass", "right"]);
    let servers = vec![server.url().replace("nats://", "nats://soorma:wrong-secret@")];
    let error = open(&NatsLogConfig { servers, ..of(&server, Credentials::None) }).await.unwrap_err();
    assert!(
        error.to_string().contains("127.0.0.1") && !error.to_string().contains("wrong-secret"),
        "{error}"
    );
}

#[tokio::test]
async fn who_the_url_names_is_let_in() {
    let server = NatsServer::start(&["--user", "soorma", "--pass", "ri@gh%t"]);
    let named = |user: &str| server.url().replace("nats://", &format!("nats://{user}@"));
    let servers = vec![named("soorma:ri%40gh%25t")];
    let config = NatsLogConfig { servers, ..of(&server, Credentials::None) };
    assert_eq!(open(&config).await.unwrap().check().await, Ok(()));
    // What is given beside it counts more.
    let servers = vec![named("soorma:wrong")];
    let config = NatsLogConfig { servers, ..of(&server, user("ri@gh%t")) };
    assert_eq!(open(&config).await.unwrap().check().await, Ok(()));
    let server = NatsServer::start(&["--auth", "s3cret"]);
    let servers = vec![server.url().replace("nats://", "nats://s3cret@")];
    let config = NatsLogConfig { servers, ..of(&server, Credentials::None) };
    assert_eq!(open(&config).await.unwrap().check().await, Ok(()));
}

#[tokio::test]
async fn a_password_in_what_is_no_url_is_not_repeated() {
    for servers in [
        vec!["nats://ada:hunter2@somewhere:99999"],
        vec!["ada:hunter2@somewhere:99999"],
        vec!["http://ada:hunter2@somewhere"],
        vec!["nats://ada:hunter2%zz@somewhere"],
        vec!["nats://ada:hunter2@somewhere", "nats://hunter2@elsewhere"],
    ] {
        let servers: Vec<_> = servers.into_iter().map(str::to_owned).collect();
        let error = open(&NatsLogConfig { servers, ..config() }).await.unwrap_err();
        let said = error.to_string();
        assert!(matches!(error, EventLogError::Invalid(_)) && !said.contains("hunter2"), "{said}");
        assert!(said.contains("somewhere"), "{said}");
    }
}

#[tokio::test]
async fn a_credentials_file_that_is_not_there_is_named() {
    let credentials = Credentials::File("/nowhere/soorma.creds".into());
    let error = open(&NatsLogConfig { credentials, ..config() }).await.unwrap_err();
    assert!(
        matches!(&error, EventLogError::Invalid(said) if said.contains("/nowhere/soorma.creds")),
        "{error}"
    );
}

#[tokio::test]
async fn where_nobody_listens_it_is_unavailable() {
    let mut server = NatsServer::start(&[]);
    server.kill();
    let error = open(&of(&server, Credentials::None)).await.unwrap_err();
    let port = server.url().rsplit(':').next().unwrap();
    assert!(matches!(&error, EventLogError::Unavailable(said) if said.contains(port)), "{error}");
}

#[tokio::test]
async fn what_is_no_url_or_no_prefix_is_invalid() {
    for servers in [vec![], vec!["nats://:x".to_owned()]] {
        let error = open(&NatsLogConfig { servers, ..config() }).await.unwrap_err();
        assert!(matches!(error, EventLogError::Invalid(_)), "{error}");
    }
    let error = open(&NatsLogConfig { prefix: "a.b".into(), ..config() }).await.unwrap_err();
    assert!(matches!(&error, EventLogError::Invalid(said) if said.contains("'a.b'")), "{error}");
}

#[tokio::test]
async fn while_the_server_is_away_all_is_unavailable_and_then_it_goes_on() {
    let mut server = NatsServer::start(&[]);
    let hasty = NatsLogConfig { answer_within: Duration::from_secs(1), ..of(&server, Credentials::None) };
    let log = open(&hasty).await.unwrap();
    let acme = tenant("acme");
    let member = log.consumer(workers(TOPIC)).await.unwrap();
    let mut follower = log.follow(TOPIC, Position(0)).await.unwrap();
    log.append(&acme, vec![Arc::new(event("a", TOPIC))]).await.unwrap();
    assert_eq!(follower.next().await.unwrap()[0].event.id.as_str(), "a");
    assert_eq!(member.next(1, Duration::ZERO).await.unwrap()[0].event.id.as_str(), "a");

    server.kill();
    let away = |answer: EventLogError| assert!(matches!(answer, EventLogError::Unavailable(_)), "{answer}");
    away(log.append(&acme, vec![Arc::new(event("b", TOPIC))]).await.unwrap_err());
    away(log.check().await.unwrap_err());
    away(log.read(&Reach::Platform, TOPIC, Position(0), 1).await.unwrap_err());
    away(member.next(1, Duration::ZERO).await.unwrap_err());

    server.restart();
    // Who waits hears of what others append meanwhile, through the connection that was lost.
    while log.check().await.is_err() {}
    let again = NatsLogConfig { prefix: hasty.prefix.clone(), ..of(&server, Credentials::None) };
    let other = open(&again).await.unwrap();
    // "b" may have arrived late, under the same id.
    other.append(&acme, vec![Arc::new(event("b", TOPIC))]).await.unwrap();
    let followed = follower.next().await.unwrap();
    assert_eq!(followed[0].event.id.as_str(), "b");
    let mut handed = Vec::new();
    while handed.is_empty() {
        handed = member.next(1, Duration::from_secs(30)).await.unwrap_or_default();
    }
    assert_eq!((handed[0].event.id.as_str(), handed[0].id.attempt), ("b", 1));
}
