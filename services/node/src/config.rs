//! The configuration of a node: defaults, then `soorma.toml`, then the environment, then flags.
//!
//! Pure: files, environment and flags are arguments, and all that is wrong with them is said at once. The one
//! table of keys is in `keys`; how values are written is in `value`.

mod auth;
mod error;
mod file;
mod keys;
mod value;

#[cfg(test)]
mod tests;

use std::path::PathBuf;

pub use auth::Jwks;
pub use error::{ConfigError, Source};
pub use keys::{Auth, Bus, Config, Edge, Log, Memory, Models, Nats, Node, Postgres, Registry, Telemetry};
pub use value::{ByteSize, Durability, EmbedderKind, LogFormat, Payloads, PayloadsOf, RetainOf, Servers};

pub use soorma_edge::Tokens;

use error::nearest;
use keys::{KEYS, Key, SECTIONS};

/// What an environment variable of ours begins with; section and key follow, with two underscores between them.
pub const ENV_PREFIX: &str = "SOORMA__";

/// Variables that the published services read, and what they are here; ours go before them.
const ALIASES: [(&str, &str); 5] = [
    ("SOORMA_AUTH_JWT_SECRET", "auth.jwt_secret"),
    ("SOORMA_AUTH_JWT_ISSUER", "auth.jwt_issuer"),
    ("SOORMA_AUTH_JWT_AUDIENCE", "auth.jwt_audience"),
    ("SOORMA_AUTH_JWKS_URL", "auth.jwks"),
    ("MEMORY_ADMIN_API_KEY", "memory.admin_key"),
];

/// Returns whether an environment variable of that name means something here.
pub fn is_ours(name: &str) -> bool {
    name.starts_with(ENV_PREFIX) || ALIASES.iter().any(|(alias, _)| *alias == name)
}

/// Where a configuration comes from, weakest first.
#[derive(Debug, Clone, Default)]
pub struct Sources {
    /// The file, where there is one.
    pub file: Option<File>,
    /// The environment; what [`is_ours`] does not know is passed over.
    pub env: Vec<(String, String)>,
    /// Paths and values from the command line, such as `edge.listen` and `127.0.0.1:0`.
    pub flags: Vec<(String, String)>,
}

/// A configuration file that was read.
#[derive(Debug, Clone)]
pub struct File {
    /// Where it stands.
    pub path: PathBuf,
    /// What it holds.
    pub text: String,
}

/// A whole configuration, and where each value comes from.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// A row a key, in the order of the table.
    pub rows: Vec<Row>,
}

/// One key as it is shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The key, such as `bus.ack_within`.
    pub path: &'static str,
    /// The value as one would write it; secrets are masked.
    pub value: String,
    /// Where it comes from.
    pub source: Source,
    /// What it does.
    pub doc: String,
}

/// One value that somebody gave.
struct Given {
    path: String,
    /// The text, or what stands there instead of a single value.
    value: Result<String, String>,
    source: Source,
}

/// Makes the configuration.
///
/// # Errors
/// All that is wrong, in every source.
pub fn load(sources: Sources) -> Result<Loaded, Vec<ConfigError>> {
    let mut errors = Vec::new();
    let mut given = Vec::new();
    if let Some(file) = &sources.file {
        file::read(file, &mut given, &mut errors);
    }
    given.extend(sources.env.iter().filter_map(|(name, value)| {
        let (_, path) = ALIASES.iter().find(|(alias, _)| alias == name)?;
        // Compose files set what they leave out to nothing.
        let given = || Given {
            path: (*path).to_owned(),
            value: Ok(value.clone()),
            source: Source::Env(name.clone()),
        };
        (!value.trim().is_empty()).then(given)
    }));
    given.extend(sources.env.into_iter().filter_map(|(name, value)| {
        let path = name.strip_prefix(ENV_PREFIX)?.to_ascii_lowercase().replace("__", ".");
        Some(Given { path, value: Ok(value), source: Source::Env(name) })
    }));
    given.extend(sources.flags.into_iter().map(|(path, value)| Given {
        path,
        value: Ok(value),
        source: Source::Flag,
    }));

    let mut config = Config::default();
    let mut from = vec![Source::Default; KEYS.len()];
    for Given { path, value, source } in given {
        let Some((key, place)) = KEYS.iter().zip(&mut from).find(|(key, _)| key.path == path) else {
            errors.push(unknown(path, source));
            continue;
        };
        let set = match &value {
            Ok(text) => (key.set)(&mut config, text.trim()),
            Err(kind) => Err(format!("is {kind} where one value belongs; write {}", key.example)),
        };
        match set {
            Ok(()) => *place = source,
            Err(problem) => errors.push(refused(key, value, source, &problem)),
        }
    }
    if !errors.is_empty() {
        return Err(errors);
    }
    let rows = KEYS.iter().zip(from).map(|(key, source)| {
        let value = shown(key.secret, (key.show)(&config));
        Row { path: key.path, value, source, doc: doc(key) }
    });
    Ok(Loaded { rows: rows.collect(), config })
}

/// Writes a `soorma.toml` with every key, what it does, and its default.
pub fn reference() -> String {
    let defaults = Config::default();
    let mut out = String::from(
        "# Every key of soorma.toml, with its default. Durations: 500ms, 30s, 5m, 2h, 7d. Sizes: 256KiB, 1MiB, 10GiB, or bytes.\n",
    );
    for (section, about) in SECTIONS {
        out += &format!("\n#{}\n[{section}]\n", about.concat());
        for key in KEYS {
            if let Some(name) = key.path.strip_prefix(section).and_then(|rest| rest.strip_prefix('.')) {
                let value = toml::Value::String((key.show)(&defaults));
                out += &format!("#{}\n{name} = {value}\n", key.doc.concat());
            }
        }
    }
    out
}

fn doc(key: &Key) -> String {
    key.doc.concat().trim().to_owned()
}

/// What stands where a secret is.
const MASK: &str = "********";

/// Returns the value as it may be shown: of an address neither a password that stands before the host nor a query.
fn shown(secret: bool, value: String) -> String {
    if secret && !value.is_empty() {
        return MASK.to_owned();
    }
    // Behind a query nothing is told apart from it any more, and a password may have the same signs.
    let query = value.find(['?', '#']).filter(|_| value.contains("://"));
    let Some((address, query)) = query.and_then(|at| value.split_at_checked(at)) else {
        return without_passwords(&value);
    };
    if query.contains('@') {
        let scheme = address.split_once("://").map_or("", |(scheme, _)| scheme);
        return format!("{scheme}://{MASK}");
    }
    format!("{}?{MASK}", without_passwords(address))
}

/// Masks what stands before a host, in each of several addresses.
fn without_passwords(value: &str) -> String {
    let one = |part: &str| match (part.split_once("://"), part.rsplit_once('@')) {
        (Some((scheme, _)), Some((_, host))) => format!("{scheme}://{MASK}@{host}"),
        (None, Some((_, host))) => format!("{MASK}@{host}"),
        (_, None) => part.to_owned(),
    };
    value.split(',').map(one).collect::<Vec<_>>().join(",")
}

/// Says that a value does not fit its key. The problem is `what is wrong; what to do`.
fn refused(key: &Key, value: Result<String, String>, source: Source, problem: &str) -> ConfigError {
    let (problem, advice) = problem.split_once("; ").unwrap_or((problem, ""));
    ConfigError {
        path: key.path.to_owned(),
        value: value.ok().map(|text| shown(key.secret, text)),
        source,
        problem: problem.to_owned(),
        advice: advice.to_owned(),
    }
}

/// Says that there is no such key. Its value is not shown: it may be a secret whose name is mistyped.
fn unknown(path: String, source: Source) -> ConfigError {
    let keys_of = |section: &str| {
        let keys = KEYS.iter().filter_map(|key| key.path.strip_prefix(section)?.strip_prefix('.'));
        keys.collect::<Vec<_>>().join(", ")
    };
    let sections = SECTIONS.iter().map(|(section, _)| *section);
    let (problem, advice) = if sections.clone().any(|section| section == path) {
        ("is a section and takes no value", format!("its keys are {}", keys_of(&path)))
    } else if let Some(near) = nearest(&path, KEYS.iter().map(|key| key.path)) {
        ("is no key", format!("did you mean {near}?"))
    } else {
        match path.split_once('.').filter(|(section, _)| sections.clone().any(|known| known == *section)) {
            Some((section, _)) => ("is no key", format!("the keys of {section} are {}", keys_of(section))),
            None => ("is no key", format!("the sections are {}", sections.collect::<Vec<_>>().join(", "))),
        }
    };
    ConfigError { path, value: None, source, problem: problem.to_owned(), advice }
}
