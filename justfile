# The vocabulary of this repository. CI runs .ci/run, which is `check` and `test-all`.

# List the recipes.
default:
    @just --list --unsorted

# What a commit must pass: format, lints, fences between crates, tidiness.
check: fmt-check lint tidy

# Format everything.
fmt:
    cargo fmt --all

# Fail where something is not formatted.
fmt-check:
    cargo fmt --all --check

# Clippy, warnings are errors.
lint:
    cargo clippy --workspace --all-targets -- -D warnings

# Who imports whom, how long files are, which tests the pages name.
tidy:
    cargo test -p soorma-testkit --test it

# The quick tests: runtime and actors, without disk or network.
test:
    cargo test -p soorma-core -p soorma-ports -p soorma-supervise -p soorma-testkit -p soorma-bus -p soorma-agents

# All tests.
test-all:
    cargo test --workspace

# The sentence model from a folder: a minute more of building, so that `test-all` leaves it out. It needs no model of anybody.
models:
    cargo clippy -p soorma-models --all-targets --features local-models -- -D warnings
    cargo clippy -p soorma-node --all-targets --features local-models -- -D warnings
    cargo test -p soorma-models --features local-models
    cargo test -p soorma-node --features local-models models

# Kill `soorma dev` under load N times at random moments, and the log alone as often; nothing may be lost.
kill N="100":
    SOORMA_KILLS={{N}} cargo test --release -p soorma-cli -p soorma-sqlite --test it kill -- --nocapture

# Kill the platform, its NATS server and members of groups under load, with SEEDS seeds on each backend; nothing may be lost or done twice.
gremlin SEEDS="20" EVENTS="20000":
    cargo test --release -p soorma-cli --test it --no-run
    for seed in $(seq {{SEEDS}}); do \
        SOORMA_SEED=$seed SOORMA_EVENTS={{EVENTS}} cargo test --release -p soorma-cli --test it gremlin -- --nocapture --test-threads=1 || exit 1; \
    done

# Run one benchmark, or all.
bench NAME="":
    cargo bench -p soorma-benches {{ if NAME == "" { "" } else { "--bench " + NAME } }}

# What a real sentence model takes and finds: FOLDER is one as sentence-transformers saves it, such as all-MiniLM-L6-v2.
bench-model FOLDER:
    SOORMA_SENTENCE_MODEL="{{absolute_path(FOLDER)}}" cargo bench -p soorma-benches --features local-models --bench sentences

# The main job, on this folder.
demo:
    cargo run --release -- demo

# Build the documentation of all crates; broken links are errors.
docs:
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Rewrite the golden files of the newest version of the envelope; look at the diff.
golden:
    UPDATE=1 cargo test -p soorma-core --test it golden

# Licences, advisories, sources, doubled crates.
deny:
    cargo deny --all-features check
