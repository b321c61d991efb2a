//! Who is asking: what `serve` needs to know it, and how a command says it.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use soorma_testkit::token_of;

use super::place::{Dev, Place, Running, SECRET_OF_TESTS, event};

/// A platform that asks for tokens, in a folder.
fn serve(place: &Place, args: &[&str]) -> Dev {
    let all = [&["serve", "--json", "--data", "data", "--listen", "127.0.0.1:0"], args].concat();
    let mut command = place.command(&all);
    command.env(SECRET_OF_TESTS.0, SECRET_OF_TESTS.1);
    Dev::started(Running::start(command)).unwrap_or_else(|done| panic!("{done:?}"))
}

#[test]
fn without_anything_to_verify_tokens_with_serve_does_not_start_and_says_what_to_give() {
    let place = Place::new();
    let said = place.run(&["serve", "--data", "data", "--listen", "127.0.0.1:0"]).failed(2);
    for words in ["auth.jwt_secret", "SOORMA__AUTH__JWT_SECRET", "auth.jwks", "auth.tokens = \"optional\""] {
        assert!(said.contains(words), "{words}: {said}");
    }
    let short = ["serve", "--data", "data", "--listen", "127.0.0.1:0", "--set", "auth.jwt_secret=hunter2"];
    let said = place.run(&short).failed(2);
    assert!(said.contains("at least 32") && !said.contains("hunter2"), "{said}");
    let open = ["serve", "--data", "data", "--listen", "0.0.0.0:0", "--set", "auth.tokens=optional"];
    let said = place.run(&open).failed(7);
    assert!(
        said.contains("0.0.0.0:0 is not loopback") && said.contains("auth.tokens = \"required\""),
        "{said}"
    );
    assert!(!place.path().join("data").exists(), "nothing was begun");
}

#[test]
fn serve_told_so_asks_nobody_on_this_machine_and_dev_told_so_asks_everybody() {
    let place = Place::new();
    let args = ["serve", "--json", "--data", "a", "--listen", "127.0.0.1:0", "--set", "auth.tokens=optional"];
    let open = Dev::started(Running::start(place.command(&args))).unwrap_or_else(|done| panic!("{done:?}"));
    assert_eq!(open.publish(&event("e")).status, 200);
    let secret = format!("auth.jwt_secret={}", SECRET_OF_TESTS.1);
    let strict = place.dev(&["--set", "auth.tokens=required", "--set", &secret]);
    assert_eq!(strict.publish(&event("e")).status, 401);
    assert_eq!(strict.with_token(token_of("one", "ann")).publish(&event("e")).status, 200);
}

#[test]
fn a_command_without_a_token_says_how_to_give_one_and_with_one_sees_its_tenant() {
    let place = Place::new();
    let dev = serve(&place, &[]);
    let list = ["events", "groups", "--url", &dev.url];
    let said = place.run(&list).failed(5);
    assert!(said.contains("Missing bearer token") && said.contains("--token or SOORMA_TOKEN"), "{said}");
    let with = |token: &str, args: &[&str]| {
        let mut command = place.command(&[args, &["--url", &dev.url]].concat());
        command.env("SOORMA_TOKEN", token);
        Running::start(command).done()
    };
    let said = with("abc.def.ghi", &["events", "groups"]).failed(5);
    assert!(
        said.contains("Invalid JWT") && said.contains("it may be over") && !said.contains("abc.def"),
        "{said}"
    );
    let said = with("two words", &["events", "groups"]).failed(2);
    assert!(said.contains("the token is none") && !said.contains("two words"), "{said}");
    let (ann, bob) = (token_of("one", "ann"), token_of("two", "bob"));
    let publish = ["events", "publish", "greeted", "--topic", "business-facts", "--data", "{}"];
    for (token, tenant, user) in [(&ann, "one", "ann"), (&bob, "two", "bob")] {
        with(token, &publish).ok();
        let own = with(token, &["events", "replay", "--json"]).json();
        let owner =
            ["platform_tenant_id", "tenant_id", "user_id"].map(|key| own["event"][key].as_str().unwrap());
        assert_eq!(owner, [tenant, tenant, user]);
    }
    // The tenant is the token's: another one is not passed over.
    let said = with(&ann, &["events", "groups", "--tenant", "two"]).failed(2);
    assert!(said.contains("--tenant two does not go with a token") && !said.contains(&ann), "{said}");
    let mut command = place.command(&["events", "groups", "--json", "--url", &dev.url]);
    command.env("SOORMA_TOKEN", &ann).env("SOORMA_TENANT", "two");
    Running::start(command).done().ok();
    let help = Running::start({
        let mut command = place.command(&["tree", "--help"]);
        command.env("SOORMA_TOKEN", &ann);
        command
    });
    assert!(!help.done().ok().contains(&ann), "help shows no secret");
}

/// Speaks TLS in front of a platform, with a certificate of an authority of our own, whose own is returned.
fn encrypted(platform: SocketAddr) -> (SocketAddr, String) {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate =
        CertificateParams::new(vec!["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    let certificate = CertificateDer::from_pem_slice(certificate.pem().as_bytes()).unwrap();
    let key = PrivateKeyDer::from_pem_slice(key.serialize_pem().as_bytes()).unwrap();
    let config =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate], key).unwrap();
    let config = Arc::new(config);
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let addr = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((socket, _)) = listener.accept() {
            let mut client = StreamOwned::new(ServerConnection::new(Arc::clone(&config)).unwrap(), socket);
            // One request of a command fits: it is handed on with its answer, and that is all.
            let mut request = vec![0; 16 * 1_024];
            let Ok(read) = client.read(&mut request) else { continue };
            let head = String::from_utf8(request[..read].to_vec()).unwrap();
            let head = head.replacen("\r\n", "\r\nconnection: close\r\n", 1);
            let mut inner = TcpStream::connect(platform).unwrap();
            inner.write_all(head.as_bytes()).unwrap();
            let mut answer = Vec::new();
            inner.read_to_end(&mut answer).unwrap();
            // A client that has read enough hangs up.
            client.write_all(&answer).ok();
            client.conn.send_close_notify();
            client.flush().ok();
        }
    });
    (addr, authority.pem())
}

#[test]
fn a_command_speaks_to_a_platform_behind_tls_whose_certificate_the_machine_trusts() {
    let place = Place::new();
    let dev = serve(&place, &[]);
    let (addr, root) = encrypted(dev.addr);
    place.write("root.pem", root);
    let url = format!("https://localhost:{}", addr.port());
    let tree = |root: &str| {
        let mut command = place.command(&["tree", "--json", "--url", &url]);
        command.env("SOORMA_TOKEN", token_of("one", "ann")).env("SSL_CERT_FILE", place.path().join(root));
        Running::start(command).done()
    };
    assert_eq!(tree("root.pem").json()["id"], "root");
    let (_, stranger) = encrypted(dev.addr);
    place.write("other.pem", stranger);
    let said = tree("other.pem").failed_json(7);
    assert!(said.contains(&url), "{said}");
}
