//! A server as a process that does not outlive us.
//!
//! A shell starts it and reads from a pipe of which only we have the other end: when we end, however, the pipe is closed,
//! and the shell kills the server and removes its folder.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// `$1` is the folder, `$2` what says a line and succeeds when the server listens, `$3` the signal by which it ends when we have
/// ended; the rest is the server's command.
const WATCHDOG: &str = r#"
trap '' INT HUP TERM
folder=$1 ready=$2 last=$3
shift 3
run() { "$@" >>"$folder/output" 2>&1 & server=$!; }
run "$@"
tries=0
until said=$(eval "$ready" 2>/dev/null); do
    sleep 0.01
    kill -0 "$server" 2>/dev/null && continue
    tries=$((tries + 1))
    if [ "$tries" -lt 300 ] && tail -n 5 "$folder/output" | grep -q 'is still in use'; then
        # What one that was killed had started may end a moment later than it.
        run "$@"
    else
        cat "$folder/output" >&2
        exit 1
    fi
done
echo "$server"
echo "$said"
read -r word
kill "$last" "$server" 2>/dev/null
wait "$server" 2>/dev/null
if [ "$word" = keep ]; then rm -f "$folder"/*.ports; else rm -rf "$folder"; fi
"#;

/// What is to be started, and how.
#[derive(Debug)]
pub(super) struct Launch<'a> {
    /// The folder of the server; it goes when the server ends with us.
    pub(super) folder: &'a Path,
    pub(super) program: &'a Path,
    pub(super) arguments: &'a [String],
    /// A command of the shell that says a line and succeeds when the server listens; it knows `$folder` and `$server`.
    pub(super) ready: &'a str,
    /// The signal by which it ends when we have ended.
    pub(super) last: &'a str,
    /// Whose process it is, where not ours.
    pub(super) user: Option<u32>,
}

/// A running server.
#[derive(Debug)]
pub(super) struct Process {
    shell: Child,
    /// Closed, it ends the server; what is written to it before says that the folder stays.
    alive: Option<ChildStdin>,
    pid: String,
    /// What was said when it listened.
    pub(super) said: String,
}

impl Process {
    /// Starts a server and waits until it listens.
    pub(super) fn start(launch: &Launch<'_>) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", WATCHDOG, "watchdog"]).arg(launch.folder).args([launch.ready, launch.last]);
        shell.arg(launch.program).args(launch.arguments).current_dir(launch.folder);
        if let Some(user) = launch.user {
            shell.uid(user).gid(user);
        }
        let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a shell starts");
        let alive = shell.stdin.take();
        let mut lines = BufReader::new(shell.stdout.take().expect("its output is a pipe")).lines();
        let mut line = || lines.next().expect("the server has ended; what it said stands above").unwrap();
        let (pid, said) = (line(), line());
        Self { shell, alive, pid, said }
    }

    /// Ends the server as `kill -9` does, and waits until it is gone.
    pub(super) fn kill(mut self) {
        self.end();
    }

    /// Ends the server in its own way, and waits until it is gone.
    pub(super) fn stop(mut self) {
        // What is paused hears no other signal.
        self.signal("-CONT");
        drop(self.alive.take());
        drop(self.shell.wait());
    }

    /// Sends the server and the processes that it has started a signal.
    pub(super) fn signal(&self, signal: &str) {
        let pid = &self.pid;
        // Where there is no such file, what it has started ends with it by itself.
        let started = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
        let started = started.unwrap_or_default();
        let mut kill = Command::new("kill");
        kill.args([signal, pid]).args(started.split_whitespace());
        drop(kill.stderr(Stdio::null()).status());
    }

    fn end(&mut self) {
        // By the process itself, so that nothing of its work is done any more; the shell would be a moment later.
        self.signal("-9");
        if let Some(mut alive) = self.alive.take() {
            drop(alive.write_all(b"keep\n"));
        }
        drop(self.shell.wait());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.alive.is_some() {
            self.end();
        }
    }
}
