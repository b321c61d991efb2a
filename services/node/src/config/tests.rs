//! Tables of good and bad values, precedence, and all errors at once.

use std::collections::BTreeSet;
use std::time::Duration;

use super::keys::KEYS;
use super::{
    ByteSize, Config, ConfigError, ENV_PREFIX, File, Loaded, LogFormat, Source, Sources, load, reference,
    shown,
};

fn file(text: &str) -> Sources {
    Sources { file: Some(File { path: "soorma.toml".into(), text: text.to_owned() }), ..Sources::default() }
}

fn env(name: &str, value: &str) -> Sources {
    Sources { env: vec![(name.to_owned(), value.to_owned())], ..Sources::default() }
}

fn flag(path: &str, value: &str) -> Sources {
    Sources { flags: vec![(path.to_owned(), value.to_owned())], ..Sources::default() }
}

fn row(loaded: &Loaded, path: &str) -> (String, String) {
    let row = loaded.rows.iter().find(|row| row.path == path).expect(path);
    (row.value.clone(), row.source.to_string())
}

fn errors(sources: Sources) -> Vec<String> {
    load(sources).expect_err("is refused").iter().map(ConfigError::to_string).collect()
}

#[test]
fn nothing_given_is_the_defaults() {
    let loaded = load(Sources::default()).unwrap();
    assert_eq!(loaded.config, Config::default());
    assert!(loaded.rows.iter().all(|row| row.source == Source::Default && !row.doc.is_empty()));
    let shown: Vec<String> = loaded.rows.iter().map(|row| format!("{}={}", row.path, row.value)).collect();
    assert_eq!(
        shown,
        [
            "node.data=./.soorma",
            "node.drain_within=10s",
            "node.name=",
            "edge.listen=127.0.0.1:8080",
            "edge.max_body_bytes=1MiB",
            "edge.max_batch_bytes=8MiB",
            "edge.settle_after=5s",
            "edge.stream_credit=256",
            "edge.stall_after=30s",
            "edge.max_streams=10000",
            "edge.max_streams_per_tenant=2000",
            "edge.max_streams_per_principal=1000",
            "edge.heartbeat=15s",
            "auth.tokens=optional",
            "auth.jwt_secret=",
            "auth.jwt_issuer=",
            "auth.jwt_audience=",
            "auth.jwks=none",
            "auth.jwks_refresh=5m",
            "auth.metrics_token=",
            "bus.max_in_flight=4096",
            "bus.max_event_bytes=256KiB",
            "bus.tail_buffer=1024",
            "bus.ack_within=30s",
            "bus.max_attempts=5",
            "bus.group_idle=7d",
            "bus.max_groups_per_tenant=10000",
            "registry.lease=5m",
            "registry.sweep_every=1m",
            "registry.forget_after=1d",
            "registry.max_agents_per_tenant=100000",
            "registry.max_agents=1000000",
            "registry.max_bytes_per_tenant=256MiB",
            "registry.max_bytes=4GiB",
            "registry.payloads=warn",
            "registry.payloads_of=",
            "memory.embed_within=2s",
            "memory.search_within=1s",
            "memory.janitor_every=30s",
            "memory.keep_episodes=none",
            "memory.max_entries_per_tenant=1000000",
            "memory.max_bytes_per_tenant=4GiB",
            "memory.max_watches_per_tenant=1000",
            "memory.vectors=512MiB",
            "memory.admin_key=",
            "postgres.url=",
            "postgres.owner_url=",
            "postgres.schema=soorma",
            "postgres.role=soorma_node",
            "postgres.max_connections=8",
            "postgres.answer_within=10s",
            "log.retain_for=7d",
            "log.retain_events=1000000",
            "log.max_bytes=none",
            "log.retain_of=",
            "nats.servers=none",
            "nats.user=",
            "nats.password=",
            "nats.token=",
            "nats.credentials=none",
            "nats.tls_root=none",
            "nats.tls_required=false",
            "nats.prefix=soorma",
            "nats.replicas=1",
            "nats.durability=acknowledged",
            "nats.max_unanswered=512",
            "nats.answer_within=10s",
            "nats.retain_bytes=none",
            "models.embedder=hashing",
            "models.embedder_folder=none",
            "models.embedder_url=",
            "models.embedder_key=",
            "models.embedder_model=",
            "models.embedder_dimensions=none",
            "models.embedder_shortens=false",
            "telemetry.log=info",
            "telemetry.format=text",
        ]
    );
}

#[test]
fn good_values_are_read_and_shown_in_their_shortest_form() {
    for (path, text, value) in [
        ("edge.settle_after", "500ms", "500ms"),
        ("bus.ack_within", "1500ms", "1500ms"),
        ("bus.ack_within", "60000ms", "1m"),
        ("bus.ack_within", " 90s ", "90s"),
        ("bus.ack_within", "5 m", "5m"),
        ("bus.ack_within", "48h", "2d"),
        ("bus.ack_within", "3650d", "3650d"),
        ("node.drain_within", "0s", "0s"),
        ("node.drain_within", "0d", "0s"),
        ("edge.max_body_bytes", "2048", "2KiB"),
        ("edge.max_body_bytes", "1000000", "1000000"),
        ("edge.max_body_bytes", "1_048_576", "1MiB"),
        ("log.max_bytes", "10GiB", "10GiB"),
        ("log.max_bytes", "1025MiB", "1025MiB"),
        ("log.max_bytes", "none", "none"),
        ("log.retain_events", "18446744073709551615", "18446744073709551615"),
        ("bus.max_in_flight", "1_000", "1000"),
        ("edge.listen", "0.0.0.0:0", "0.0.0.0:0"),
        ("edge.listen", "[::1]:443", "[::1]:443"),
        ("node.data", "/var/lib/soorma with space", "/var/lib/soorma with space"),
        ("telemetry.log", "warn,soorma_bus=debug,hyper=OFF", "warn,soorma_bus=debug,hyper=OFF"),
        ("telemetry.format", "json", "json"),
        (
            "log.retain_of",
            " plan-events=24h/10 , billing-events=90d/5_000",
            "billing-events=90d/5000,plan-events=1d/10",
        ),
        ("nats.servers", "nats://a:4222, tls://b:4222,c", "nats://a:4222,tls://b:4222,c"),
        ("nats.servers", "none", "none"),
        ("nats.tls_required", "true", "true"),
        ("nats.durability", "synced", "synced"),
        ("auth.tokens", "required", "required"),
        ("auth.jwks", "./keys.json", "./keys.json"),
        ("auth.jwks", "https://issuer.example/jwks.json", "https://issuer.example/jwks.json"),
        ("auth.jwks", "none", "none"),
        ("node.name", "eu-1.a", "eu-1.a"),
        ("registry.payloads", "enforce", "enforce"),
        ("registry.payloads_of", " pt_b = off , pt_a=warn,", "pt_a=warn,pt_b=off"),
        ("postgres.schema", "_agents2", "_agents2"),
        ("models.embedder", "openai", "openai"),
        ("models.embedder", "local", "local"),
        ("models.embedder_folder", "./model", "./model"),
        ("models.embedder", "none", "none"),
        ("models.embedder_url", "https://api.openai.com/v1", "https://api.openai.com/v1"),
        ("models.embedder_dimensions", "1_536", "1536"),
    ] {
        let loaded = load(flag(path, text)).unwrap_or_else(|e| panic!("{path} = {text}: {e:?}"));
        assert_eq!(row(&loaded, path), (value.to_owned(), "command line".to_owned()), "{path} = {text}");
        let again = load(flag(path, value)).unwrap();
        assert_eq!(again.config, loaded.config, "{value} is read as it is shown");
    }
}

#[test]
fn bad_values_are_refused_with_what_to_write_instead() {
    const DURATION: &str = "is no duration; write a duration such as 500ms, 30s, 5m, 2h or 7d";
    const SIZE: &str = "is no size; write a size such as 256KiB, 1MiB or 10GiB, or a number of bytes";
    const COUNT: &str = "is no whole number; write a whole number such as 1000";
    const ADDRESS: &str =
        "is no address with a port; write an address and a port such as 127.0.0.1:8080 or [::]:8080";
    for (path, text, says) in [
        ("bus.ack_within", "soon", DURATION),
        ("bus.ack_within", "", DURATION),
        ("bus.ack_within", "30", DURATION),
        ("bus.ack_within", "-1s", DURATION),
        ("bus.ack_within", "1.5s", DURATION),
        ("bus.ack_within", "1m30s", DURATION),
        ("bus.ack_within", "30S", DURATION),
        ("bus.ack_within", "s", DURATION),
        ("bus.ack_within", "99999999999999999999d", DURATION),
        ("bus.ack_within", "999999999999d", DURATION),
        ("bus.ack_within", "3651d", "is too long; write at most 3650d"),
        ("bus.ack_within", "99ms", "is too small; write at least 1s"),
        ("edge.max_body_bytes", "1MB", SIZE),
        ("edge.max_body_bytes", "1.5MiB", SIZE),
        ("edge.max_body_bytes", "none", SIZE),
        ("edge.max_body_bytes", "17179869184GiB", SIZE),
        ("edge.max_body_bytes", "1023", "is too small; write at least 1KiB"),
        ("edge.max_body_bytes", "65MiB", "is too large; write at most 64MiB"),
        (
            "log.max_bytes",
            "all",
            "is no size; write a size such as 256KiB, 1MiB or 10GiB, or a number of bytes, or none",
        ),
        ("log.max_bytes", "5", "is too small; write at least 1MiB"),
        ("bus.max_in_flight", "many", COUNT),
        ("bus.max_in_flight", "-1", COUNT),
        ("bus.max_in_flight", "+1", COUNT),
        ("bus.max_in_flight", "1.0", COUNT),
        ("bus.max_in_flight", "_1", COUNT),
        ("bus.max_in_flight", "0", "is too small; write at least 1"),
        ("bus.max_in_flight", "4294967296", "is too large; write at most 4294967295"),
        ("edge.listen", "localhost:8080", ADDRESS),
        ("edge.listen", ":8080", ADDRESS),
        ("edge.listen", "127.0.0.1", ADDRESS),
        ("edge.listen", "127.0.0.1:65536", ADDRESS),
        ("node.data", " ", "is empty; write a path such as ./.soorma"),
        ("telemetry.format", "xml", "is no log format; write text or json"),
        (
            "nats.servers",
            "http://a",
            "is no address of NATS servers; write addresses such as nats://127.0.0.1:4222, with commas between them, or none",
        ),
        ("nats.prefix", "a.b", "is no prefix; write 1 to 64 letters, digits, hyphens and underscores"),
        ("auth.tokens", "never", "is neither; write required or optional"),
        (
            "auth.jwks",
            "ftp://issuer.example",
            "is no http address; write a file such as ./keys.json, or an address such as https://issuer.example/jwks.json, or none",
        ),
        ("nats.durability", "fsync", "is no durability; write acknowledged or synced"),
        (
            "node.name",
            "a b",
            "is no name of a node; write at most 64 letters, digits, dots, hyphens and underscores",
        ),
        ("registry.payloads", "loud", "is no way to treat payloads; write off, warn or enforce"),
        (
            "registry.payloads_of",
            "pt_a",
            "has 'pt_a'; write tenant=off, warn or enforce, such as pt_shop=enforce,pt_lab=off",
        ),
        (
            "postgres.role",
            "pg_me",
            "is no name in SQL; write 1 to 63 small letters, digits and underscores, no digit first, and not pg_",
        ),
        ("models.embedder", "clip", "is no embedder; write hashing, local or openai, or none"),
        (
            "models.embedder_url",
            "api.openai.com",
            "is no http address; write https://HOST/v1 or http://HOST:PORT/v1",
        ),
        ("models.embedder_dimensions", "0", "is too small; write at least 1"),
        ("nats.tls_required", "yes", "is neither true nor false; write true or false"),
        ("nats.replicas", "6", "is too large; write at most 5"),
        (
            "log.retain_of",
            "plans=1d/1",
            "has 'plans=1d/1'; write topic=age/events, such as billing-events=90d/5000000",
        ),
        (
            "telemetry.log",
            "info,soorma_bus=loud",
            "has 'soorma_bus=loud', which is neither a level nor target=level; write levels off, error, warn, info, debug or \
             trace, such as info,soorma_bus=debug",
        ),
    ] {
        assert_eq!(errors(flag(path, text)), [format!("command line: {path} = '{text}' {says}")]);
    }
}

#[test]
fn flags_beat_the_environment_which_beats_the_file_which_beats_the_defaults() {
    let sources = Sources {
        env: vec![
            ("SOORMA__BUS__ACK_WITHIN".into(), "2s".into()),
            ("SOORMA__BUS__MAX_ATTEMPTS".into(), "2".into()),
            ("SOORMA_TEST_NATS_URL".into(), "not ours".into()),
            ("PATH".into(), "/bin".into()),
        ],
        flags: vec![("bus.ack_within".into(), "3s".into())],
        ..file(
            "[node]\ndata = \"/srv\"\n\n[bus]\nmax_attempts = 1\nack_within = \"1s\"\ntail_buffer = 0x10\n",
        )
    };
    let loaded = load(sources).unwrap();
    assert_eq!(loaded.config.bus.ack_within, Duration::from_secs(3));
    assert_eq!(row(&loaded, "bus.ack_within"), ("3s".into(), "command line".into()));
    assert_eq!(row(&loaded, "bus.max_attempts"), ("2".into(), "SOORMA__BUS__MAX_ATTEMPTS".into()));
    assert_eq!(row(&loaded, "bus.tail_buffer"), ("16".into(), "soorma.toml:7".into()));
    assert_eq!(row(&loaded, "node.data"), ("/srv".into(), "soorma.toml:2".into()));
    assert_eq!(row(&loaded, "log.retain_for"), ("7d".into(), "default".into()));
}

#[test]
fn every_key_is_read_from_file_environment_and_flags() {
    let defaults = Config::default();
    for key in KEYS {
        let value = (key.show)(&defaults);
        let (section, name) = key.path.split_once('.').unwrap();
        let variable = format!("{ENV_PREFIX}{}__{}", section.to_uppercase(), name.to_uppercase());
        for (sources, source) in [
            (file(&format!("[{section}]\n{name} = \"{value}\"\n")), "soorma.toml:2".to_owned()),
            (file(&format!("{section}.{name} = \"{value}\"\n")), "soorma.toml:1".to_owned()),
            (env(&variable, &value), variable.clone()),
            (flag(key.path, &value), "command line".to_owned()),
        ] {
            let loaded = load(sources).unwrap();
            assert_eq!(loaded.config, defaults, "{}", key.path);
            assert_eq!(row(&loaded, key.path), (value.clone(), source));
        }
    }
    let paths: BTreeSet<_> = KEYS.iter().map(|key| key.path).collect();
    assert_eq!(paths.len(), KEYS.len());
}

#[test]
fn all_that_is_wrong_in_all_sources_is_said_at_once() {
    let sources = Sources {
        env: vec![
            ("SOORMA__BUS__ACK_WITHIN".into(), "soon".into()),
            ("SOORMA__BUS__ACK_WITHN".into(), "hunter2".into()),
        ],
        flags: vec![("edge.listen".into(), "here".into()), ("log.max_bytes".into(), "1MiB".into())],
        ..file(
            "listen = \"0.0.0.0:80\"\n\n[edge]\nmax_streams = 0\nheartbeat = [1]\n[buss]\ntail_buffer = 7\n\
             [bus.limits]\nmax = 1\n[telemetry.log]\n",
        )
    };
    assert_eq!(
        errors(sources),
        [
            "soorma.toml:1: listen is no key; did you mean edge.listen?",
            "soorma.toml:4: edge.max_streams = '0' is too small; write at least 1",
            "soorma.toml:5: edge.heartbeat is a list where one value belongs; write a duration such as 500ms, 30s, 5m, 2h or 7d",
            "soorma.toml:7: buss.tail_buffer is no key; did you mean bus.tail_buffer?",
            "soorma.toml:9: bus.limits.max is no key; the keys of bus are max_in_flight, max_event_bytes, tail_buffer, ack_within, \
             max_attempts, group_idle, max_groups_per_tenant",
            "soorma.toml:10: telemetry.log is a table where one value belongs; write a text",
            "SOORMA__BUS__ACK_WITHIN: bus.ack_within = 'soon' is no duration; write a duration such as 500ms, 30s, 5m, 2h or 7d",
            "SOORMA__BUS__ACK_WITHN: bus.ack_withn is no key; did you mean bus.ack_within?",
            "command line: edge.listen = 'here' is no address with a port; write an address and a port such as 127.0.0.1:8080 \
             or [::]:8080",
        ]
    );
}

#[test]
fn a_wrong_value_is_told_also_where_a_stronger_source_overrides_it() {
    let sources =
        Sources { flags: vec![("bus.ack_within".into(), "1s".into())], ..file("bus.ack_within = \"soon\"") };
    assert_eq!(errors(sources).len(), 1);
}

#[test]
fn unknown_keys_get_the_nearest_one_or_what_there_is() {
    for (path, advice) in [
        ("bus.ack_whitin", "did you mean bus.ack_within?"),
        ("bus.ackwithin", "did you mean bus.ack_within?"),
        ("edge.ack_within", "did you mean bus.ack_within?"),
        ("server.listen", "did you mean edge.listen?"),
        ("heartbeat", "did you mean edge.heartbeat?"),
        ("node", "its keys are data, drain_within, name"),
        ("node.colour_of_the_door", "the keys of node are data, drain_within, name"),
        (
            "colour.of_the_door",
            "the sections are node, edge, auth, bus, registry, memory, postgres, log, nats, models, telemetry",
        ),
        (
            "",
            "the sections are node, edge, auth, bus, registry, memory, postgres, log, nats, models, telemetry",
        ),
    ] {
        let errors = load(flag(path, "1")).unwrap_err();
        assert_eq!(errors.len(), 1);
        assert_eq!((errors[0].path.as_str(), errors[0].advice.as_str()), (path, advice));
        assert_eq!(errors[0].value, None, "what an unknown key holds may be a secret");
    }
}

#[test]
fn a_file_that_is_no_toml_is_told_with_its_line_and_the_rest_is_still_looked_at() {
    let sources = Sources {
        env: vec![("SOORMA__EDGE__LISTEN".into(), "x".into())],
        ..file("[bus]\nack_within = 30s\n")
    };
    let errors = errors(sources);
    assert!(errors[0].starts_with("soorma.toml:2: is no TOML: "), "{errors:?}");
    assert!(errors[0].ends_with("strings stand in quotes, such as ack_within = \"30s\""), "{errors:?}");
    assert!(
        errors.last().unwrap().starts_with("SOORMA__EDGE__LISTEN: edge.listen = 'x' is no address"),
        "{errors:?}"
    );
}

#[test]
fn empty_files_and_empty_sections_say_nothing() {
    for text in ["", "\n", "# nothing\n", "[bus]\n", "\u{feff}[bus]\r\n[edge]\r\n"] {
        assert_eq!(load(file(text)).unwrap().config, Config::default(), "{text:?}");
    }
}

#[test]
fn the_reference_is_a_file_of_all_defaults() {
    let reference = reference();
    let loaded = load(file(&reference)).unwrap();
    assert_eq!(loaded.config, Config::default());
    assert!(
        loaded.rows.iter().all(|row| matches!(row.source, Source::File { .. })),
        "every key stands in it"
    );
    assert!(reference.contains(
        "\n# How much of the past the event log keeps.\n[log]\n# How long an event is kept.\nretain_for = \"7d\"\n"
    ));
}

#[test]
fn the_names_of_the_published_services_are_read_and_ours_go_before_them() {
    let both = Sources {
        env: vec![
            ("SOORMA__AUTH__JWT_ISSUER".into(), "ours".into()),
            ("SOORMA_AUTH_JWT_ISSUER".into(), "theirs".into()),
            ("SOORMA_AUTH_JWT_AUDIENCE".into(), "services".into()),
            ("SOORMA_AUTH_JWKS_URL".into(), " ".into()),
            ("SOORMA_AUTH_JWT_SECRET".into(), "hunter2".into()),
            ("MEMORY_ADMIN_API_KEY".into(), "hunter2".into()),
            ("SOORMA_AUTH_TOKEN".into(), "none of ours".into()),
        ],
        ..file("[auth]\njwt_audience = \"of the file\"\njwks = \"keys.json\"\n")
    };
    let loaded = load(both).unwrap();
    let shown = |path: &str| row(&loaded, path);
    assert_eq!(shown("auth.jwt_issuer"), ("ours".to_owned(), "SOORMA__AUTH__JWT_ISSUER".to_owned()));
    assert_eq!(shown("auth.jwt_audience"), ("services".to_owned(), "SOORMA_AUTH_JWT_AUDIENCE".to_owned()));
    assert_eq!(shown("auth.jwks"), ("keys.json".to_owned(), "soorma.toml:3".to_owned()));
    assert_eq!(shown("auth.jwt_secret"), ("********".to_owned(), "SOORMA_AUTH_JWT_SECRET".to_owned()));
    assert_eq!(shown("memory.admin_key"), ("********".to_owned(), "MEMORY_ADMIN_API_KEY".to_owned()));
    let refused = errors(env("SOORMA_AUTH_JWKS_URL", "ftp://x"));
    assert!(refused[0].starts_with("SOORMA_AUTH_JWKS_URL: auth.jwks = 'ftp://x' is no http"), "{refused:?}");
    assert!(super::is_ours("SOORMA_AUTH_JWKS_URL") && super::is_ours("SOORMA__EDGE__LISTEN"));
    assert!(!super::is_ours("SOORMA_AUTH_TOKEN") && !super::is_ours("PATH"));
}

#[test]
fn secrets_are_masked() {
    assert_eq!(shown(true, "hunter2".into()), "********");
    assert_eq!(shown(true, String::new()), "", "that there is none is no secret");
    assert_eq!(shown(false, "30s".into()), "30s");
    let secret: Vec<_> = KEYS.iter().filter(|key| key.secret).map(|key| key.path).collect();
    assert_eq!(
        secret,
        [
            "auth.jwt_secret",
            "auth.metrics_token",
            "memory.admin_key",
            "postgres.url",
            "postgres.owner_url",
            "nats.password",
            "nats.token",
            "models.embedder_key",
        ]
    );
    for key in secret {
        let value = if key.ends_with("url") { "postgres://ada:hunter2@host" } else { "hunter2" };
        let loaded = load(flag(key, value)).unwrap();
        assert_eq!(row(&loaded, key).0, "********");
    }
}

#[test]
fn passwords_in_addresses_are_masked_wherever_a_value_is_shown() {
    let servers = "nats://ada:hunter2@a:4222,nats://b:4222,tls://token-hunter2@c,ada:hunter2@d";
    let loaded = load(flag("nats.servers", servers)).unwrap();
    assert_eq!(loaded.config.nats.servers.as_ref().unwrap().0.len(), 4);
    let shown = "nats://********@a:4222,nats://b:4222,tls://********@c,********@d";
    assert_eq!(row(&loaded, "nats.servers").0, shown);
    let refused = errors(flag("nats.servers", "http://ada:hunter2@a"));
    assert!(!refused[0].contains("hunter2") && refused[0].contains("http://********@a"), "{refused:?}");
}

#[test]
fn queries_of_addresses_are_cut_wherever_a_value_is_shown() {
    for (value, shows) in [
        ("https://ada:hunter2@issuer.example/keys.json", "https://********@issuer.example/keys.json"),
        ("https://issuer.example/keys.json?key=hunter2", "https://issuer.example/keys.json?********"),
        ("https://issuer.example/?key=a,hunter2", "https://issuer.example/?********"),
        ("https://issuer.example/#hunter2", "https://issuer.example/?********"),
        ("https://ada:hunter2@issuer.example/?key=hunter2", "https://********@issuer.example/?********"),
        ("https://issuer.example/?key=x@hunter2", "https://********"),
        ("https://ada:hun?ter2@issuer.example/", "https://********"),
        ("./what?.json", "./what?.json"),
    ] {
        let loaded = load(flag("auth.jwks", value)).unwrap();
        assert_eq!(row(&loaded, "auth.jwks").0, shows);
        assert!(!format!("{:?} {:?}", loaded, loaded.config.auth.jwks).contains("hunter2"), "{value}");
    }
    let refused = errors(flag("auth.jwks", "ftp://issuer.example/?key=hunter2"));
    assert!(!refused[0].contains("hunter2") && refused[0].contains("ftp://issuer.example/?*"), "{refused:?}");
}

#[test]
fn no_secret_is_in_a_configuration_that_is_printed_for_whoever_looks_for_faults() {
    let mut flags: Vec<(String, String)> = Vec::new();
    for key in KEYS.iter().filter(|key| key.secret) {
        let value = if key.path.ends_with("url") { "postgres://ada:hunter2@host" } else { "hunter2" };
        flags.push((key.path.to_owned(), value.to_owned()));
    }
    for (path, value) in [
        ("nats.servers", "nats://ada:hunter2@a:4222"),
        ("auth.jwks", "https://ada:hunter2@issuer.example/?key=hunter2"),
        ("models.embedder_url", "https://ada:hunter2@models.example/v1?key=hunter2"),
    ] {
        flags.push((path.to_owned(), value.to_owned()));
    }
    let config = load(Sources { flags, ..Sources::default() }).unwrap().config;
    for printed in [format!("{config:?}"), format!("{config:#?}"), format!("{:?}", config.nats.servers)] {
        assert!(!printed.contains("hunter2"), "{printed}");
    }
    assert!(format!("{config:?}").contains("jwt_secret: \"********\""), "{config:?}");
    assert!(format!("{:?}", Config::default()).contains("jwt_secret: \"\""), "that there is none is shown");
}

#[test]
fn sizes_fit_smaller_numbers() {
    assert_eq!((ByteSize(7).as_u32(), ByteSize(7).as_usize()), (7, 7));
    assert_eq!(ByteSize(u64::MAX).as_u32(), u32::MAX);
    assert_eq!(LogFormat::Json.to_string(), "json");
}
