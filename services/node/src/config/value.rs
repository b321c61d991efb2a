//! How values are written and read: durations, sizes, counts, addresses.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use soorma_core::{TenantId, Topic};

/// A type that a key may have. What [`show`](Self::show) writes, [`parse`](Self::parse) reads.
pub(super) trait Value: Sized {
    /// How to write one, for the one who wrote it wrongly.
    const EXAMPLE: &'static str;

    /// Reads a value; the error is `what is wrong; what to do`.
    fn parse(text: &str) -> Result<Self, String>;

    /// Writes the value.
    fn show(&self) -> String;
}

/// A number of bytes, written `256KiB`, `1MiB`, `10GiB`, or plain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl ByteSize {
    /// Returns the bytes, or the largest `u32`.
    pub fn as_u32(self) -> u32 {
        u32::try_from(self.0).unwrap_or(u32::MAX)
    }

    /// Returns the bytes, or the largest `usize`.
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// NATS servers of one cluster.
#[derive(Clone, PartialEq, Eq)]
pub struct Servers(pub Vec<String>);

/// As `config show` shows them: without passwords.
impl fmt::Debug for Servers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::shown(false, self.show()))
    }
}

/// What is kept of topics that differ: how long, and how many events.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RetainOf(pub BTreeMap<Topic, (Duration, u64)>);

/// When a publish is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Durability {
    /// The server has it; it syncs to the disk in its own time.
    Acknowledged,
    /// It is synced to the disk, by a server that syncs before it answers; publishes share a sync.
    Synced,
}

/// What becomes of an event whose payload does not fit its schema.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payloads {
    /// It is not looked at.
    Off,
    /// It is published, and the log says so.
    Warn,
    /// It is refused.
    Enforce,
}

/// The same for tenants that differ.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PayloadsOf(pub BTreeMap<TenantId, Payloads>);

/// What turns texts into vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EmbedderKind {
    /// Feature hashing, here.
    Hashing,
    /// A sentence model from a folder, here.
    Local,
    /// An endpoint that speaks as OpenAI's does.
    OpenAi,
}

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// For programs, one object a line.
    Json,
}

/// Units in milliseconds, largest first.
const TIMES: &[(&str, u64)] = &[("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Units in bytes, largest first.
const SIZES: &[(&str, u64)] = &[("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("", 1)];

/// Longer spans overflow the arithmetic of clocks, and nobody means them.
const LONGEST: Duration = Duration::from_secs(3_650 * 86_400);

/// Reads `<digits><unit>`; `None` when it is not written like that, or too large.
fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.strip_prefix(digits)?;
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number(digits.trim_end())?.checked_mul(*factor)
}

/// Reads digits, which `_` may part.
fn number(text: &str) -> Option<u64> {
    text.starts_with(|c: char| c.is_ascii_digit()).then(|| text.replace('_', "").parse().ok())?
}

/// Writes a number with the largest unit that leaves no rest.
fn to_unit(amount: u64, units: &[(&str, u64)], of_zero: &str) -> String {
    if amount == 0 {
        return format!("0{of_zero}");
    }
    let unit = units.iter().find(|(_, factor)| amount.is_multiple_of(*factor));
    unit.map_or_else(|| amount.to_string(), |(name, factor)| format!("{}{name}", amount / factor))
}

impl Value for Duration {
    const EXAMPLE: &'static str = "a duration such as 500ms, 30s, 5m, 2h or 7d";

    fn parse(text: &str) -> Result<Self, String> {
        let duration = with_unit(text, TIMES).map(Self::from_millis);
        let duration = duration.ok_or_else(|| format!("is no duration; write {}", Self::EXAMPLE))?;
        if duration > LONGEST {
            return Err("is too long; write at most 3650d".to_owned());
        }
        Ok(duration)
    }

    fn show(&self) -> String {
        to_unit(u64::try_from(self.as_millis()).unwrap_or(u64::MAX), TIMES, "s")
    }
}

impl Value for ByteSize {
    const EXAMPLE: &'static str = "a size such as 256KiB, 1MiB or 10GiB, or a number of bytes";

    fn parse(text: &str) -> Result<Self, String> {
        with_unit(text, SIZES).map(Self).ok_or_else(|| format!("is no size; write {}", Self::EXAMPLE))
    }

    fn show(&self) -> String {
        to_unit(self.0, SIZES, "")
    }
}

/// `none`, or a value.
impl<T: Value> Value for Option<T> {
    const EXAMPLE: &'static str = T::EXAMPLE;

    fn parse(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(None);
        }
        T::parse(text).map(Some).map_err(|problem| problem + ", or none")
    }

    fn show(&self) -> String {
        self.as_ref().map_or_else(|| "none".to_owned(), T::show)
    }
}

macro_rules! counts {
    ($($number:ty),*) => { $(
        impl Value for $number {
            const EXAMPLE: &'static str = "a whole number such as 1000";

            fn parse(text: &str) -> Result<Self, String> {
                let count = number(text).ok_or_else(|| format!("is no whole number; write {}", Self::EXAMPLE))?;
                Self::try_from(count).map_err(|_| format!("is too large; write at most {}", Self::MAX))
            }

            fn show(&self) -> String {
                self.to_string()
            }
        }
    )* };
}

counts!(u32, u64);

impl Value for PathBuf {
    const EXAMPLE: &'static str = "a path such as ./.soorma";

    fn parse(text: &str) -> Result<Self, String> {
        if text.is_empty() { Err(format!("is empty; write {}", Self::EXAMPLE)) } else { Ok(text.into()) }
    }

    fn show(&self) -> String {
        self.display().to_string()
    }
}

impl Value for SocketAddr {
    const EXAMPLE: &'static str = "an address and a port such as 127.0.0.1:8080 or [::]:8080";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("is no address with a port; write {}", Self::EXAMPLE))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for String {
    const EXAMPLE: &'static str = "a text";

    fn parse(text: &str) -> Result<Self, String> {
        Ok(text.to_owned())
    }

    fn show(&self) -> String {
        self.clone()
    }
}

impl Value for bool {
    const EXAMPLE: &'static str = "true or false";

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map_err(|_| format!("is neither true nor false; write {}", Self::EXAMPLE))
    }

    fn show(&self) -> String {
        self.to_string()
    }
}

impl Value for Servers {
    const EXAMPLE: &'static str = "addresses such as nats://127.0.0.1:4222, with commas between them";

    fn parse(text: &str) -> Result<Self, String> {
        let servers: Vec<String> =
            text.split(',').map(str::trim).filter(|server| !server.is_empty()).map(str::to_owned).collect();
        let known = |server: &String| {
            server
                .split_once("://")
                .is_none_or(|(scheme, host)| ["nats", "tls"].contains(&scheme) && !host.is_empty())
        };
        if servers.is_empty() || !servers.iter().all(known) {
            return Err(format!("is no address of NATS servers; write {}", Self::EXAMPLE));
        }
        Ok(Self(servers))
    }

    fn show(&self) -> String {
        self.0.join(",")
    }
}

impl Value for RetainOf {
    const EXAMPLE: &'static str = "topic=age/events, such as billing-events=90d/5000000";

    fn parse(text: &str) -> Result<Self, String> {
        let mut topics = BTreeMap::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let wrong = || format!("has '{part}'; write {}", Self::EXAMPLE);
            let (topic, kept) = part.split_once('=').ok_or_else(wrong)?;
            let (age, events) = kept.split_once('/').ok_or_else(wrong)?;
            let topic: Topic = topic.trim().parse().map_err(|_| wrong())?;
            let (age, events) = (Duration::parse(age.trim())?, u64::parse(events.trim())?);
            if age.is_zero() || events == 0 || topics.insert(topic, (age, events)).is_some() {
                return Err(wrong());
            }
        }
        Ok(Self(topics))
    }

    fn show(&self) -> String {
        let parts = self.0.iter().map(|(topic, (age, events))| format!("{topic}={}/{events}", age.show()));
        parts.collect::<Vec<_>>().join(",")
    }
}

impl Value for Durability {
    const EXAMPLE: &'static str = "acknowledged or synced";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "acknowledged" => Ok(Self::Acknowledged),
            "synced" => Ok(Self::Synced),
            _ => Err(format!("is no durability; write {}", Self::EXAMPLE)),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Synced => "synced",
        }
        .to_owned()
    }
}

impl Value for Payloads {
    const EXAMPLE: &'static str = "off, warn or enforce";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "off" => Ok(Self::Off),
            "warn" => Ok(Self::Warn),
            "enforce" => Ok(Self::Enforce),
            _ => Err(format!("is no way to treat payloads; write {}", Self::EXAMPLE)),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Off => "off",
            Self::Warn => "warn",
            Self::Enforce => "enforce",
        }
        .to_owned()
    }
}

impl Value for PayloadsOf {
    const EXAMPLE: &'static str = "tenant=off, warn or enforce, such as pt_shop=enforce,pt_lab=off";

    fn parse(text: &str) -> Result<Self, String> {
        let mut tenants = BTreeMap::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let wrong = || format!("has '{part}'; write {}", Self::EXAMPLE);
            let (tenant, payloads) = part.rsplit_once('=').ok_or_else(wrong)?;
            let tenant = TenantId::new(tenant).map_err(|_| wrong())?;
            if tenants.insert(tenant, Payloads::parse(payloads.trim())?).is_some() {
                return Err(wrong());
            }
        }
        Ok(Self(tenants))
    }

    fn show(&self) -> String {
        let parts = self.0.iter().map(|(tenant, payloads)| format!("{tenant}={}", payloads.show()));
        parts.collect::<Vec<_>>().join(",")
    }
}

impl EmbedderKind {
    /// As it is written.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Hashing => "hashing",
            Self::Local => "local",
            Self::OpenAi => "openai",
        }
    }
}

impl Value for EmbedderKind {
    const EXAMPLE: &'static str = "hashing, local or openai";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "hashing" => Ok(Self::Hashing),
            "local" => Ok(Self::Local),
            "openai" => Ok(Self::OpenAi),
            _ => Err(format!("is no embedder; write {}", Self::EXAMPLE)),
        }
    }

    fn show(&self) -> String {
        self.name().to_owned()
    }
}

impl Value for LogFormat {
    const EXAMPLE: &'static str = "text or json";

    fn parse(text: &str) -> Result<Self, String> {
        match text {
            "text" => Ok(Self::Text),
            "json" => Ok(Self::Json),
            _ => Err(format!("is no log format; write {}", Self::EXAMPLE)),
        }
    }

    fn show(&self) -> String {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
        .to_owned()
    }
}

impl fmt::Display for LogFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.show())
    }
}

/// Takes any value.
pub(super) fn any<T>(_: &T) -> Result<(), String> {
    Ok(())
}

/// Takes values from a least one on.
pub(super) fn at_least<T: Value + PartialOrd>(least: T) -> impl Fn(&T) -> Result<(), String> {
    move |value| {
        if *value < least { Err(format!("is too small; write at least {}", least.show())) } else { Ok(()) }
    }
}

/// Takes values between two, both included.
pub(super) fn between<T: Value + PartialOrd>(least: T, most: T) -> impl Fn(&T) -> Result<(), String> {
    move |value| {
        if *value > most {
            return Err(format!("is too large; write at most {}", most.show()));
        }
        if *value < least {
            return Err(format!("is too small; write at least {}", least.show()));
        }
        Ok(())
    }
}

/// Takes what is absent, and what the given check takes.
pub(super) fn if_given<T>(
    check: impl Fn(&T) -> Result<(), String>,
) -> impl Fn(&Option<T>) -> Result<(), String> {
    move |value| value.as_ref().map_or(Ok(()), &check)
}

/// Takes what the names of streams may begin with.
#[expect(clippy::ptr_arg, reason = "a check takes the value as it is kept")]
pub(super) fn prefix(prefix: &String) -> Result<(), String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    if prefix.is_empty() || prefix.len() > 64 || !prefix.bytes().all(legal) {
        return Err("is no prefix; write 1 to 64 letters, digits, hyphens and underscores".to_owned());
    }
    Ok(())
}

/// Takes what an agent's id may end with.
#[expect(clippy::ptr_arg, reason = "a check takes the value as it is kept")]
pub(super) fn node_name(name: &String) -> Result<(), String> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if name.len() > 64 || !name.bytes().all(legal) {
        return Err("is no name of a node; write at most 64 letters, digits, dots, hyphens and underscores"
            .to_owned());
    }
    Ok(())
}

/// Takes nothing, or the address of a database. The value is not repeated: it may hold a password.
#[expect(clippy::ptr_arg, reason = "a check takes the value as it is kept")]
pub(super) fn postgres_url(url: &String) -> Result<(), String> {
    let host = url.strip_prefix("postgres://").or_else(|| url.strip_prefix("postgresql://"));
    if !url.is_empty() && host.is_none_or(str::is_empty) {
        return Err(
            "is no address of a database; write postgres://user:password@host:5432/database".to_owned()
        );
    }
    Ok(())
}

/// Takes nothing, or an address on the web. That it can be used is looked at where it is.
#[expect(clippy::ptr_arg, reason = "a check takes the value as it is kept")]
pub(super) fn http_url(url: &String) -> Result<(), String> {
    let host = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    if !url.is_empty() && host.is_none_or(str::is_empty) {
        return Err("is no http address; write https://HOST/v1 or http://HOST:PORT/v1".to_owned());
    }
    Ok(())
}

/// Takes what needs no quotes in SQL.
#[expect(clippy::ptr_arg, reason = "a check takes the value as it is kept")]
pub(super) fn sql_name(name: &String) -> Result<(), String> {
    let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let legal = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    if !first || name.len() > 63 || !name.bytes().all(legal) || name.starts_with("pg_") {
        return Err("is no name in SQL; write 1 to 63 small letters, digits and underscores, no digit first, and not pg_".to_owned());
    }
    Ok(())
}

/// Takes levels and `target=level`, parted by commas.
pub(super) fn log_filter(filter: &str) -> Result<(), String> {
    let is_level = |text: &str| {
        ["off", "error", "warn", "info", "debug", "trace"]
            .iter()
            .any(|level| text.eq_ignore_ascii_case(level))
    };
    let fits = |directive: &str| match directive.rsplit_once('=') {
        Some((target, level)) => !target.trim().is_empty() && is_level(level.trim()),
        None => is_level(directive),
    };
    match filter.split(',').map(str::trim).find(|directive| !fits(directive)) {
        None => Ok(()),
        Some(wrong) => Err(format!(
            "has '{wrong}', which is neither a level nor target=level; write levels off, error, warn, info, debug or trace, \
             such as info,soorma_bus=debug"
        )),
    }
}
