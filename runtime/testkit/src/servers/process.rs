//! A server as a process that does not outlive us.
//!
//! A shell starts it and reads from a pipe of which only we have the other end: when we end, however, the pipe is closed,
//! and the shell kills the server and removes its folder.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

/// `$1` is the folder, in which a file `*.ports` appears when the server listens, at first without its content; the rest is the
/// server's command.
const WATCHDOG: &str = r#"
trap '' INT HUP TERM
folder=$1
shift
"$@" >>"$folder/output" 2>&1 &
server=$!
echo "$server"
until grep -q '}' "$folder"/*.ports 2>/dev/null; do
    kill -0 "$server" 2>/dev/null || { cat "$folder/output" >&2; exit 1; }
    sleep 0.01
done
cat "$folder"/*.ports
echo
read -r word
kill -9 "$server" 2>/dev/null
wait "$server" 2>/dev/null
if [ "$word" = keep ]; then rm -f "$folder"/*.ports; else rm -rf "$folder"; fi
"#;

/// A running server.
#[derive(Debug)]
pub(super) struct Process {
    shell: Child,
    /// Closed, it ends the server; what is written to it before says that the folder stays.
    alive: Option<ChildStdin>,
    pid: String,
    /// What the file of ports says.
    pub(super) ports: String,
}

impl Process {
    /// Starts a server and waits until it says where it listens.
    pub(super) fn start(folder: &Path, program: &Path, arguments: &[String]) -> Self {
        let mut shell = Command::new("sh")
            .args(["-c", WATCHDOG, "watchdog"])
            .arg(folder)
            .arg(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell starts");
        let alive = shell.stdin.take();
        let mut lines = BufReader::new(shell.stdout.take().expect("its output is a pipe")).lines();
        let mut line = || lines.next().expect("the server has ended; what it said stands above").unwrap();
        let (pid, ports) = (line(), line());
        Self { shell, alive, pid, ports }
    }

    /// Ends the server as `kill -9` does, and waits until it is gone.
    pub(super) fn kill(mut self) {
        self.end();
    }

    /// Sends the server a signal.
    pub(super) fn signal(&self, signal: &str) {
        drop(Command::new("kill").args([signal, &self.pid]).stderr(Stdio::null()).status());
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
