//! Who may ask, and on whose behalf it is.
//!
//! A token says it (CONTRACT 2.4). Where a node needs none, it listens on its own machine alone and takes the headers at their word.

use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, Uri, header};
use soorma_api::{header as our, routes};
use soorma_core::{Error, ErrorCode, Scope, TenantId, Timestamp};
use soorma_ports::{AuthError, Authenticator, Principal, PrincipalKind};

use crate::same_machine;

/// The most characters that the contract allows for a tenant or user.
pub(crate) const MAX_OWNER_CHARS: usize = 64;

/// What says nothing of any tenant is open to whoever watches over the node.
const OPEN: [&str; 4] = [routes::HEALTH, routes::LIVEZ, routes::READYZ, routes::VERSION];

/// When keys that are away may be there again.
const COME_BACK: Duration = Duration::from_secs(5);

/// Who is let in.
#[derive(Clone)]
pub struct Access {
    /// Whether a request needs a token.
    pub tokens: Tokens,
    /// Whether the listener is reached by this machine alone.
    pub loopback: bool,
    /// Who verifies tokens; where there is nobody, none counts.
    pub authenticator: Option<Arc<dyn Authenticator>>,
    /// The token that opens `/metrics`, whole, and nothing else.
    pub metrics_token: Option<String>,
    /// The key of who may erase memory and looks after the vectors of a whole tenant; where there is none, nobody may.
    pub memory_admin_key: Option<String>,
}

/// Whether a request needs a token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tokens {
    /// Every request needs one.
    Required,
    /// A request without one is taken at the word of its headers, on loopback. One that is sent is verified all the same.
    Optional,
}

impl Access {
    /// Lets in every program of this machine: for a listener on loopback.
    pub const fn this_machine() -> Self {
        Self {
            tokens: Tokens::Optional,
            loopback: true,
            authenticator: None,
            metrics_token: None,
            memory_admin_key: None,
        }
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("tokens", &self.tokens)
            .field("loopback", &self.loopback)
            .field("authenticator", &self.authenticator)
            .finish_non_exhaustive()
    }
}

/// What a caller was let in with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pass {
    /// When it is over.
    pub(crate) until: Option<Timestamp>,
    /// Whether it shows what is not of the caller's tenant: the operator's view of the node.
    pub(crate) whole: bool,
    /// Whether it is a person's, who speaks for nobody else. Agents and services do.
    pub(crate) person: bool,
}

/// Decides on a request, and says on whose behalf it is.
pub(crate) async fn admit(access: &Access, uri: &Uri, headers: &HeaderMap) -> Result<(Scope, Pass), Error> {
    if access.loopback {
        same_machine::look(uri, headers)?;
    }
    let optional = access.tokens == Tokens::Optional;
    let pass = Pass { until: None, whole: optional, person: false };
    if OPEN.contains(&uri.path()) {
        let scope = if optional { said(headers)? } else { Scope::default() };
        return Ok((scope, pass));
    }
    match bearer(headers)? {
        Some(token) if uri.path() == routes::METRICS && access.opens_metrics(token) => {
            Ok((Scope::default(), Pass { whole: true, ..pass }))
        }
        Some(token) => {
            let principal = access.verify(token).await?;
            agree(headers, &principal)?;
            let Principal { tenant, service_tenant, user, kind, expires_at, .. } = principal;
            let scope = Scope { tenant, service_tenant: Some(service_tenant), user };
            let person = kind == Some(PrincipalKind::User);
            Ok((scope, Pass { until: Some(expires_at), person, ..pass }))
        }
        None if optional && access.loopback => Ok((said(headers)?, pass)),
        None => Err(unproven("Missing bearer token")),
    }
}

impl Access {
    async fn verify(&self, token: &str) -> Result<Principal, Error> {
        let Some(authenticator) = &self.authenticator else {
            return Err(unproven("JWT validation not configured"));
        };
        authenticator.verify(token).await.map_err(|error| match error {
            AuthError::Invalid(why) => refused(&why),
            AuthError::Unavailable(why) => Error::unavailable(why).retry_after(COME_BACK),
        })
    }

    fn opens_metrics(&self, token: &str) -> bool {
        is_it(self.metrics_token.as_deref(), token)
    }

    /// Whether a key is that of who looks after memory.
    pub(crate) fn opens_memory(&self, key: &str) -> bool {
        is_it(self.memory_admin_key.as_deref(), key)
    }
}

/// Compares in a time that does not say how much of it was right.
fn is_it(known: Option<&str>, sent: &str) -> bool {
    known.filter(|known| !known.is_empty()).is_some_and(|known| {
        let differ = known.bytes().zip(sent.bytes()).fold(0, |differ, (a, b)| differ | (a ^ b));
        std::hint::black_box(differ) == 0 && known.len() == sent.len()
    })
}

/// Returns the token that was sent. What is no bearer's is as good as none, also where none is needed: who sends it means to prove
/// something.
fn bearer(headers: &HeaderMap) -> Result<Option<&str>, Error> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let Some(value) = values.next() else { return Ok(None) };
    if values.next().is_some() {
        return Err(refused("it was sent with another"));
    }
    let text = value.to_str().map_err(|_| refused("it has what no token has"))?.trim();
    let (scheme, token) = text.split_once(' ').unwrap_or((text, ""));
    match token.trim() {
        "" => Err(unproven("Missing bearer token")),
        token if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token)),
        _ => Err(unproven("Missing bearer token")),
    }
}

/// Refuses headers that name another than the token. `X-Tenant-ID` means nothing beside one.
fn agree(headers: &HeaderMap, principal: &Principal) -> Result<(), Error> {
    for (name, proven) in [
        (our::SERVICE_TENANT, Some(principal.service_tenant.as_str())),
        (our::USER, principal.user.as_deref()),
    ] {
        let said = given(headers, name)?;
        if said.is_some() && said != proven {
            return Err(refused(&format!("{name} names another than the token")));
        }
    }
    Ok(())
}

/// Takes the headers at their word.
fn said(headers: &HeaderMap) -> Result<Scope, Error> {
    let tenant = match given(headers, our::TENANT)? {
        None => TenantId::default(),
        Some(text) => TenantId::new(text).map_err(|e| invalid(our::TENANT, &e.to_string()))?,
    };
    Ok(Scope {
        tenant,
        service_tenant: owner(headers, our::SERVICE_TENANT)?,
        user: owner(headers, our::USER)?,
    })
}

/// Who sent it learns only that it is so.
fn refused(why: &str) -> Error {
    tracing::debug!(why, "a token is refused");
    unproven("Invalid JWT")
}

/// The words are those of the published services, which clients may look for.
pub(crate) fn unproven(detail: &str) -> Error {
    Error::new(ErrorCode::Unauthenticated, detail)
}

/// Returns a header's value; that it stands there twice is refused, since others may read the other one.
pub(crate) fn single<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Error> {
    let mut values = headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(invalid(name, "was sent more than once"));
    }
    value.to_str().map(Some).map_err(|_| invalid(name, "may have visible ASCII characters only"))
}

pub(crate) fn given<'h>(headers: &'h HeaderMap, name: &str) -> Result<Option<&'h str>, Error> {
    let value = single(headers, name)?.map(str::trim);
    match value {
        Some(text) if text.chars().any(char::is_control) => {
            Err(invalid(name, "contains a control character"))
        }
        Some("") => Ok(None),
        value => Ok(value),
    }
}

fn owner(headers: &HeaderMap, name: &str) -> Result<Option<String>, Error> {
    match given(headers, name)? {
        Some(text) if text.chars().count() > MAX_OWNER_CHARS => {
            Err(invalid(name, &format!("must be at most {MAX_OWNER_CHARS} characters")))
        }
        text => Ok(text.map(str::to_owned)),
    }
}

fn invalid(name: &str, what: &str) -> Error {
    Error::invalid(format!("header {name} {what}"))
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn ask(headers: &[(&str, &str)]) -> Result<Scope, Error> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().expect("a header name");
            map.append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header value"));
        }
        said(&map)
    }

    #[test]
    fn the_scope_comes_from_the_headers() {
        assert_eq!(ask(&[]), Ok(Scope::default()));
        assert_eq!(ask(&[("x-tenant-id", "  "), ("x-user-id", "")]), Ok(Scope::default()));
        let scope = ask(&[("x-tenant-id", " pt "), ("x-service-tenant-id", "st"), ("x-user-id", "su")]);
        let tenant = TenantId::new("pt").expect("a tenant");
        assert_eq!(scope, Ok(Scope { tenant, service_tenant: Some("st".into()), user: Some("su".into()) }));
    }

    #[test]
    fn a_header_that_is_no_tenant_or_user_is_refused_by_name() {
        let long = "x".repeat(65);
        for name in ["x-tenant-id", "x-service-tenant-id", "x-user-id"] {
            for value in [long.as_str(), "a\tb", "caf\u{e9}"] {
                let error = ask(&[(name, value)]).expect_err("refused");
                assert_eq!(error.code, ErrorCode::Invalid, "{name}: {value}");
                assert!(error.message.contains(name), "{error}");
            }
            assert!(ask(&[(name, &"x".repeat(64))]).is_ok());
            assert!(ask(&[(name, "a"), (name, "b")]).is_err());
        }
    }

    #[test]
    fn only_the_whole_token_for_metrics_opens_them() {
        let access = Access { metrics_token: Some("metrics".into()), ..Access::this_machine() };
        for (token, expect) in
            [("metrics", true), ("", false), ("metric", false), ("metricsx", false), ("Metrics", false)]
        {
            assert_eq!(access.opens_metrics(token), expect, "{token}");
        }
        assert!(!Access::this_machine().opens_metrics(""));
    }

    #[test]
    fn memory_is_opened_by_its_whole_key_and_by_none_where_there_is_none() {
        let access = Access { memory_admin_key: Some("the key".into()), ..Access::this_machine() };
        for (key, expect) in [("the key", true), ("", false), ("the ke", false), ("the key ", false)] {
            assert_eq!(access.opens_memory(key), expect, "{key:?}");
            assert!(!Access::this_machine().opens_memory(key));
        }
        let empty = Access { memory_admin_key: Some(String::new()), ..Access::this_machine() };
        assert!(!empty.opens_memory(""));
    }

    #[test]
    fn a_bearers_token_is_found_whatever_the_case_of_its_scheme() {
        let read = |values: &[&str]| {
            let mut map = HeaderMap::new();
            for value in values {
                map.append(
                    header::AUTHORIZATION,
                    HeaderValue::from_bytes(value.as_bytes()).expect("a value"),
                );
            }
            bearer(&map).map(|token| token.map(str::to_owned)).map_err(|error| error.message)
        };
        assert_eq!(read(&[]), Ok(None));
        for value in ["Bearer x.y.z", "bearer x.y.z", "BEARER  x.y.z "] {
            assert_eq!(read(&[value]), Ok(Some("x.y.z".to_owned())), "{value}");
        }
        for value in ["", "Bearer", "Bearer ", "Basic eDp5", "x.y.z", "Bearerx.y.z"] {
            assert_eq!(read(&[value]), Err("Missing bearer token".to_owned()), "{value}");
        }
        assert_eq!(read(&["Bearer x", "Bearer x"]), Err("Invalid JWT".to_owned()));
        assert_eq!(read(&["Bearer caf\u{e9}"]), Err("Invalid JWT".to_owned()));
    }
}
