//! Names in statements that take no parameters.

use crate::PostgresError;

/// A name that can stand in a statement: of a schema or a role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Identifier(String);

impl Identifier {
    /// The most bytes that Postgres keeps of a name.
    const MAX_BYTES: usize = 63;

    /// Takes a name of small letters, digits and `_`, as is written without quotes.
    pub(crate) fn new(what: &str, name: &str) -> Result<Self, PostgresError> {
        let mut characters = name.chars();
        let begins = characters.next().is_some_and(|c| c.is_ascii_lowercase() || c == '_');
        let plain = characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        // What begins so is Postgres' own.
        if begins && plain && name.len() <= Self::MAX_BYTES && !name.starts_with("pg_") {
            return Ok(Self(name.to_owned()));
        }
        Err(PostgresError::Invalid(format!(
            "'{name}' is no name for a {what}; use small letters, digits and _, at most {} of them, and not pg_ to begin with",
            Self::MAX_BYTES
        )))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The name in quotes, as it may be a word of the language.
    pub(crate) fn quoted(&self) -> String {
        quoted(&self.0)
    }
}

/// Any name, as it stands in a statement.
pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Any text without a NUL, as it stands in a statement that takes no parameters, however the server is set.
pub(crate) fn literal(text: &str) -> String {
    format!("E'{}'", text.replace('\\', "\\\\").replace('\'', "''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_plain() {
        for name in ["soorma", "_x9", "user", &"a".repeat(63)] {
            assert_eq!(Identifier::new("schema", name).unwrap().quoted(), format!("\"{name}\""));
        }
        for name in ["", "9x", "Soorma", "a-b", "a\"b", "pg_mine", "ä", &"a".repeat(64)] {
            let said = Identifier::new("schema", name).unwrap_err().to_string();
            assert!(said.contains("is no name for a schema"), "{said}");
        }
        assert_eq!(quoted("a\"b"), "\"a\"\"b\"");
        assert_eq!(literal("a'b\\'; --"), "E'a''b\\\\''; --'");
    }
}
