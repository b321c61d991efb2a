//! Where requests go. Pure.

use std::net::IpAddr;

use reqwest::Url;

/// Returns the address of the embeddings below a base address.
///
/// The error does not repeat an address that may hold a password.
pub(super) fn of(base: &str) -> Result<Url, String> {
    let mut url: Url =
        base.parse().map_err(|_| "the endpoint is no address; write it as https://HOST/v1".to_owned())?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the endpoint's address has a user in it; give the key as such, and the address without"
            .to_owned());
    }
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(format!("the endpoint '{url}' is no http address; write it as https://HOST/v1"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("the endpoint's address ends with ? or #; write it as https://HOST/v1".to_owned());
    }
    let path = match url.path().trim_end_matches('/') {
        "" => "/v1/embeddings".to_owned(),
        path if path.ends_with("/embeddings") => {
            return Err(format!("'{url}' is not the base address; leave out /embeddings"));
        }
        path => format!("{path}/embeddings"),
    };
    url.set_path(&path);
    Ok(url)
}

/// Returns whether what is sent there can be read on the way: it is not encrypted and leaves this machine.
pub(super) fn is_open(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    let here = host == "localhost" || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback());
    url.scheme() == "http" && !here
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_this_machine_without_encryption_is_open() {
        for (base, open) in [
            ("https://api.openai.com/v1", false),
            ("http://api.openai.com/v1", true),
            ("http://192.168.1.7:8000", true),
            ("http://127.0.0.1.example", true),
            ("http://127.8.8.8", false),
            ("http://[::1]:80", false),
            ("http://LOCALHOST:11434", false),
        ] {
            assert_eq!(is_open(&of(base).unwrap()), open, "{base}");
        }
    }

    #[test]
    fn the_embeddings_stand_below_the_base() {
        for (base, address) in [
            ("https://api.openai.com/v1", "https://api.openai.com/v1/embeddings"),
            ("https://api.openai.com/v1/", "https://api.openai.com/v1/embeddings"),
            ("http://localhost:11434", "http://localhost:11434/v1/embeddings"),
            ("http://[::1]:8000/", "http://[::1]:8000/v1/embeddings"),
            ("https://gateway.example/openai/v1", "https://gateway.example/openai/v1/embeddings"),
        ] {
            assert_eq!(of(base).unwrap().as_str(), address);
        }
    }

    #[test]
    fn what_is_no_base_address_is_refused_without_its_password() {
        for (base, says) in [
            ("", "is no address"),
            ("api.openai.com/v1", "is no address"),
            ("ftp://host/v1", "is no http address"),
            ("https://", "is no address"),
            ("https://ada:hunter2@host/v1", "has a user in it"),
            ("https://host/v1?key=hunter2", "ends with ?"),
            ("https://host/v1#hunter2", "ends with ?"),
            ("https://host/v1/embeddings", "leave out /embeddings"),
        ] {
            let refused = of(base).unwrap_err();
            assert!(refused.contains(says) && !refused.contains("hunter2"), "{base}: {refused}");
        }
    }
}
