//! The connection.

use std::sync::Arc;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event};
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
    let invalid = |error: &dyn std::fmt::Display| EventLogError::Invalid(error.to_string());
    let servers: Vec<async_nats::ServerAddr> = config
        .servers
        .iter()
        .map(|server| server.parse().map_err(|error| invalid(&format!("the server '{server}': {error}"))))
        .collect::<Result<_, _>>()?;
    if servers.is_empty() {
        return Err(invalid(&"no NATS server is named; name at least one, such as nats://127.0.0.1:4222"));
    }
    let mut options = ConnectOptions::new()
        .name("soorma")
        .connection_timeout(config.answer_within)
        // `Link` says how long an answer is waited for.
        .request_timeout(None);
    options = match &config.credentials {
        Credentials::None => options,
        Credentials::File(path) => options
            .credentials_file(path)
            .await
            .map_err(|error| invalid(&format!("the credentials file {}: {error}", path.display())))?,
        Credentials::User { name, password } => options.user_and_password(name.clone(), password.clone()),
        Credentials::Token(token) => options.token(token.clone()),
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
    // A URL may hold a password.
    let servers: Vec<&str> =
        config.servers.iter().map(|server| server.rsplit('@').next().unwrap_or_default()).collect();
    let servers = servers.join(", ");
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
