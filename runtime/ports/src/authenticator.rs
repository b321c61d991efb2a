//! Who is asking.

use std::str::FromStr;

use async_trait::async_trait;
use soorma_core::{TenantId, Timestamp};

/// Says who is asking, by the token that they show.
///
/// # Contract
/// 1. **Proven.** Whom it names follows from the claims of the token alone, and the token is signed with a key that is known here, by the
///    one algorithm which that key is for. What the token says of its own key or algorithm only chooses among those.
/// 2. **Whole.** A token is taken as it is or refused: a claim that is missing, malformed or too long is never guessed or cut.
/// 3. **In time.** It counts until [`Principal::expires_at`], by the wall clock, and not before it says so.
/// 4. **Bounded.** What is too long is refused unread, and no answer takes longer than a few seconds, whatever is away.
/// 5. **Quiet.** An [`AuthError`] never holds the token, nor what only one who has a key may know.
#[async_trait]
pub trait Authenticator: Send + Sync + std::fmt::Debug + 'static {
    /// Returns whom the token names.
    async fn verify(&self, token: &str) -> Result<Principal, AuthError>;
}

/// Who is asking, and on whose behalf.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Principal {
    /// The platform tenant (`pt`).
    pub tenant: TenantId,
    /// The service tenant (`st`).
    pub service_tenant: String,
    /// The service user (`su`).
    pub user: Option<String>,
    /// What they are, where the token says it.
    pub kind: Option<PrincipalKind>,
    /// What they may do, in the words of who issued the token.
    pub roles: Vec<String>,
    /// From when on the token proves nothing any more.
    pub expires_at: Timestamp,
}

/// What a principal is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PrincipalKind {
    /// Administers a tenant.
    Admin,
    /// A service.
    Service,
    /// An agent.
    Agent,
    /// A person.
    User,
    /// Who writes agents.
    Developer,
    /// An agent that plans.
    Planner,
    /// An agent that works.
    Worker,
    /// An agent that is a tool.
    Tool,
}

impl PrincipalKind {
    /// All kinds.
    pub const ALL: [Self; 8] = [
        Self::Admin,
        Self::Service,
        Self::Agent,
        Self::User,
        Self::Developer,
        Self::Planner,
        Self::Worker,
        Self::Tool,
    ];

    /// Returns the name in tokens.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Service => "service",
            Self::Agent => "agent",
            Self::User => "user",
            Self::Developer => "developer",
            Self::Planner => "planner",
            Self::Worker => "worker",
            Self::Tool => "tool",
        }
    }
}

/// A text that is no kind of principal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is no kind of principal")]
pub struct UnknownKind;

impl FromStr for PrincipalKind {
    type Err = UnknownKind;

    fn from_str(text: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text).ok_or(UnknownKind)
    }
}

/// Why nobody is known to be asking.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// The token proves nothing. Why is for the log of the node: who sent it learns only that it is so.
    #[error("{0}")]
    Invalid(String),
    /// The keys have never been read, so nothing can be said of the token; later it may.
    #[error("{0}")]
    Unavailable(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_reads_back_what_it_writes_and_nothing_else() {
        for kind in PrincipalKind::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
        }
        for wrong in ["", "zebra", "Admin", " admin"] {
            assert_eq!(wrong.parse::<PrincipalKind>(), Err(UnknownKind), "{wrong}");
        }
    }
}
