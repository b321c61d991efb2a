//! Connections that are encrypted.

use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use soorma_nats::{NatsLog, NatsLogConfig};
use soorma_ports::{EventLog as _, EventLogError};
use soorma_testkit::TestClock;
use soorma_testkit::servers::NatsServer;
use tempfile::TempDir;

use super::world::config;

/// An authority of our own, and a server with a certificate of it.
struct World {
    server: NatsServer,
    folder: TempDir,
}

fn authority() -> CertifiedIssuer<'static, KeyPair> {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A server that calls itself by this name.
fn server(name: &str) -> World {
    let folder = TempDir::new().unwrap();
    let put = |file: &str, text: String| std::fs::write(folder.path().join(file), text).unwrap();
    let authority = authority();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    put("root.pem", authority.pem());
    put("other-root.pem", self::authority().pem());
    put("server.pem", certificate.pem());
    put("key.pem", key.serialize_pem());
    let path = |file: &str| folder.path().join(file).display().to_string();
    let text = format!("tls {{ cert_file: {:?}, key_file: {:?} }}", path("server.pem"), path("key.pem"));
    World { server: NatsServer::configured(&text), folder }
}

async fn open(world: &World, root: Option<&str>) -> Result<Arc<NatsLog>, EventLogError> {
    let port = world.server.url().rsplit(':').next().unwrap();
    let config = NatsLogConfig {
        servers: vec![format!("nats://127.0.0.1:{port}")],
        tls_root: root.map(|file| world.folder.path().join(file)),
        tls_required: true,
        ..config()
    };
    NatsLog::open(&config, Arc::new(TestClock::new())).await
}

fn refused(answer: Result<Arc<NatsLog>, EventLogError>) -> String {
    match answer.unwrap_err() {
        EventLogError::Invalid(said) => said,
        other => panic!("it would not help to wait: {other}"),
    }
}

#[tokio::test]
async fn a_server_with_a_certificate_of_a_root_that_is_named_is_reached() {
    let world = server("127.0.0.1");
    let log = open(&world, Some("root.pem")).await.unwrap();
    assert_eq!(log.check().await, Ok(()));
}

#[tokio::test]
async fn without_that_root_or_under_another_name_it_is_refused() {
    let world = server("127.0.0.1");
    for root in [None, Some("other-root.pem")] {
        let said = refused(open(&world, root).await);
        assert!(said.contains("TLS") && said.contains("127.0.0.1"), "{said}");
    }
    let said = refused(open(&server("nats.example.com"), Some("root.pem")).await);
    assert!(said.contains("TLS") && said.contains("nats.example.com"), "{said}");
}

#[tokio::test]
async fn a_root_that_is_not_there_is_refused() {
    let world = server("127.0.0.1");
    let said = refused(open(&world, Some("nowhere.pem")).await);
    assert!(said.contains("TLS"), "{said}");
}

#[tokio::test]
async fn where_tls_is_required_a_server_without_it_is_not_spoken_to() {
    let plain = World { server: NatsServer::start(&[]), folder: TempDir::new().unwrap() };
    std::fs::write(plain.folder.path().join("root.pem"), authority().pem()).unwrap();
    let said = refused(open(&plain, Some("root.pem")).await);
    assert!(said.contains("TLS"), "{said}");
}
