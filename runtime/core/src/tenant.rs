//! Who is asking, and on whose behalf.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize};

use crate::id::InvalidName;

/// The platform tenant that is meant where nobody says another (CONTRACT 2.2).
pub const DEFAULT_PLATFORM_TENANT: &str = "spt_00000000-0000-0000-0000-000000000000";

/// A platform tenant: the wall that no event, row, count or cursor crosses. 1 to 64 bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct TenantId(std::sync::Arc<str>);

impl TenantId {
    /// The most bytes that the contract allows.
    pub const MAX_BYTES: usize = 64;

    /// Takes a text as a tenant's id; white space around it is dropped.
    ///
    /// # Errors
    /// When it is blank, longer than 64 bytes, or has control characters.
    pub fn new(text: &str) -> Result<Self, InvalidName> {
        let text = text.trim();
        if text.is_empty() {
            Err(InvalidName::Empty)
        } else if text.len() > Self::MAX_BYTES {
            Err(InvalidName::TooLong(text.len()))
        } else if text.chars().any(char::is_control) {
            Err(InvalidName::Control)
        } else {
            Ok(Self(text.into()))
        }
    }

    /// Returns the text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Default for TenantId {
    fn default() -> Self {
        Self(DEFAULT_PLATFORM_TENANT.into())
    }
}

impl fmt::Display for TenantId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for TenantId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The caller of a request: the platform tenant, and the service tenant and user where they are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Scope {
    /// The platform tenant (`pt`).
    pub tenant: TenantId,
    /// The service tenant (`st`).
    pub service_tenant: Option<String>,
    /// The service user (`su`).
    pub user: Option<String>,
}
