//! Whether a request comes from this machine, and from no web page of another site.
//!
//! A node that listens on loopback is reached by programs of its machine alone; but a browser on that machine reaches loopback for any
//! page it shows. What gives such a request away is its `Host` (DNS rebinding), its `Origin`, or its `Sec-Fetch-Site`.

use std::net::{Ipv4Addr, Ipv6Addr};

use axum::http::uri::Authority;
use axum::http::{HeaderMap, Uri, header};
use soorma_core::{Error, ErrorCode};

use crate::access::single;

/// Refuses what may come from elsewhere.
pub(crate) fn look(uri: &Uri, headers: &HeaderMap) -> Result<(), Error> {
    let host = single(headers, header::HOST.as_str())?;
    let target = uri.authority().map(Authority::as_str);
    let Some(host) = host.filter(|host| is_loopback(host)) else {
        return Err(forbidden("this node answers only to localhost; call it as http://localhost:<port>"));
    };
    if target.is_some_and(|target| !is_loopback(target)) {
        return Err(forbidden("this node answers only to localhost; call it as http://localhost:<port>"));
    }
    if single(headers, header::ORIGIN.as_str())?.is_some_and(|origin| !is_origin_of(origin, host)) {
        return Err(forbidden(
            "this node does not answer to pages of other sites; open the page from the node itself",
        ));
    }
    if let Some("cross-site" | "same-site") = single(headers, "sec-fetch-site")? {
        return Err(forbidden(
            "this node does not answer to pages of other sites; open the page from the node itself",
        ));
    }
    Ok(())
}

/// Returns whether `host[:port]` names this machine whatever a name server says.
fn is_loopback(host: &str) -> bool {
    let (name, port) = match host.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((v6, port)) => {
            return v6.parse::<Ipv6Addr>().is_ok_and(|v6| v6.is_loopback())
                && port.strip_prefix(':').map_or(port.is_empty(), is_port);
        }
        None => host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port))),
    };
    let name = name.to_ascii_lowercase();
    let known = name == "localhost"
        || name.strip_suffix(".localhost").is_some_and(is_host_name)
        || name.parse::<Ipv4Addr>().is_ok_and(|v4| v4.is_loopback());
    known && port.is_none_or(is_port)
}

fn is_host_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_'))
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

fn is_origin_of(origin: &str, host: &str) -> bool {
    origin
        .strip_prefix("http://")
        .or_else(|| origin.strip_prefix("https://"))
        .is_some_and(|authority| is_loopback(authority) && authority.eq_ignore_ascii_case(host))
}

fn forbidden(detail: &str) -> Error {
    Error::new(ErrorCode::Forbidden, detail)
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    fn ask(headers: &[(&str, &str)]) -> Result<(), Error> {
        ask_for("/v1/events/publish", headers)
    }

    fn ask_for(uri: &str, headers: &[(&str, &str)]) -> Result<(), Error> {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            let name: HeaderName = name.parse().expect("a header name");
            map.append(name, HeaderValue::from_bytes(value.as_bytes()).expect("a header value"));
        }
        look(&uri.parse().expect("a uri"), &map)
    }

    #[test]
    fn only_hosts_that_are_this_machine_are_answered() {
        for (host, expect) in [
            ("localhost", true),
            ("localhost:8082", true),
            ("LocalHost:8082", true),
            ("node.localhost:1", true),
            ("a.b.localhost", true),
            ("127.0.0.1", true),
            ("127.255.3.4:80", true),
            ("[::1]", true),
            ("[::1]:8082", true),
            ("", false),
            ("localhost.", false),
            ("localhost:", false),
            ("localhost:x", false),
            ("localhost:+1", false),
            ("localhost:99999", false),
            ("localhost:1:2", false),
            ("localhost.evil.example", false),
            ("evillocalhost", false),
            (".localhost", false),
            ("evil.example@x.localhost", false),
            ("user@localhost", false),
            ("127.0.0.1.evil.example", false),
            ("127.1", false),
            ("10.0.0.1", false),
            ("0.0.0.0", false),
            ("[::]", false),
            ("[::1", false),
            ("[::1]x", false),
            ("[::ffff:10.0.0.1]", false),
            ("::1", false),
            ("evil.example", false),
        ] {
            let code = ask(&[("host", host)]).map_err(|error| error.code);
            assert_eq!(code.is_ok(), expect, "{host}");
            assert!(expect || code == Err(ErrorCode::Forbidden), "{host}");
        }
        assert_eq!(ask(&[]).expect_err("no host").code, ErrorCode::Forbidden);
        assert_eq!(
            ask(&[("host", "localhost"), ("host", "localhost")]).expect_err("two").code,
            ErrorCode::Invalid
        );
    }

    #[test]
    fn a_target_that_names_another_host_is_refused_whatever_the_host_header_says() {
        assert!(ask_for("http://localhost:1/", &[("host", "localhost:1")]).is_ok());
        assert_eq!(
            ask_for("http://evil.example/", &[("host", "localhost")]).expect_err("other").code,
            ErrorCode::Forbidden
        );
    }

    #[test]
    fn only_pages_of_the_node_itself_are_answered() {
        for (host, name, value, expect) in [
            ("localhost:80", "origin", "http://localhost:80", true),
            ("localhost:80", "origin", "https://LOCALHOST:80", true),
            ("localhost:80", "origin", "http://localhost", false),
            ("localhost:80", "origin", "http://localhost:81", false),
            ("localhost:80", "origin", "http://127.0.0.1:80", false),
            ("localhost:80", "origin", "http://evil.example", false),
            ("localhost:80", "origin", "null", false),
            ("localhost:80", "origin", "", false),
            ("localhost:80", "origin", "file://", false),
            ("localhost", "sec-fetch-site", "same-origin", true),
            ("localhost", "sec-fetch-site", "none", true),
            ("localhost", "sec-fetch-site", "same-site", false),
            ("localhost", "sec-fetch-site", "cross-site", false),
        ] {
            let code = ask(&[("host", host), (name, value)]).map_err(|error| error.code);
            assert_eq!(code.is_ok(), expect, "{name}: {value}");
            assert!(expect || code == Err(ErrorCode::Forbidden), "{name}: {value}");
        }
    }
}
