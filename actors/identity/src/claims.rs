//! What a token says, and whom that names.

use serde::Deserialize;
use serde_json::{Number, Value};
use soorma_core::{TenantId, Timestamp};
use soorma_ports::{AuthError, Principal, PrincipalKind};

/// How far the clock of who issues tokens may be from ours.
const LEEWAY: std::time::Duration = std::time::Duration::from_secs(5);

/// The most bytes that the contract allows for a tenant or user.
const MAX_NAME_BYTES: usize = 64;
/// How many roles a token has at most, and how long each is.
const MAX_ROLES: usize = 100;
const MAX_ROLE_BYTES: usize = 256;

/// The claims that mean something here; the rest is passed over. A claim that stands there twice is refused by serde.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Claims {
    exp: Option<Value>,
    nbf: Option<Value>,
    iss: Option<Value>,
    aud: Option<Value>,
    platform_tenant_id: Option<Value>,
    tenant_id: Option<Value>,
    service_tenant_id: Option<Value>,
    service_user_id: Option<Value>,
    user_id: Option<Value>,
    principal_id: Option<Value>,
    sub: Option<Value>,
    principal_type: Option<Value>,
    roles: Option<Value>,
}

/// What a token must say besides.
#[derive(Debug, Clone, Default)]
pub(crate) struct Expected {
    pub(crate) issuer: Option<String>,
    pub(crate) audience: Option<String>,
}

impl Claims {
    /// Returns whom the claims name (CONTRACT 2.4).
    pub(crate) fn principal(&self, expected: &Expected, now: Timestamp) -> Result<Principal, AuthError> {
        let expires_at = self.in_time(now)?;
        self.meant(expected)?;
        let platform = name("platform_tenant_id", &self.platform_tenant_id)?
            .ok_or_else(|| wrong("platform_tenant_id is missing"))?;
        let tenant_id = name("tenant_id", &self.tenant_id)?;
        let tenant = tenant_id.unwrap_or(platform);
        let service_tenant = name("service_tenant_id", &self.service_tenant_id)?.unwrap_or(tenant);
        let user = [
            ("service_user_id", &self.service_user_id),
            ("user_id", &self.user_id),
            ("principal_id", &self.principal_id),
            ("sub", &self.sub),
        ];
        Ok(Principal {
            tenant: TenantId::new(tenant).map_err(|error| wrong(format!("the tenant {error}")))?,
            service_tenant: service_tenant.to_owned(),
            user: first(user)?.map(str::to_owned),
            kind: self.kind()?,
            roles: self.roles()?,
            expires_at,
        })
    }

    /// Returns from when on the token is over.
    fn in_time(&self, now: Timestamp) -> Result<Timestamp, AuthError> {
        let exp = moment("exp", &self.exp)?.ok_or_else(|| wrong("exp is missing"))?;
        let expires_at = exp.plus(LEEWAY);
        if now >= expires_at {
            return Err(wrong("it has expired"));
        }
        if moment("nbf", &self.nbf)?.is_some_and(|nbf| nbf > now.plus(LEEWAY)) {
            return Err(wrong("it is not valid yet"));
        }
        Ok(expires_at)
    }

    /// Looks that it comes from whom we trust, and is meant for us.
    fn meant(&self, expected: &Expected) -> Result<(), AuthError> {
        let says = |value: &Option<Value>, wanted: &str| match value {
            Some(Value::String(text)) => text == wanted,
            Some(Value::Array(texts)) => texts.iter().any(|text| text == wanted),
            _ => false,
        };
        if expected.issuer.as_deref().is_some_and(|issuer| self.iss.as_ref().is_none_or(|iss| iss != issuer))
        {
            return Err(wrong("iss is not the issuer that is trusted"));
        }
        if expected.audience.as_deref().is_some_and(|audience| !says(&self.aud, audience)) {
            return Err(wrong("aud does not name this platform"));
        }
        Ok(())
    }

    fn kind(&self) -> Result<Option<PrincipalKind>, AuthError> {
        match &self.principal_type {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => {
                let kind = text.parse().map_err(|error| wrong(format!("principal_type {error}")))?;
                Ok(Some(kind))
            }
            Some(_) => Err(wrong("principal_type is no text")),
        }
    }

    fn roles(&self) -> Result<Vec<String>, AuthError> {
        let roles = match &self.roles {
            None | Some(Value::Null) => return Ok(Vec::new()),
            Some(Value::Array(roles)) if roles.len() <= MAX_ROLES => roles,
            Some(Value::Array(_)) => return Err(wrong("roles are too many")),
            Some(_) => return Err(wrong("roles is no list")),
        };
        let role = |role: &Value| match role.as_str() {
            Some(role) if role.len() <= MAX_ROLE_BYTES => Ok(role.to_owned()),
            _ => Err(wrong("roles has what is no short text")),
        };
        roles.iter().map(role).collect()
    }
}

/// Returns the first claim that names somebody.
fn first<'a, const N: usize>(claims: [(&str, &'a Option<Value>); N]) -> Result<Option<&'a str>, AuthError> {
    for (claim, value) in claims {
        if let Some(found) = name(claim, value)? {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Reads the id of a tenant or user; that it is empty is as if it was not there.
fn name<'a>(claim: &str, value: &'a Option<Value>) -> Result<Option<&'a str>, AuthError> {
    let text = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) => text.as_str(),
        Some(_) => return Err(wrong(format!("{claim} is no text"))),
    };
    if text.is_empty() {
        Ok(None)
    } else if text.len() > MAX_NAME_BYTES {
        Err(wrong(format!("{claim} is longer than {MAX_NAME_BYTES} bytes")))
    } else if text.chars().any(char::is_control) || text.trim() != text {
        Err(wrong(format!("{claim} has control characters, or white space around it")))
    } else {
        Ok(Some(text))
    }
}

/// Reads seconds since 1970, which may have a fraction.
fn moment(claim: &str, value: &Option<Value>) -> Result<Option<Timestamp>, AuthError> {
    let number = match value {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::Number(number)) => number,
        Some(_) => return Err(wrong(format!("{claim} is no number"))),
    };
    Ok(Some(Timestamp::from_micros(micros(number))))
}

fn micros(seconds: &Number) -> i64 {
    if let Some(whole) = seconds.as_i64() {
        return whole.saturating_mul(1_000_000);
    }
    let seconds = seconds.as_f64().unwrap_or(0.0);
    #[expect(clippy::cast_possible_truncation, reason = "a float becomes the nearest number that there is")]
    let micros = (seconds * 1e6) as i64;
    micros
}

fn wrong(why: impl Into<String>) -> AuthError {
    AuthError::Invalid(why.into())
}
