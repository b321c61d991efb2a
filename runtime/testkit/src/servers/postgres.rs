//! Postgres with pgvector.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use self::programs::Programs;
use super::process::{Launch, Process};

mod programs;

/// A server that the tests may use instead of one of their own, as a user that may make databases and roles.
const URL: &str = "SOORMA_TEST_POSTGRES_URL";
/// What the tests need.
const OLDEST: u32 = 16;
/// Whose the server is where we are root, as whom it does not run: nobody.
const NOBODY: u32 = 65_534;

/// A Postgres server in a folder of its own. It listens on a socket in that folder alone, so no port is taken.
#[derive(Debug)]
pub struct PostgresServer {
    folder: PathBuf,
    programs: Programs,
    settings: Vec<String>,
    process: Option<Process>,
}

impl PostgresServer {
    /// Returns the URL of the server that all tests of this binary share: that of `SOORMA_TEST_POSTGRES_URL`, or one that is
    /// started for them. Each case takes a [`PostgresDatabase`] of its own.
    ///
    /// # Panics
    /// When there is no server to be had.
    pub fn shared() -> String {
        static SHARED: OnceLock<Mutex<PostgresServer>> = OnceLock::new();
        if let Ok(url) = std::env::var(URL) {
            return url;
        }
        let shared = SHARED.get_or_init(|| Mutex::new(Self::start(&[])));
        // Statics are not dropped: the watchdog ends it with the process.
        shared.lock().unwrap_or_else(PoisonError::into_inner).url()
    }

    /// Starts a server, with settings beside the usual ones. It does not sync; for a test of what is durable: `["fsync=on"]`.
    ///
    /// # Panics
    /// When there is no server to be had, or it does not start.
    pub fn start(settings: &[&str]) -> Self {
        let folder = fresh_folder();
        let user = root_as(&folder);
        let programs = Programs::find(&folder, user);
        programs.make_data(&folder);
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let mut server = Self { folder, programs, settings, process: None };
        server.run();
        server
    }

    fn run(&mut self) {
        let folder = self.folder.to_str().expect("a folder for temporary files has a plain name");
        let mut arguments =
            vec!["-D".to_owned(), format!("{folder}/data"), "-k".to_owned(), folder.to_owned()];
        arguments.extend(["-h".to_owned(), String::new()]);
        // Each case has connections of its own, and cases run side by side. Shared memory in the folder goes with it, also after a kill.
        let mut settings = vec!["fsync=off", "max_connections=400", "dynamic_shared_memory_type=mmap"];
        if cfg!(target_os = "linux") {
            // After a kill, all is synced at once and not a file after the other, which takes seconds.
            settings.push("recovery_init_sync_method=syncfs");
        }
        for setting in settings {
            arguments.extend(["-c".to_owned(), setting.to_owned()]);
        }
        for setting in &self.settings {
            arguments.extend(["-c".to_owned(), setting.clone()]);
        }
        let process = Process::start(&Launch {
            folder: &self.folder,
            program: &self.programs.program("postgres"),
            arguments: &arguments,
            // One that was killed leaves its file behind.
            ready: r#"grep -qx "$server" "$folder/data/postmaster.pid" && grep '^ready' "$folder/data/postmaster.pid""#,
            // At once, and nothing is left in shared memory.
            last: "-QUIT",
            user: self.programs.user(),
        });
        self.process = Some(process);
    }

    /// Returns the URL of its first database, as the user that may do all.
    pub fn url(&self) -> String {
        format!("postgres://postgres@localhost/postgres?host={}", self.folder.display())
    }

    /// Ends it as `kill -9` does, with all its processes.
    pub fn kill(&mut self) {
        if let Some(process) = self.process.take() {
            process.kill();
        }
    }

    /// Stops it in the middle of all that it does, with its connections open.
    pub fn pause(&self) {
        if let Some(process) = &self.process {
            process.signal("-STOP");
        }
    }

    /// Lets it go on after a pause.
    pub fn resume(&self) {
        if let Some(process) = &self.process {
            process.signal("-CONT");
        }
    }

    /// Starts it again, with the same data on the same socket.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.kill();
        self.run();
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        if let Some(process) = self.process.take() {
            process.stop();
        }
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

/// A database for one case. It goes with the value.
#[derive(Debug)]
pub struct PostgresDatabase {
    server: String,
    name: String,
    url: String,
}

impl PostgresDatabase {
    /// Makes an empty one on the server that all tests of this binary share.
    ///
    /// # Panics
    /// When there is no server to be had.
    pub fn fresh() -> Self {
        Self::on(&PostgresServer::shared())
    }

    /// Makes an empty one on the server of this URL.
    ///
    /// # Panics
    /// When the server does not make it.
    pub fn on(server: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("soorma_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::SeqCst));
        psql(server, &format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)"));
        psql(server, &format!("CREATE DATABASE {name} TEMPLATE template0"));
        Self { server: server.to_owned(), url: of_database(server, &name), name }
    }

    /// Returns its URL, as the user that may do all.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns its URL, as another user.
    ///
    /// # Panics
    /// When the server's URL is none.
    pub fn url_of(&self, user: &str, password: Option<&str>) -> String {
        let (scheme, rest) = self.url.split_once("://").expect("a URL has a scheme");
        let (authority, database) = rest.split_once('/').expect("a database's URL has a path");
        let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
        let password = password.map(|password| format!(":{password}")).unwrap_or_default();
        format!("{scheme}://{user}{password}@{host}/{database}")
    }

    /// Carries out statements as the user that may do all; returns the rows of the last, with `|` between what stands in one.
    ///
    /// # Panics
    /// When the server refuses one.
    pub fn execute(&self, statements: &str) -> String {
        psql(&self.url, statements)
    }

    /// The same, where a statement may be refused.
    ///
    /// # Errors
    /// What the server said.
    pub fn try_execute(&self, statements: &str) -> Result<String, String> {
        try_psql(&self.url, statements)
    }

    /// Carries out statements in a transaction that stays open until the value goes: what they lock stays locked.
    ///
    /// # Panics
    /// When the server refuses one.
    pub fn hold(&self, statements: &str) -> HeldTransaction {
        let mut psql = Command::new(programs::psql())
            .args(["--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1", "--dbname", &self.url])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("psql starts");
        let open = psql.stdin.as_mut().expect("its input is a pipe");
        writeln!(open, "BEGIN; {statements};\n\\echo held").expect("psql reads");
        let said = BufReader::new(psql.stdout.as_mut().expect("its output is a pipe"));
        let held = said.lines().map_while(Result::ok).any(|line| line == "held");
        assert!(held, "{statements}: what the server said stands above");
        HeldTransaction { psql }
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        // The server may be gone by now, and its databases with it.
        drop(try_psql(&self.server, &format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name)));
    }
}

/// A transaction that is open.
#[derive(Debug)]
pub struct HeldTransaction {
    psql: Child,
}

impl Drop for HeldTransaction {
    fn drop(&mut self) {
        drop(self.psql.kill());
        drop(self.psql.wait());
    }
}

fn psql(url: &str, statements: &str) -> String {
    try_psql(url, statements).unwrap_or_else(|said| panic!("{statements}: {said}"))
}

fn try_psql(url: &str, statements: &str) -> Result<String, String> {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(programs::psql);
    let output = Command::new(program)
        .args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set", "ON_ERROR_STOP=1"])
        .args(["--dbname", url, "--command", statements])
        .output()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned())
}

/// Puts another database into a URL.
fn of_database(url: &str, name: &str) -> String {
    let (before, query) = url.split_once('?').unwrap_or((url, ""));
    let (scheme, rest) = before.split_once("://").expect("a URL has a scheme");
    let authority = rest.split('/').next().unwrap_or_default();
    let question = if query.is_empty() { "" } else { "?" };
    format!("{scheme}://{authority}/{name}{question}{query}")
}

/// As whom the server runs, where not as we do.
fn root_as(ours: &Path) -> Option<u32> {
    let owner = std::fs::metadata(ours).expect("a folder that was just made is there").uid();
    if owner != 0 {
        return None;
    }
    std::os::unix::fs::chown(ours, Some(NOBODY), Some(NOBODY)).expect("root may give a folder away");
    Some(NOBODY)
}

fn fresh_folder() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let nth = NEXT.fetch_add(1, Ordering::SeqCst);
    let folder = std::env::temp_dir().join(format!("soorma-postgres-{}-{nth}", std::process::id()));
    // Left behind by a process that had the same number.
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).expect("a folder for temporary files can be made");
    folder
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_database_takes_the_place_of_the_first() {
        for (url, is) in [
            ("postgres://a@h/postgres?host=/x/y", "postgres://a@h/d?host=/x/y"),
            ("postgres://a:b@h:5432/postgres", "postgres://a:b@h:5432/d"),
            ("postgres://h", "postgres://h/d"),
            ("postgres://h?sslmode=require", "postgres://h/d?sslmode=require"),
        ] {
            assert_eq!(of_database(url, "d"), is);
        }
    }

    #[test]
    fn another_user_takes_the_place_of_the_first() {
        let database =
            |url: &str| PostgresDatabase { server: String::new(), name: "d".into(), url: url.into() };
        let one = database("postgres://a:b@h:1/d?host=/x");
        assert_eq!(one.url_of("u", None), "postgres://u@h:1/d?host=/x");
        assert_eq!(one.url_of("u", Some("p")), "postgres://u:p@h:1/d?host=/x");
        assert_eq!(database("postgres://h/d").url_of("u", None), "postgres://u@h/d");
    }
}
