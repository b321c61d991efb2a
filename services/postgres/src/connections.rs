//! Connections to the database, at most so many, and transactions on them.
//!
//! The pool of sqlx waits while connections are refused. Here who asks while the server is away is told at once.

use std::ops::{Deref, DerefMut};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions as _, Executor as _};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::PostgresError;
use crate::error::{code, code_of, is_lost, said};

/// Where the server is, and as whom we come.
#[derive(Clone)]
pub(crate) struct Place {
    options: PgConnectOptions,
    /// How long may pass until there is a connection.
    within: Duration,
}

impl std::fmt::Debug for Place {
    /// Without the password, which the options would show.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Place")
            .field("server", &self.server())
            .field("user", &self.user())
            .field("database", &self.database())
            .field("within", &self.within)
            .finish_non_exhaustive()
    }
}

impl Place {
    pub(crate) fn new(what: &str, url: &str, within: Duration) -> Result<Self, PostgresError> {
        let is_ours = url.starts_with("postgres://") || url.starts_with("postgresql://");
        let options = match url.parse::<PgConnectOptions>() {
            Ok(options) if is_ours => Ok(options),
            Ok(_) => Err("it is of something else".to_owned()),
            Err(error) => Err(error.to_string()),
        };
        let options = options.map_err(|why| {
            PostgresError::Invalid(format!(
                "{what} cannot be read: {why}. Write it as postgres://user:password@host:5432/database"
            ))
        })?;
        let named = options.get_application_name().is_some();
        let options = if named { options } else { options.application_name("soorma") };
        Ok(Self { options: options.disable_statement_logging(), within })
    }

    pub(crate) fn options(&self) -> &PgConnectOptions {
        &self.options
    }

    pub(crate) fn user(&self) -> &str {
        self.options.get_username()
    }

    pub(crate) fn database(&self) -> &str {
        self.options.get_database().unwrap_or_else(|| self.user())
    }

    /// Where it is, as a person says it.
    fn server(&self) -> String {
        match self.options.get_socket() {
            Some(socket) => format!("{}", socket.display()),
            None => format!("{}:{}", self.options.get_host(), self.options.get_port()),
        }
    }

    /// Connects; says what to do where that fails.
    pub(crate) async fn connect(&self) -> Result<PgConnection, PostgresError> {
        match tokio::time::timeout(self.within, self.options.connect()).await {
            Ok(Ok(connection)) => Ok(connection),
            Ok(Err(error)) => Err(self.refused(&error)),
            Err(_) => Err(PostgresError::Unavailable(format!(
                "{} has not let us in within {:?}. Is it up, and is that its address?",
                self.server(),
                self.within
            ))),
        }
    }

    fn refused(&self, error: &sqlx::Error) -> PostgresError {
        let (server, user, database) = (self.server(), self.user(), self.database());
        let said = said(error);
        match code_of(error).as_deref() {
            Some(code::WRONG_PASSWORD) => PostgresError::Invalid(format!(
                "{server} does not let '{user}' in: {said}. Put the right password into the URL"
            )),
            Some(code::NOT_LET_IN) => PostgresError::Invalid(format!(
                "{server} does not let '{user}' in: {said}. Is there such a role, may it log in, and does pg_hba.conf let it?"
            )),
            Some(code::NO_SUCH_DATABASE) => PostgresError::Invalid(format!(
                "{server} has no database '{database}'. Make it (CREATE DATABASE {database}), or name another in the URL"
            )),
            Some(code::NOT_ALLOWED) => PostgresError::Invalid(format!(
                "'{user}' may not connect to '{database}' at {server}: {said}. Grant it (GRANT CONNECT ON DATABASE {database} TO {user})"
            )),
            Some(code) => PostgresError::Unavailable(format!("{server} says '{said}' ({code})")),
            None => match error {
                sqlx::Error::Tls(_) => PostgresError::Invalid(format!(
                    "no TLS with {server}: {said}. Name the authority that it is certified by (sslrootcert=FILE in the URL), or \
                     another sslmode"
                )),
                _ => PostgresError::Unavailable(format!(
                    "nobody answers at {server}: {said}. Is it up, and is that its address?"
                )),
            },
        }
    }
}

/// Connections on which work is done.
#[derive(Debug)]
pub(crate) struct Connections {
    place: Place,
    /// What makes a fresh connection ready.
    prepare: String,
    free: Arc<Semaphore>,
    most: usize,
    idle: Arc<Mutex<Vec<PgConnection>>>,
}

impl Connections {
    pub(crate) fn new(place: Place, prepare: String, most: usize) -> Self {
        let most = most.max(1);
        Self { place, prepare, free: Arc::new(Semaphore::new(most)), most, idle: Arc::default() }
    }

    /// Begins a transaction, by a statement that begins one and may say more about it.
    pub(crate) async fn begin(&self, begin: &'static str) -> Result<Lent, PostgresError> {
        self.begin_with(begin.to_owned()).await
    }

    /// The same, by statements that are made for it.
    pub(crate) async fn begin_with(&self, begin: String) -> Result<Lent, PostgresError> {
        Ok(self.begin_and_read(begin).await?.0)
    }

    /// The same, with the rows that they return.
    pub(crate) async fn begin_and_read(&self, begin: String) -> Result<(Lent, Vec<PgRow>), PostgresError> {
        loop {
            let mut lent = self.lend().await?;
            match lent.fetch_all(AssertSqlSafe(begin.as_str())).await {
                Ok(rows) => return Ok((lent, rows)),
                // One was lost, so all are that wait. Nothing was done on it: another may.
                Err(error) if is_lost(&error) && !lent.is_fresh => self.forget_idle(),
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Lends a connection; one that waited for work may have been lost meanwhile.
    pub(crate) async fn lend(&self) -> Result<Lent, PostgresError> {
        let free = tokio::time::timeout(self.place.within, self.free.clone().acquire_owned());
        let Ok(Ok(permit)) = free.await else {
            return Err(PostgresError::Unavailable(format!(
                "all {} connections were busy for {:?}. Allow more of them, or find out what holds them",
                self.most, self.place.within
            )));
        };
        let idle = self.idle().pop();
        let (connection, is_fresh) = match idle {
            Some(connection) => (connection, false),
            None => (self.connect().await?, true),
        };
        Ok(Lent { connection, is_fresh, idle: self.idle.clone(), _permit: permit })
    }

    /// Closes what waits for work.
    pub(crate) fn forget_idle(&self) {
        self.idle().clear();
    }

    pub(crate) fn place(&self) -> &Place {
        &self.place
    }

    /// Statements that make a fresh connection ready.
    pub(crate) fn prepare(&self) -> &str {
        &self.prepare
    }

    /// Connects, ready for work. Whoever refuses us now has let us in when we began: it is away until that is mended, and nothing of what
    /// we were asked to do is at fault.
    pub(crate) async fn connect(&self) -> Result<PgConnection, PostgresError> {
        let ready = async {
            let mut connection = self.place.connect().await?;
            connection.execute(AssertSqlSafe(self.prepare.as_str())).await?;
            Ok(connection)
        };
        ready.await.map_err(|error: PostgresError| match error {
            PostgresError::Unavailable(_) => error,
            PostgresError::Invalid(said)
            | PostgresError::Full(said)
            | PostgresError::Undone(said)
            | PostgresError::Corrupt(said) => PostgresError::Unavailable(said),
        })
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<PgConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection, for a transaction. What is not committed is undone: the connection is closed with it.
#[derive(Debug)]
pub(crate) struct Lent {
    connection: PgConnection,
    is_fresh: bool,
    idle: Arc<Mutex<Vec<PgConnection>>>,
    _permit: OwnedSemaphorePermit,
}

impl Lent {
    /// Whether it was made for this.
    pub(crate) fn is_fresh(&self) -> bool {
        self.is_fresh
    }

    /// Commits; the connection waits for the next who needs one.
    pub(crate) async fn commit(mut self) -> Result<(), PostgresError> {
        self.connection.execute("COMMIT").await?;
        self.give_back();
        Ok(())
    }

    /// Gives it back, with no transaction open.
    pub(crate) fn give_back(self) {
        // Before the permit goes, so that who waits for it finds the connection.
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(self.connection);
    }
}

impl Deref for Lent {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Lent {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
