//! Whether a server is new enough.

use soorma_ports::EventLogError;

/// The first version with atomic batches.
const OLDEST: (u64, u64) = (2, 12);

/// Refuses a server that is too old, or whose version cannot be read.
pub(crate) fn check(name: &str, version: &str) -> Result<(), EventLogError> {
    let mut numbers = version.split(['.', '-']).map(|part| part.parse::<u64>().ok());
    match (numbers.next().flatten(), numbers.next().flatten()) {
        (Some(major), Some(minor)) if (major, minor) >= OLDEST => Ok(()),
        _ => Err(EventLogError::Invalid(format!(
            "the NATS server '{name}' is version '{version}'; version {}.{} or newer is needed",
            OLDEST.0, OLDEST.1
        ))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_from_2_12_on_are_taken() {
        for version in ["2.12.0", "2.12.0-RC.1", "2.15.1", "2.100.0", "3.0.0"] {
            assert_eq!(check("n1", version), Ok(()), "{version}");
        }
    }

    #[test]
    fn older_servers_are_refused_by_name_and_version() {
        for version in ["2.9.10", "2.11.99", "1.4.1", "", "new", "2"] {
            let error = check("n1", version).unwrap_err().to_string();
            assert!(
                error.contains("'n1'") && error.contains(&format!("'{version}'")) && error.contains("2.12"),
                "{error}"
            );
        }
    }
}
