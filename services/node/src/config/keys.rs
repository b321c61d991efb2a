//! The one table of keys: from it come the structs, the defaults, reading, `config show` and the reference.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use soorma_edge::Tokens;

use super::auth::Jwks;
use super::shown;
use super::value::{
    ByteSize, Durability, EmbedderKind, LogFormat, Payloads, PayloadsOf, RetainOf, Servers, Value, any,
    at_least, between, http_url, if_given, log_filter, node_name, postgres_url, prefix, sql_name,
};

/// What is known of a key.
pub(super) struct Key {
    pub(super) path: &'static str,
    /// Lines, each with the space that the comment has.
    pub(super) doc: &'static [&'static str],
    pub(super) example: &'static str,
    /// Its value is never shown.
    pub(super) secret: bool,
    pub(super) set: fn(&mut Config, &str) -> Result<(), String>,
    pub(super) show: fn(&Config) -> String,
}

/// Writes `secret` for a key that has the word, and nothing for others.
macro_rules! is_secret {
    () => {
        false
    };
    (secret) => {
        true
    };
}

/// A row is `key: Type = default, check;` with its documentation above it, and `secret` before it where it is one.
macro_rules! config {
    ($(
        $(#[doc = $about:literal])+
        $section:ident: $Section:ident {
            $( $(#[doc = $doc:literal])+ $($secret:ident)? [$key:ident] $Type:ty = $default:expr, $check:expr; )+
        }
    )+) => {
        /// The whole configuration of a node.
        #[derive(Debug, Clone, PartialEq, Eq, Default)]
        pub struct Config {
            $( $(#[doc = $about])+ pub $section: $Section, )+
        }

        $(
            $(#[doc = $about])+
            #[derive(Clone, PartialEq, Eq)]
            pub struct $Section {
                $( $(#[doc = $doc])+ pub $key: $Type, )+
            }

            /// As `config show` shows it: without secrets.
            impl std::fmt::Debug for $Section {
                fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                    let mut section = f.debug_struct(stringify!($Section));
                    $( section.field(stringify!($key), &shown(is_secret!($($secret)?), self.$key.show())); )+
                    section.finish()
                }
            }

            impl Default for $Section {
                fn default() -> Self {
                    Self { $( $key: $default, )+ }
                }
            }
        )+

        /// The sections and what they are about.
        pub(super) const SECTIONS: &[(&str, &[&str])] = &[ $( (stringify!($section), &[$($about),+]), )+ ];

        /// All keys.
        pub(super) const KEYS: &[Key] = &[ $( $( Key {
            path: concat!(stringify!($section), ".", stringify!($key)),
            doc: &[$($doc),+],
            example: <$Type as Value>::EXAMPLE,
            secret: is_secret!($($secret)?),
            set: |config, text| {
                let value = <$Type as Value>::parse(text)?;
                ($check)(&value)?;
                config.$section.$key = value;
                Ok(())
            },
            show: |config| config.$section.$key.show(),
        }, )+ )+ ];
    };
}

const MS: Duration = Duration::from_millis(1);
const KIB: u64 = 1_024;
const MIB: u64 = 1_024 * KIB;

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

config! {
    /// The process: where it keeps what it must not lose, and how it ends.
    node: Node {
        /// The folder of the embedded store.
        [data] PathBuf = "./.soorma".into(), any;
        /// How long requests and streams have to finish when the node is told to stop.
        [drain_within] Duration = secs(10), any;
        /// What sets this node apart from others of one platform: the agents that it hosts are registered as agent@name. Empty where there is one node.
        [name] String = String::new(), node_name;
    }
    /// HTTP and its streams.
    edge: Edge {
        /// The address and port that the node listens on; port 0 takes a free one.
        [listen] SocketAddr = SocketAddr::from(([127, 0, 0, 1], 8080)), any;
        /// How large a request may be.
        [max_body_bytes] ByteSize = ByteSize(MIB), between(ByteSize(KIB), ByteSize(64 * MIB));
        /// How large a request with several events may be.
        [max_batch_bytes] ByteSize = ByteSize(8 * MIB), between(ByteSize(KIB), ByteSize(256 * MIB));
        /// How long after it was sent an event counts as received by a stream that does not acknowledge.
        [settle_after] Duration = secs(5), at_least(MS);
        /// How many unsettled events a stream that is a member of a group has at most.
        [stream_credit] u32 = 256, between(1, 65_536);
        /// How long a stream may take no bytes before it is ended as a slow consumer, and its events go to others.
        [stall_after] Duration = secs(30), at_least(100 * MS);
        /// How many streams are open at once.
        [max_streams] u32 = 10_000, at_least(1);
        /// How many streams one tenant has open at once.
        [max_streams_per_tenant] u32 = 2_000, at_least(1);
        /// How many streams one user of a tenant has open at once.
        [max_streams_per_principal] u32 = 1_000, at_least(1);
        /// How often a stream that has nothing to say shows that it lives.
        [heartbeat] Duration = secs(15), at_least(100 * MS);
    }
    /// Who is asking: whether a token says it, and by what tokens are verified.
    auth: Auth {
        /// Whether every request needs a token: required, or optional, for a node that listens on this machine only. `soorma serve` requires them where nothing is said.
        [tokens] Tokens = Tokens::Optional, any;
        /// The secret that is shared with who issues tokens (HS256), of at least 32 bytes; empty for none.
        secret [jwt_secret] String = String::new(), any;
        /// The issuer (iss) that tokens must name; empty for any.
        [jwt_issuer] String = String::new(), any;
        /// The audience (aud) that tokens must name; empty for any.
        [jwt_audience] String = String::new(), any;
        /// The keys that who issues tokens publishes (RS256, as JWKS): a file, or an http or https address.
        [jwks] Option<Jwks> = None, any;
        /// How often these keys are read anew; early when a token names one that is not known.
        [jwks_refresh] Duration = secs(300), between(secs(1), secs(86_400));
        /// A token that opens /metrics, whole, and nothing else; empty for none.
        secret [metrics_token] String = String::new(), any;
    }
    /// Publishing, groups and live streams.
    bus: Bus {
        /// How many events may be on their way into the log; what comes beyond is refused as overloaded.
        [max_in_flight] u32 = 4_096, at_least(1);
        /// How large one event may be.
        [max_event_bytes] ByteSize = ByteSize(256 * KIB), between(ByteSize(KIB), ByteSize(64 * MIB));
        /// How many events a live stream may lag behind before it reads from the log again.
        [tail_buffer] u32 = 1_024, between(1, 65_536);
        /// How long a stream that is a member of a group has for an event before another gets it.
        [ack_within] Duration = secs(30), at_least(secs(1));
        /// How often streams of a group are given an event before it becomes a dead letter.
        [max_attempts] u32 = 5, at_least(1);
        /// After how long without a member the group of a stream is forgotten, if it has no dead letters.
        [group_idle] Duration = secs(7 * 86_400), at_least(secs(60));
        /// How many groups one tenant has.
        [max_groups_per_tenant] u32 = 10_000, at_least(1);
    }
    /// Who is here, what they can do, and what events mean.
    registry: Registry {
        /// How long an agent counts as alive after it was last heard.
        [lease] Duration = secs(300), between(secs(1), secs(30 * 86_400));
        /// How often agents are looked through for those that were not heard of for that long.
        [sweep_every] Duration = secs(60), between(100 * MS, secs(86_400));
        /// How long after that an agent is forgotten; until then it comes back when it is heard.
        [forget_after] Duration = secs(86_400), at_least(secs(1));
        /// How many agents one tenant has.
        [max_agents_per_tenant] u32 = 100_000, between(1, 10_000_000);
        /// How many agents all tenants have; each tenant may have as many at most.
        [max_agents] u32 = 1_000_000, between(1, 10_000_000);
        /// How much room in memory, by estimate, all that one tenant has registered takes; what an agent says counts twice.
        [max_bytes_per_tenant] ByteSize = ByteSize(256 * MIB), at_least(ByteSize(MIB));
        /// The same of all tenants. It is read into memory when the node starts: leave it as much, and more for what it works with.
        [max_bytes] ByteSize = ByteSize(4 * 1_024 * MIB), at_least(ByteSize(MIB));
        /// What becomes of an event whose payload does not fit the schema that its definition names: off, warn or enforce.
        [payloads] Payloads = Payloads::Warn, any;
        /// The same for tenants that differ: tenant=off, with commas between them.
        [payloads_of] PayloadsOf = PayloadsOf::default(), any;
    }
    /// What agents know, what happened, and what they have at hand.
    memory: Memory {
        /// How long a write waits for the vector of its text; then it is stored without, and gets it later.
        [embed_within] Duration = secs(2), between(10 * MS, secs(60));
        /// How long a search waits for the vector of its question; then it goes by words and by time.
        [search_within] Duration = secs(1), between(10 * MS, secs(60));
        /// How often what has expired is removed, and what happened longer ago than it is kept.
        [janitor_every] Duration = secs(30), between(100 * MS, secs(86_400));
        /// How long what happened with agents is kept; none is for ever.
        [keep_episodes] Option<Duration> = None, if_given(at_least(secs(1)));
        /// How many entries one tenant has, of all kinds.
        [max_entries_per_tenant] u64 = 1_000_000, at_least(1);
        /// How many bytes of texts and what belongs to them one tenant has.
        [max_bytes_per_tenant] ByteSize = ByteSize(4 * 1_024 * MIB), at_least(ByteSize(MIB));
        /// How many plans one tenant watches at once.
        [max_watches_per_tenant] u32 = 1_000, at_least(1);
        /// How much room vectors take in memory where they are kept in the data folder; what is asked for seldom is read anew.
        [vectors] ByteSize = ByteSize(512 * MIB), at_least(ByteSize(MIB));
        /// The key without which nobody erases what a user or a tenant has; empty for nobody.
        secret [admin_key] String = String::new(), any;
    }
    /// The registry and memory on Postgres, in place of the file in the data folder.
    postgres: Postgres {
        /// The address of the database, such as postgres://user:password@host/database; none keeps them in the data folder.
        secret [url] String = String::new(), postgres_url;
        /// The same database by its owner, who makes the tables; that of url where it is none.
        secret [owner_url] String = String::new(), postgres_url;
        /// The schema in which the tables stand.
        [schema] String = "soorma".to_owned(), sql_name;
        /// The role that the node works as; it owns nothing.
        [role] String = "soorma_node".to_owned(), sql_name;
        /// How many connections are open at most.
        [max_connections] u32 = 8, between(2, 1_000);
        /// How long an answer of the database is waited for.
        [answer_within] Duration = secs(10), between(100 * MS, secs(300));
    }
    /// How much of the past the event log keeps.
    log: Log {
        /// How long an event is kept.
        [retain_for] Duration = secs(7 * 86_400), at_least(secs(1));
        /// How many events of a topic are kept.
        [retain_events] u64 = 1_000_000, at_least(1);
        /// How large a log in the data folder may grow before it takes no more; none is as large as the disk. NATS servers have bounds of their own.
        [max_bytes] Option<ByteSize> = None, if_given(at_least(ByteSize(MIB)));
        /// What is kept of topics that differ: topic=age/events, with commas between them.
        [retain_of] RetainOf = RetainOf::default(), any;
    }
    /// The event log on NATS JetStream, in place of a file in the data folder.
    nats: Nats {
        /// The servers of one cluster, with commas between them; none keeps the log in the data folder.
        [servers] Option<Servers> = None, any;
        /// The user that the servers know; empty for none.
        [user] String = String::new(), any;
        /// The user's password.
        secret [password] String = String::new(), any;
        /// A token, in place of a user.
        secret [token] String = String::new(), any;
        /// A credentials file as nsc writes it, in place of a user.
        [credentials] Option<PathBuf> = None, any;
        /// A file of root certificates, in place of those of the system.
        [tls_root] Option<PathBuf> = None, any;
        /// Whether a connection without TLS is refused.
        [tls_required] bool = false, any;
        /// What the names of streams and subjects begin with.
        [prefix] String = "soorma".to_owned(), prefix;
        /// On how many servers each stream is kept.
        [replicas] u32 = 1, between(1, 5);
        /// When a publish is answered: acknowledged by the server, or synced, for servers with sync_interval: always.
        [durability] Durability = Durability::Acknowledged, any;
        /// How many publishes wait for the servers' answer at once.
        [max_unanswered] u32 = 512, between(1, 65_536);
        /// How long an answer of the servers is waited for.
        [answer_within] Duration = secs(10), between(100 * MS, secs(300));
        /// How many bytes of each topic are kept; none is no bound.
        [retain_bytes] Option<ByteSize> = None, if_given(at_least(ByteSize(MIB)));
    }
    /// Models: what turns texts into vectors, so that what is alike can be found.
    models: Models {
        /// Who does it: hashing, which is here and finds shared words and spellings, not meaning; local, a sentence model from a folder, in builds with local-models; openai, an endpoint of that kind; or none.
        [embedder] Option<EmbedderKind> = Some(EmbedderKind::Hashing), any;
        /// The folder of a sentence model, as sentence-transformers saves it: config.json, tokenizer.json, model.safetensors and what goes with them.
        [embedder_folder] Option<PathBuf> = None, any;
        /// The base address of the endpoint, such as https://api.openai.com/v1; texts are sent there.
        [embedder_url] String = String::new(), http_url;
        /// The key that the endpoint asks for; empty for none.
        secret [embedder_key] String = String::new(), any;
        /// The endpoint's model, such as text-embedding-3-small. Vectors of one model are kept under its name: give another model another name. A model from a folder needs none: its name is made of its files.
        [embedder_model] String = String::new(), any;
        /// How many numbers a vector of that model has, such as 1536.
        [embedder_dimensions] Option<u32> = None, if_given(between(1, 16_000));
        /// Whether the endpoint is asked to shorten its vectors to that many, which few models can.
        [embedder_shortens] bool = false, any;
    }
    /// What the node says of itself.
    telemetry: Telemetry {
        /// Which log lines are written: a level, and `target=level` for parts of the program.
        [log] String = "info".to_owned(), log_filter;
        /// How log lines are written: text or json.
        [format] LogFormat = LogFormat::Text, any;
    }
}
