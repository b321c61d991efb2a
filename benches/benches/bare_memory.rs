//! The peers of working memory: axum handlers that carry out one bare statement each, as durable as ours.

use std::path::Path;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::{Path as InPath, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::put;
use rusqlite::{Connection, OptionalExtension as _};
use sqlx::postgres::{PgPool, PgPoolOptions};
use tokio::sync::{mpsc, oneshot};

const SET: &str = "INSERT INTO working(tenant, plan, key, value, updated) VALUES (?1, ?2, ?3, ?4, ?5) \
    ON CONFLICT (tenant, plan, key) DO UPDATE SET value = excluded.value, updated = excluded.updated";
const GET: &str = "SELECT value FROM working WHERE tenant = ?1 AND plan = ?2 AND key = ?3";
const TENANT: &str = "spt_00000000-0000-0000-0000-000000000000";

/// On one SQLite file, WAL, `synchronous=FULL`: a statement a request, on one connection that who comes next waits for.
pub(crate) fn on_sqlite(folder: &Path) -> Router {
    let connection = Arc::new(Mutex::new(open(folder)));
    Router::new().route("/v1/memory/working/{plan}/{key}", put(set_now).get(get)).with_state(connection)
}

type One = Arc<Mutex<Connection>>;

fn open(folder: &Path) -> Connection {
    let connection = Connection::open(folder.join("bare.db")).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;
             CREATE TABLE IF NOT EXISTS working(tenant TEXT, plan TEXT, key TEXT, value TEXT, updated INTEGER,
                 PRIMARY KEY (tenant, plan, key)) WITHOUT ROWID;",
        )
        .unwrap();
    connection
}

fn set_on(connection: &Connection, plan: &str, key: &str, value: &str) {
    connection.prepare_cached(SET).unwrap().execute((TENANT, plan, key, value, 1)).unwrap();
}

async fn set_now(
    State(one): State<One>,
    InPath((plan, key)): InPath<(String, String)>,
    body: String,
) -> Response {
    let value = value(&body);
    set_on(&one.lock().unwrap(), &plan, &key, value);
    answer(&plan, &key, value)
}

async fn get(State(one): State<One>, InPath((plan, key)): InPath<(String, String)>) -> Response {
    let found: Option<String> = {
        let connection = one.lock().unwrap();
        let mut select = connection.prepare_cached(GET).unwrap();
        select.query_row((TENANT, &plan, &key), |row| row.get(0)).optional().unwrap()
    };
    found.map_or(StatusCode::NOT_FOUND.into_response(), |value| answer(&plan, &key, &value))
}

/// The same with one writer that commits all that waits.
pub(crate) fn on_sqlite_together(folder: &Path) -> Router {
    let connection = open(folder);
    let (sender, mut waiting) = mpsc::channel::<Waits>(4_096);
    std::thread::spawn(move || {
        while let Some(first) = waiting.blocking_recv() {
            let mut batch = vec![first];
            while batch.len() < 1_024
                && let Ok(next) = waiting.try_recv()
            {
                batch.push(next);
            }
            connection.execute_batch("BEGIN IMMEDIATE").unwrap();
            for Waits { plan, key, value, .. } in &batch {
                set_on(&connection, plan, key, value);
            }
            connection.execute_batch("COMMIT").unwrap();
            for Waits { done, .. } in batch {
                let _gone = done.send(());
            }
        }
    });
    Router::new().route("/v1/memory/working/{plan}/{key}", put(set_together)).with_state(sender)
}

struct Waits {
    plan: String,
    key: String,
    value: String,
    done: oneshot::Sender<()>,
}

async fn set_together(
    State(writer): State<mpsc::Sender<Waits>>,
    InPath((plan, key)): InPath<(String, String)>,
    body: String,
) -> Response {
    let (done, on_disk) = oneshot::channel();
    let value = value(&body);
    writer.send(Waits { plan: plan.clone(), key: key.clone(), value: value.to_owned(), done }).await.unwrap();
    on_disk.await.unwrap();
    answer(&plan, &key, value)
}

/// On Postgres: a statement a request, with as many connections as ours has.
pub(crate) async fn on_postgres(url: &str, connections: u32) -> Router {
    let pool = PgPoolOptions::new().max_connections(connections).connect(url).await.unwrap();
    let table = "CREATE TABLE IF NOT EXISTS working(tenant text, plan text, key text, value text, updated bigint, \
                 PRIMARY KEY (tenant, plan, key)) WITH (fillfactor = 90)";
    sqlx::query(table).execute(&pool).await.unwrap();
    Router::new().route("/v1/memory/working/{plan}/{key}", put(set_there).get(get_there)).with_state(pool)
}

async fn set_there(
    State(pool): State<PgPool>,
    InPath((plan, key)): InPath<(String, String)>,
    body: String,
) -> Response {
    let value = value(&body);
    let set = sqlx::query(
        "INSERT INTO working(tenant, plan, key, value, updated) VALUES ($1, $2, $3, $4, $5) \
         ON CONFLICT (tenant, plan, key) DO UPDATE SET value = excluded.value, updated = excluded.updated",
    );
    let set = set.bind(TENANT).bind(&plan).bind(&key).bind(value).bind(1_i64);
    set.execute(&pool).await.unwrap();
    answer(&plan, &key, value)
}

async fn get_there(State(pool): State<PgPool>, InPath((plan, key)): InPath<(String, String)>) -> Response {
    let select = "SELECT value FROM working WHERE tenant = $1 AND plan = $2 AND key = $3";
    let select = sqlx::query_scalar(select).bind(TENANT).bind(&plan).bind(&key);
    let found: Option<String> = select.fetch_optional(&pool).await.unwrap();
    found.map_or(StatusCode::NOT_FOUND.into_response(), |value| answer(&plan, &key, &value))
}

/// What is to be set, as it stands in the body: a bare handler reads no JSON.
fn value(body: &str) -> &str {
    body.strip_prefix("{\"value\":").and_then(|rest| rest.strip_suffix('}')).unwrap()
}

fn answer(plan: &str, key: &str, value: &str) -> Response {
    let json = format!(
        "{{\"tenantId\":\"{TENANT}\",\"planId\":\"{plan}\",\"key\":\"{key}\",\"value\":{value},\"updatedAt\":\"2026-11-23T05:57:30Z\"}}"
    );
    ([(header::CONTENT_TYPE, "application/json")], json).into_response()
}
