//! Reads the keys that who issues tokens publishes: from a file, or by HTTP.

use std::path::PathBuf;
use std::time::Duration;

use async_trait::async_trait;
use soorma_identity::KeySource;
use tokio::io::AsyncReadExt as _;

/// How large a set of keys may be.
const MAX_BYTES: u64 = 1024 * 1024;
/// How long it may take to come.
const WITHIN: Duration = Duration::from_secs(2);

/// A file on this machine.
#[derive(Debug)]
pub(crate) struct KeyFile(pub(crate) PathBuf);

/// An address. Where it leads elsewhere it is not followed: keys come from whom the operator has named, or not at all.
pub(crate) struct KeyAddress {
    url: reqwest::Url,
    http: reqwest::Client,
}

impl std::fmt::Debug for KeyAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "KeyAddress({})", shown(&self.url))
    }
}

impl KeyAddress {
    pub(crate) fn new(url: &str) -> Result<Self, String> {
        let url: reqwest::Url = url.parse().map_err(|error| format!("it is no address: {error}"))?;
        let builder = reqwest::Client::builder()
            .timeout(WITHIN)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            // A read every few minutes: a connection that is kept would only be found dead.
            .pool_max_idle_per_host(0);
        // Without TLS no root certificates are looked for, which a small machine may not have.
        let builder = if url.scheme() == "http" { builder.tls_certs_only([]) } else { builder };
        let http = builder.build().map_err(|error| format!("cannot speak TLS: {error}"))?;
        Ok(Self { url, http })
    }
}

#[async_trait]
impl KeySource for KeyFile {
    async fn read(&self) -> Result<Vec<u8>, String> {
        let shown = self.0.display();
        let read = async {
            let file = tokio::fs::File::open(&self.0).await?;
            let mut bytes = Vec::new();
            file.take(MAX_BYTES + 1).read_to_end(&mut bytes).await?;
            Ok(bytes)
        };
        let bytes: std::io::Result<Vec<u8>> = tokio::time::timeout(WITHIN, read)
            .await
            .map_err(|_| format!("{shown} did not come within {} s", WITHIN.as_secs()))?;
        let bytes = bytes.map_err(|error| format!("{shown}: {error}"))?;
        if u64::try_from(bytes.len()).is_ok_and(|len| len <= MAX_BYTES) {
            Ok(bytes)
        } else {
            Err(format!("{shown} is larger than {MAX_BYTES} bytes"))
        }
    }
}

#[async_trait]
impl KeySource for KeyAddress {
    async fn read(&self) -> Result<Vec<u8>, String> {
        let url = shown(&self.url);
        let failed = |error: reqwest::Error| format!("{url}: {}", why(&error.without_url()));
        let mut answer = self.http.get(self.url.clone()).send().await.map_err(failed)?;
        let status = answer.status();
        if !status.is_success() {
            return Err(format!("{url} answered {status}"));
        }
        let mut bytes = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            bytes.extend_from_slice(&chunk);
            if u64::try_from(bytes.len()).is_ok_and(|len| len > MAX_BYTES) {
                return Err(format!("{url} answers more than {MAX_BYTES} bytes"));
            }
        }
        Ok(bytes)
    }
}

/// The address without what only its owner may know.
fn shown(url: &reqwest::Url) -> String {
    format!("{}://{}{}", url.scheme(), url.authority().rsplit('@').next().unwrap_or_default(), url.path())
}

/// The error with its causes: the outermost alone says little.
fn why(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text += &format!(": {error}");
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_what_only_its_owner_may_know() {
        let source =
            KeyAddress::new("https://ada:hunter2@issuer.example:8443/keys.json?key=hunter2").unwrap();
        assert_eq!(format!("{source:?}"), "KeyAddress(https://issuer.example:8443/keys.json)");
        let refused = KeyAddress::new("http://hunter2@:x").unwrap_err();
        assert!(!refused.contains("hunter2"), "{refused}");
    }
}
