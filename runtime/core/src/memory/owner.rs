//! Whose memory it is.

use crate::TenantId;

/// Who has a memory of his own in a tenant: a user of a service tenant.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Owner {
    service_tenant: Box<str>,
    user: Box<str>,
}

/// Why two texts are no [`Owner`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOwner {
    /// One of them is missing.
    #[error("{0} is required")]
    Empty(&'static str),
    /// One of them is longer than 64 characters.
    #[error("{0} must be at most 64 characters")]
    Long(&'static str),
    /// One of them has a line break or another control character.
    #[error("{0} contains a control character")]
    Control(&'static str),
}

impl Owner {
    /// The most characters of each part.
    pub const MAX_CHARS: usize = 64;
    /// The service tenant that is meant where none is named and none has to be.
    pub const DEFAULT_SERVICE_TENANT: &str = "st_default-tenant";
    /// The user that is meant where none is named and none has to be.
    pub const DEFAULT_USER: &str = "su_default-user";

    /// Takes the id of a service tenant and of a user in it; white space around them is dropped.
    ///
    /// # Errors
    /// When one is blank, has more than 64 characters, or control characters.
    pub fn new(service_tenant: &str, user: &str) -> Result<Self, InvalidOwner> {
        let part = |name, text: &str| {
            let text = text.trim();
            if text.is_empty() {
                Err(InvalidOwner::Empty(name))
            } else if text.chars().count() > Self::MAX_CHARS {
                Err(InvalidOwner::Long(name))
            } else if text.chars().any(char::is_control) {
                Err(InvalidOwner::Control(name))
            } else {
                Ok(Box::from(text))
            }
        };
        Ok(Self { service_tenant: part("service_tenant", service_tenant)?, user: part("user", user)? })
    }

    /// Returns the service tenant (`st`).
    pub fn service_tenant(&self) -> &str {
        &self.service_tenant
    }

    /// Returns the user (`su`).
    pub fn user(&self) -> &str {
        &self.user
    }
}

/// A tenant and an owner in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MemoryScope {
    /// The platform tenant (`pt`).
    pub tenant: TenantId,
    /// The owner in it.
    pub owner: Owner,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_owner_has_two_parts_of_1_to_64_characters() {
        let long = "ü".repeat(65);
        assert_eq!(Owner::new("", "u"), Err(InvalidOwner::Empty("service_tenant")));
        assert_eq!(Owner::new("s", " "), Err(InvalidOwner::Empty("user")));
        assert_eq!(Owner::new("s", &long), Err(InvalidOwner::Long("user")));
        assert_eq!(Owner::new("a\nb", "u"), Err(InvalidOwner::Control("service_tenant")));
        let owner = Owner::new(" s ", &"ü".repeat(64)).expect("an owner");
        assert_eq!((owner.service_tenant(), owner.user().chars().count()), ("s", 64));
    }
}
