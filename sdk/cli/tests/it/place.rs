//! A folder of a test's own, the commands that run in it, and the platform that they speak to.

use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use soorma::Client;
use tempfile::TempDir;

use super::http::{self, Reply};

/// Nothing here takes so long; it only keeps a broken test from hanging.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(TempDir::new().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, bytes: impl AsRef<[u8]>) {
        let path = self.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }

    /// Another program, with nothing in its surroundings that `soorma` would look at.
    pub(crate) fn program(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command
            .args(args)
            .current_dir(self.path())
            .env("HOME", "/nowhere")
            .env("XDG_CONFIG_HOME", "/nowhere");
        for (name, _) in std::env::vars_os() {
            if name.to_str().is_some_and(|name| name.starts_with("SOORMA") || name == "NO_COLOR") {
                command.env_remove(name);
            }
        }
        command
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        self.program(env!("CARGO_BIN_EXE_soorma"), args)
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Done {
        Running::start(self.command(args)).done()
    }

    /// Starts the platform on a free port, with its data in `data`.
    pub(crate) fn dev(&self, args: &[&str]) -> Dev {
        let all = [&["dev", "--json", "--data", "data", "--listen", "127.0.0.1:0"], args].concat();
        Dev::started(Running::start(self.command(&all))).unwrap_or_else(|done| panic!("{done:?}"))
    }
}

/// A process; killed with its test.
pub(crate) struct Running {
    child: Child,
    out: Receiver<String>,
    err: Option<JoinHandle<String>>,
}

/// What a process came to.
#[derive(Debug)]
pub(crate) struct Done {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        Self::over(piped.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}")))
    }

    /// Starts a process that lives as long as this holds its standard input; what it says is the test's own.
    pub(crate) fn alive(mut command: Command) -> Self {
        let child =
            command.stdout(Stdio::null()).spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
        Self { child, out: mpsc::channel().1, err: None }
    }

    /// Ends it, as the machine's end would.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Gives a process something to read.
    pub(crate) fn reading(mut command: Command, input: &str) -> Self {
        use std::io::Write as _;
        let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = piped.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Self::over(child)
    }

    /// Reads what it says up to a line that holds these words, and closes the pipe, as `head` does.
    pub(crate) fn read_until(mut command: Command, words: &'static str) -> (Self, String) {
        let piped = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let running = Self::until(piped.spawn().unwrap(), Some(words));
        let said = std::iter::from_fn(|| running.line()).collect();
        (running, said)
    }

    fn over(child: Child) -> Self {
        Self::until(child, None)
    }

    fn until(mut child: Child, last: Option<&'static str>) -> Self {
        let (said, out) = mpsc::channel();
        let stdout = child.stdout.take().unwrap();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(stdout);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                let text = String::from_utf8(std::mem::take(&mut line)).unwrap();
                let is_last = last.is_some_and(|last| text.contains(last));
                // An error says that the test is over.
                if said.send(text).is_err() || is_last {
                    break;
                }
            }
            // Closed before the test hears of the end.
            drop(lines);
            drop(said);
        });
        let mut stderr = child.stderr.take().unwrap();
        let err = std::thread::spawn(move || {
            let mut text = Vec::new();
            stderr.read_to_end(&mut text).unwrap();
            String::from_utf8(text).unwrap()
        });
        Self { child, out, err: Some(err) }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits for the next line; `None` when there is none any more.
    pub(crate) fn line(&self) -> Option<String> {
        match self.out.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("it says nothing"),
        }
    }

    /// Waits for the next line as JSON.
    pub(crate) fn json(&self) -> Value {
        json(&self.line().expect("a line"))
    }

    pub(crate) fn signal(&self, name: &str) {
        let pid = self.pid().to_string();
        assert!(Command::new("kill").args([&format!("-{name}"), &pid]).status().unwrap().success());
    }

    /// Waits for the end.
    pub(crate) fn done(mut self) -> Done {
        let out: String = std::iter::from_fn(|| self.line()).collect();
        let code = self.child.wait().unwrap().code();
        let err = self.err.take().unwrap().join().unwrap();
        Done { code, out, err }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // An error says that it has ended.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Done {
    /// Returns what was printed, having looked that all went well.
    #[track_caller]
    pub(crate) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        assert!(!self.err.contains("soorma:"), "{self:?}");
        self.out
    }

    /// Returns the one JSON value that was printed.
    #[track_caller]
    pub(crate) fn json(self) -> Value {
        json(&self.ok())
    }

    /// Returns what was said of a failure, having looked at the status and that nothing else was printed.
    #[track_caller]
    pub(crate) fn failed(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert_eq!(self.out, "", "standard output is for what was asked");
        assert!(self.err.starts_with("soorma: "), "{self:?}");
        self.err
    }
}

impl Done {
    /// The same of a command with `--json`.
    #[track_caller]
    pub(crate) fn failed_json(self, code: i32) -> String {
        assert_eq!(self.code, Some(code), "{self:?}");
        json(&self.err)["error"].as_str().unwrap().to_owned()
    }
}

/// Reads a text that is one line of JSON.
#[track_caller]
pub(crate) fn json(text: &str) -> Value {
    assert!(text.ends_with('\n') && text.lines().count() == 1, "one line: {text:?}");
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text:?}"))
}

/// A running platform.
pub(crate) struct Dev {
    pub(crate) running: Running,
    pub(crate) url: String,
    pub(crate) addr: SocketAddr,
    /// What its requests are sent with.
    token: Option<String>,
}

impl Dev {
    /// Waits until it is ready, or has ended instead.
    pub(crate) fn started(running: Running) -> Result<Self, Done> {
        let Some(line) = running.line() else { return Err(running.done()) };
        let ready = json(&line);
        assert_eq!(ready["pid"], running.pid());
        let url = ready["url"].as_str().unwrap().to_owned();
        let addr = url.strip_prefix("http://").unwrap().parse().unwrap();
        Ok(Self { running, url, addr, token: None })
    }

    /// Asks with a token from here on.
    pub(crate) fn with_token(self, token: String) -> Self {
        Self { token: Some(token), ..self }
    }

    pub(crate) fn client(&self) -> Client {
        let client = Client::new(&self.url).unwrap();
        match &self.token {
            Some(token) => client.token(token).unwrap(),
            None => client,
        }
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.send("GET", path, &[], "")
    }

    pub(crate) fn post(&self, path: &str, body: &Value) -> Reply {
        self.send("POST", path, &[("content-type", "application/json")], &body.to_string())
    }

    pub(crate) fn put(&self, path: &str, body: &Value) -> Reply {
        self.send("PUT", path, &[("content-type", "application/json")], &body.to_string())
    }

    fn send(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> Reply {
        let proof = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let proof = proof.as_ref().map(|proof| ("authorization", proof.as_str()));
        let headers: Vec<_> = headers.iter().copied().chain(proof).collect();
        http::send(self.addr, method, path, &headers, body)
    }

    pub(crate) fn publish(&self, event: &Value) -> Reply {
        self.post("/v1/events/publish", &serde_json::json!({ "event": event }))
    }

    /// Kills it, as the machine's end would.
    pub(crate) fn kill(mut self) {
        self.running.child.kill().unwrap();
        self.running.child.wait().unwrap();
    }

    /// Asks it to end, and waits for it.
    pub(crate) fn stop(self) -> Done {
        self.running.signal("TERM");
        self.running.done()
    }
}

/// Has a platform take the tokens of the tests.
pub(crate) const SECRET_OF_TESTS: (&str, &str) = ("SOORMA__AUTH__JWT_SECRET", soorma_testkit::SECRET);

/// An event with an id, for anybody.
pub(crate) fn event(id: &str) -> Value {
    serde_json::json!({
        "id": id, "source": "asker", "type": "work.requested", "topic": "action-requests",
        "tenant_id": "st", "user_id": "su", "data": { "n": id },
    })
}
