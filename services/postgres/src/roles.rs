//! Who does the work: a role that may read and write rows of our tables, and nothing more.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Executor as _};

use crate::PostgresError;
use crate::error::{code, has_code, said};
use crate::migrations::Layout;
use crate::names::{Identifier, quoted};

/// What work needs.
const PRIVILEGES: [&str; 4] = ["SELECT", "INSERT", "UPDATE", "DELETE"];
/// How often a change of roles is tried that others make at the same time: roles are those of all databases of the server.
const TRIES: usize = 20;

/// Makes the role where there is none, and lets who works take it.
pub(crate) async fn make(
    owner: &mut PgConnection,
    role: &Identifier,
    worker: &str,
) -> Result<(), PostgresError> {
    let (name, user) = (role.quoted(), quoted(worker));
    let create = format!("CREATE ROLE {name} NOLOGIN NOINHERIT");
    let there = "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)";
    if !sqlx::query_scalar::<_, bool>(there).bind(role.as_str()).fetch_one(&mut *owner).await? {
        match owner.execute(AssertSqlSafe(create.as_str())).await {
            Ok(_) => {}
            // Another database's node was faster.
            Err(error) if has_code(&error, &code::EXISTS) => {}
            Err(error) => return Err(not_allowed(error, &format!("{create}; GRANT {name} TO {user}"))),
        }
    }
    let grant = format!("GRANT {name} TO {user} WITH INHERIT FALSE, SET TRUE");
    for tried in 1.. {
        let member = "SELECT pg_has_role($1::name, $2::name, 'SET')";
        let member = sqlx::query_scalar::<_, bool>(member).bind(worker).bind(role.as_str());
        if member.fetch_one(&mut *owner).await? {
            break;
        }
        match owner.execute(AssertSqlSafe(grant.as_str())).await {
            Ok(_) => break,
            // "tuple concurrently updated"
            Err(error) if tried < TRIES && has_code(&error, &[code::INTERNAL, "23505"]) => {}
            Err(error) => return Err(not_allowed(error, &grant)),
        }
    }
    Ok(())
}

/// Gives the role what it needs of our tables, where it has not got it.
pub(crate) async fn grant(
    owner: &mut PgConnection,
    schema: &Identifier,
    role: &Identifier,
    layout: &Layout,
    applied: &str,
) -> Result<(), PostgresError> {
    let (in_schema, to) = (schema.quoted(), role.quoted());
    let of = |name: &str| format!("{in_schema}.{}", quoted(name));
    let all = |names: &[&str]| names.iter().map(|name| of(name)).collect::<Vec<_>>();
    let (applied, tables, sequences) = (of(applied), all(layout.tables), all(layout.sequences));
    let has_all: bool = sqlx::query_scalar(
        "SELECT has_schema_privilege($1::name, $2, 'USAGE') AND has_table_privilege($1::name, $3, 'SELECT') \
         AND (SELECT bool_and(has_table_privilege($1::name, t, p)) FROM unnest($4::text[]) AS t, unnest($5::text[]) AS p) \
         AND (SELECT coalesce(bool_and(has_sequence_privilege($1::name, s, 'USAGE')), true) FROM unnest($6::text[]) AS s)",
    )
    .bind(role.as_str())
    .bind(schema.as_str())
    .bind(&applied)
    .bind(&tables)
    .bind(PRIVILEGES.as_slice())
    .bind(&sequences)
    .fetch_one(&mut *owner)
    .await?;
    if has_all {
        return Ok(());
    }
    let mut grants = format!(
        "GRANT USAGE ON SCHEMA {in_schema} TO {to}; GRANT {} ON {} TO {to}; GRANT SELECT ON {} TO {to}",
        PRIVILEGES.join(", "),
        tables.join(", "),
        applied,
    );
    if !sequences.is_empty() {
        grants.push_str(&format!("; GRANT USAGE ON SEQUENCE {} TO {to}", sequences.join(", ")));
    }
    match owner.execute(AssertSqlSafe(grants.as_str())).await {
        Ok(_) => Ok(()),
        Err(error) => Err(not_allowed(error, &grants)),
    }
}

fn not_allowed(error: sqlx::Error, statement: &str) -> PostgresError {
    if !has_code(&error, &[code::NOT_ALLOWED]) {
        return error.into();
    }
    PostgresError::Invalid(format!("{}. Let somebody who may carry out: {statement}", said(&error)))
}

/// Takes the role.
pub(crate) async fn set(
    connection: &mut PgConnection,
    user: &str,
    role: &Identifier,
) -> Result<(), PostgresError> {
    let name = role.quoted();
    match connection.execute(AssertSqlSafe(format!("SET ROLE {name}"))).await {
        Ok(_) => Ok(()),
        // Not there, or not ours to take.
        Err(error) if has_code(&error, &["22023", code::NO_SUCH_NAME, code::NOT_ALLOWED]) => {
            Err(PostgresError::Invalid(format!(
                "'{user}' cannot work as role '{}': {}. Let somebody who may carry out: CREATE ROLE {name} NOLOGIN NOINHERIT (if it \
                 is not there); GRANT {name} TO {}",
                role.as_str(),
                said(&error),
                quoted(user)
            )))
        }
        Err(error) => Err(error.into()),
    }
}

/// What a role may do that it should not, and may not that it should.
#[derive(Debug)]
struct Standing {
    is_superuser: bool,
    passes_walls: bool,
    owns: bool,
    may_make: bool,
    may_work: bool,
    has_walls: bool,
}

/// Refuses to work as a role that could pass a wall, take one down, or not do the work; and on tables without walls.
pub(crate) async fn admit(
    connection: &mut PgConnection,
    schema: &Identifier,
    role: &Identifier,
    tables: &[&str],
) -> Result<(), PostgresError> {
    let standing: Option<(bool, bool, bool, bool, bool, bool)> = sqlx::query_as(
        "SELECT r.rolsuper, r.rolbypassrls, bool_or(pg_has_role(r.oid, c.relowner, 'MEMBER')), \
         has_schema_privilege(r.oid, n.oid, 'CREATE'), \
         bool_and((SELECT bool_and(has_table_privilege(r.oid, c.oid, p)) FROM unnest($4::text[]) AS p)), \
         bool_and(c.relrowsecurity AND c.relforcerowsecurity AND NOT EXISTS (SELECT FROM pg_inherits i \
         JOIN pg_class p ON p.oid = i.inhrelid WHERE i.inhparent = c.oid AND NOT (p.relrowsecurity AND p.relforcerowsecurity))) \
         FROM pg_roles r, pg_namespace n, pg_class c \
         WHERE r.rolname = $1 AND n.nspname = $2 AND c.relnamespace = n.oid AND c.relname = ANY ($3) \
         GROUP BY r.oid, r.rolsuper, r.rolbypassrls, n.oid",
    )
    .bind(role.as_str())
    .bind(schema.as_str())
    .bind(tables)
    .bind(PRIVILEGES.as_slice())
    .fetch_optional(connection)
    .await?;
    let Some((is_superuser, passes_walls, owns, may_make, may_work, has_walls)) = standing else {
        return Err(PostgresError::Corrupt(format!("there are none in schema '{}'", schema.as_str())));
    };
    let standing = Standing { is_superuser, passes_walls, owns, may_make, may_work, has_walls };
    let (name, in_schema) = (role.as_str(), schema.as_str());
    let refused = match standing {
        Standing { is_superuser: true, .. } => {
            format!(
                "role '{name}' is a superuser, for whom there are no walls between tenants. Name another role"
            )
        }
        Standing { passes_walls: true, .. } => {
            format!(
                "role '{name}' passes the walls between tenants. ALTER ROLE {name} NOBYPASSRLS, or name another role"
            )
        }
        Standing { owns: true, .. } => {
            format!(
                "role '{name}' owns the tables, so it could take the walls between tenants down. Name another role"
            )
        }
        Standing { may_make: true, .. } => {
            format!(
                "role '{name}' may make tables. REVOKE CREATE ON SCHEMA {in_schema} FROM {name}, PUBLIC, or name another role"
            )
        }
        Standing { may_work: false, .. } => {
            format!(
                "role '{name}' may not do the work. GRANT {} ON ALL TABLES IN SCHEMA {in_schema} TO {name}",
                PRIVILEGES.join(", ")
            )
        }
        Standing { has_walls: false, .. } => {
            return Err(PostgresError::Corrupt(format!(
                "row security of a table in schema '{in_schema}' was taken away. ALTER TABLE ... ENABLE ROW LEVEL SECURITY, FORCE \
                 ROW LEVEL SECURITY"
            )));
        }
        _ => return Ok(()),
    };
    Err(PostgresError::Invalid(refused))
}
