//! Values of the section `auth`.

use std::fmt;
use std::path::PathBuf;

use soorma_edge::Tokens;

use super::shown;
use super::value::Value;

/// Where keys are published.
#[derive(Clone, PartialEq, Eq)]
pub enum Jwks {
    /// A file on this machine.
    File(PathBuf),
    /// An http or https address.
    Url(String),
}

/// As `config show` shows it: without what only the owner of an address may know.
impl fmt::Debug for Jwks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&shown(false, self.show()))
    }
}

impl Value for Tokens {
    const EXAMPLE: &'static str = "required or optional";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "required" => Ok(Self::Required),
            "optional" => Ok(Self::Optional),
            _ => Err(format!("is neither; write {}", Self::EXAMPLE)),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Required => "required",
            Self::Optional => "optional",
        }
        .to_owned()
    }
}

impl Value for Jwks {
    const EXAMPLE: &'static str =
        "a file such as ./keys.json, or an address such as https://issuer.example/jwks.json";

    fn parse(text: &str) -> Result<Self, String> {
        match text.split_once("://") {
            None if text.is_empty() => Err(format!("is empty; write {}", Self::EXAMPLE)),
            None => Ok(Self::File(text.into())),
            Some(("http" | "https", rest)) if !rest.is_empty() => Ok(Self::Url(text.to_owned())),
            Some(_) => Err(format!("is no http address; write {}", Self::EXAMPLE)),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::File(path) => path.display().to_string(),
            Self::Url(url) => url.clone(),
        }
    }
}
