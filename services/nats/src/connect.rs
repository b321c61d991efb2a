//! The connection.

use std::sync::Arc;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerAddr};
use soorma_ports::EventLogError;

use crate::config::{Credentials, NatsLogConfig};
use crate::link::Link;
use crate::signals::Signals;
use crate::version;

pub(crate) async fn connect(
    config: &NatsLogConfig,
    signals: &Arc<Signals>,
    link: &Arc<Link>,
) -> Result<Client, EventLogError> {
    let (servers, named) = addresses(&config.servers)?;
    let mut options = ConnectOptions::new()
        .name("soorma")
        .connection_timeout(config.answer_within)
        // `Link` says how long an answer is waited for.
        .request_timeout(None);
    let credentials =
        if config.credentials == Credentials::None { named } else { config.credentials.clone() };
    options = match credentials {
        Credentials::None => options,
        Credentials::File(path) => options.credentials_file(&path).await.map_err(|error| {
            EventLogError::Invalid(format!("the credentials file {}: {error}", path.display()))
        })?,
        Credentials::User { name, password } => options.user_and_password(name, password),
        Credentials::Token(token) => options.token(token),
    };
    if let Some(root) = &config.tls_root {
        options = options.add_root_certificates(root.clone());
    }
    if config.tls_required {
        options = options.require_tls(true);
    }
    let heard = (signals.clone(), link.clone());
    let options = options.event_callback(move |event| {
        let (signals, link) = heard.clone();
        async move { notice(&event, &signals, &link) }
    });
    let client = options.connect(&servers[..]).await.map_err(|error| refused(config, &error))?;
    let server = client.server_info();
    version::check(&server.server_name, &server.version)?;
    Ok(client)
}

/// Takes apart where the servers are, and who we are to them where that is said.
///
/// The client library makes no use of the user in an address, and writes addresses as they are into its log.
fn addresses(servers: &[String]) -> Result<(Vec<ServerAddr>, Credentials), EventLogError> {
    let invalid = |said: String| Err(EventLogError::Invalid(said));
    let (mut addresses, mut named) = (Vec::with_capacity(servers.len()), Credentials::None);
    for server in servers {
        let place = without_secrets(server);
        let address = match server.rsplit_once('@') {
            None => server.parse(),
            Some((before, host)) => {
                let (scheme, user) = before.split_once("://").unwrap_or(("nats", before));
                let Some(credentials) = credentials(user) else {
                    return invalid(format!("the user of the server '{place}' is not written as in a URL"));
                };
                if named != Credentials::None && named != credentials {
                    return invalid(format!(
                        "the addresses of the servers ({}) name several users; name one, who is known to all of them",
                        places(servers)
                    ));
                }
                named = credentials;
                format!("{scheme}://{host}").parse()
            }
        };
        match address {
            Ok(address) => addresses.push(address),
            Err(error) => return invalid(format!("the server '{place}': {error}")),
        }
    }
    if addresses.is_empty() {
        return invalid("no NATS server is named; name at least one, such as nats://127.0.0.1:4222".into());
    }
    Ok((addresses, named))
}

/// Reads `user:password`, or a token.
fn credentials(user: &str) -> Option<Credentials> {
    Some(match user.split_once(':') {
        Some((name, password)) => Credentials::User { name: decode(name)?, password: decode(password)? },
        None => Credentials::Token(decode(user)?),
    })
}

/// Reads what URLs write as `%40`.
fn decode(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let (digits, rest) = part.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(rest.as_bytes());
    }
    String::from_utf8(bytes).ok()
}

/// Where a server is, without who we are to it.
fn without_secrets(server: &str) -> &str {
    server.rsplit_once('@').map_or(server, |(_, place)| place)
}

fn places(servers: &[String]) -> String {
    servers.iter().map(|server| without_secrets(server)).collect::<Vec<_>>().join(", ")
}

/// Says what became of the connection, and has everybody look anew after something may have been missed.
fn notice(event: &Event, signals: &Signals, link: &Link) {
    match event {
        Event::Connected => {
            tracing::info!("connected to nats");
            link.made();
            signals.all_may_have_changed();
        }
        Event::SlowConsumer(_) => {
            tracing::debug!("fell behind with what nats says was stored, looking anew");
            signals.all_may_have_changed();
        }
        Event::Disconnected => {
            tracing::warn!("connection to nats lost, trying again");
            link.lost();
        }
        Event::ServerError(error) => tracing::warn!(%error, "nats server refuses"),
        // One for each try to connect again.
        Event::ClientError(error) if link.is_new(&error.to_string()) => {
            tracing::warn!(%error, "nats client failed, trying again");
        }
        Event::ClientError(error) => tracing::debug!(%error, "nats client failed again"),
        Event::LameDuckMode | Event::Draining | Event::Closed => {
            tracing::info!(%event, "nats connection changed")
        }
    }
}

fn refused(config: &NatsLogConfig, error: &async_nats::ConnectError) -> EventLogError {
    let servers = places(&config.servers);
    match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
            EventLogError::Invalid(format!(
                "the NATS server ({servers}) refuses the credentials: {error}. Give it the user, token or credentials file it knows"
            ))
        }
        ConnectErrorKind::ServerParse => EventLogError::Invalid(format!("{servers}: {error}")),
        ConnectErrorKind::Tls => invalid_tls(&servers, error),
        // What the handshake says comes as what the socket says, but of another kind.
        ConnectErrorKind::Io if is_no_certificate(error) => invalid_tls(&servers, error),
        ConnectErrorKind::Dns
        | ConnectErrorKind::TimedOut
        | ConnectErrorKind::Io
        | ConnectErrorKind::MaxReconnects => {
            EventLogError::Unavailable(format!("no NATS server answers at {servers}: {error}"))
        }
    }
}

fn invalid_tls(servers: &str, error: &async_nats::ConnectError) -> EventLogError {
    EventLogError::Invalid(format!(
        "TLS with the NATS server ({servers}): {error}. Name a file with the root of its certificate, and the server by a name that stands in it"
    ))
}

/// Whether the server shows a certificate that is not to be trusted, or none that can be read.
fn is_no_certificate(error: &async_nats::ConnectError) -> bool {
    let cause = std::error::Error::source(error);
    let cause = cause.and_then(|cause| cause.downcast_ref::<std::io::Error>());
    cause.is_some_and(|cause| cause.kind() == std::io::ErrorKind::InvalidData)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken_apart(servers: &[&str]) -> Result<(Vec<String>, Credentials), EventLogError> {
        let servers: Vec<String> = servers.iter().map(|server| (*server).to_owned()).collect();
        let (addresses, named) = addresses(&servers)?;
        // As the client library writes them.
        Ok((addresses.iter().map(|address| format!("{address:?}")).collect(), named))
    }

    #[test]
    fn an_address_is_without_the_user_that_it_names() {
        let user =
            |name: &str, password: &str| Credentials::User { name: name.into(), password: password.into() };
        for (server, named) in [
            ("nats://a:4222", Credentials::None),
            ("nats://ada:hunter2@a:4222", user("ada", "hunter2")),
            ("ada:hunter2@a:4222", user("ada", "hunter2")),
            ("tls://ada:hunter2%40%3a@a:4222", user("ada", "hunter2@:")),
            ("nats://ada:hunter2@x@a:4222", user("ada", "hunter2@x")),
            ("nats://hunter2@a", Credentials::Token("hunter2".into())),
        ] {
            let (addresses, found) = taken_apart(&[server]).unwrap();
            assert_eq!(found, named, "{server}");
            assert!(!addresses[0].contains("hunter2") && addresses[0].contains("\"a\""), "{addresses:?}");
        }
        assert!(taken_apart(&["tls://ada:x@a:1"]).unwrap().0[0].contains("tls"));
    }

    #[test]
    fn servers_of_one_cluster_name_one_user() {
        let ada = Credentials::User { name: "ada".into(), password: "x".into() };
        let (addresses, named) = taken_apart(&["ada:x@a", "nats://ada:x@b", "c"]).unwrap();
        assert_eq!((addresses.len(), named), (3, ada));
        assert!(taken_apart(&["ada:x@a", "nats://ada:y@b"]).is_err());
    }

    #[test]
    fn what_is_no_text_in_a_url_is_not_decoded() {
        for wrong in ["%", "%4", "a%zz", "%ff", "%é"] {
            assert_eq!(decode(wrong), None, "{wrong}");
        }
    }
}
