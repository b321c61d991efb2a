//! Whose memory it is that is asked for, and who may look after all of it.

use axum::Extension;
use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use soorma_api::header;
use soorma_core::{Error, ErrorCode, MemoryScope, Owner, Scope};

use crate::access::{Tokens, single, unproven};
use crate::app::{App, Shared};
use crate::reply::Refusal;

/// The memory of who asks.
#[derive(Debug)]
pub(super) struct Mine(pub(super) MemoryScope);

impl FromRequestParts<Shared> for Mine {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, app: &Shared) -> Result<Self, Refusal> {
        let Extension(scope) = Extension::<Scope>::from_request_parts(parts, app)
            .await
            .map_err(|_| Error::internal("a request was let in without saying whose it is"))?;
        Ok(owned(scope, app.edge.access.tokens).map(Self)?)
    }
}

fn owned(scope: Scope, tokens: Tokens) -> Result<MemoryScope, Error> {
    let Scope { tenant, service_tenant, user } = scope;
    let (service_tenant, user) = match (service_tenant, user) {
        (Some(service_tenant), Some(user)) => (service_tenant, user),
        // So that published clients work as they are on a node that asks for no token.
        (service_tenant, user) if tokens == Tokens::Optional => (
            service_tenant.unwrap_or_else(|| Owner::DEFAULT_SERVICE_TENANT.to_owned()),
            user.unwrap_or_else(|| Owner::DEFAULT_USER.to_owned()),
        ),
        (None, None) => return Err(unproven("Missing required tenant and user identity context")),
        (None, Some(_)) => return Err(unproven("Missing required tenant identity context")),
        (Some(_), None) => return Err(unproven("Missing required user identity context")),
    };
    let owner = Owner::new(&service_tenant, &user).map_err(|error| Error::invalid(error.to_string()))?;
    Ok(MemoryScope { tenant, owner })
}

/// Refuses who does not show the key of who looks after memory.
pub(super) fn key_shown(app: &App, headers: &HeaderMap) -> Result<(), Error> {
    let sent = single(headers, header::MEMORY_ADMIN_KEY)?;
    if sent.is_some_and(|key| app.edge.access.opens_memory(key)) {
        return Ok(());
    }
    Err(Error::new(ErrorCode::Forbidden, "Admin authorization required"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope(service_tenant: Option<&str>, user: Option<&str>) -> Scope {
        Scope {
            service_tenant: service_tenant.map(str::to_owned),
            user: user.map(str::to_owned),
            ..Scope::default()
        }
    }

    #[test]
    fn where_tokens_are_needed_the_token_names_both() {
        for (st, su, detail) in [
            (None, None, "Missing required tenant and user identity context"),
            (None, Some("u"), "Missing required tenant identity context"),
            (Some("s"), None, "Missing required user identity context"),
        ] {
            let error = owned(scope(st, su), Tokens::Required).expect_err("not named");
            assert_eq!((error.code, error.message.as_str()), (ErrorCode::Unauthenticated, detail));
        }
        let mine = owned(scope(Some("s"), Some("u")), Tokens::Required).expect("both are named");
        assert_eq!((mine.owner.service_tenant(), mine.owner.user()), ("s", "u"));
    }

    #[test]
    fn where_none_is_needed_who_is_not_named_is_the_default_one() {
        for (st, su, owner) in [
            (None, None, ("st_default-tenant", "su_default-user")),
            (None, Some("u"), ("st_default-tenant", "u")),
            (Some("s"), None, ("s", "su_default-user")),
        ] {
            let mine = owned(scope(st, su), Tokens::Optional).expect("an owner");
            assert_eq!((mine.owner.service_tenant(), mine.owner.user()), owner);
        }
        let long = "x".repeat(65);
        let error = owned(scope(Some("s"), Some(&long)), Tokens::Optional).expect_err("too long");
        assert_eq!(error.code, ErrorCode::Invalid);
    }
}
