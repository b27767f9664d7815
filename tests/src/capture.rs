//! What went over the wire, judged by Wireshark's dissectors.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::process::Process;
use crate::{Namespace, need};

/// A capture that runs until it is asked for its packets.
pub struct Capture {
    process: Process,
    folder: TempDir,
}

impl Capture {
    /// Captures on a device of the namespace.
    pub fn start(namespace: &Namespace, device: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let mut command = namespace.command(need::program("dumpcap"));
        command.args(["-q", "-i", device, "-w"]).arg(folder.path().join("capture.pcapng"));
        let mut process = Process::start("dumpcap", command);
        process.wait_for_line("File:", Duration::from_secs(10));
        Self { process, folder }
    }

    /// Ends the capture.
    pub fn stop(mut self) -> Packets {
        // What is in the kernel's buffer is written once a second at the latest.
        std::thread::sleep(Duration::from_millis(1200));
        self.process.signal(libc::SIGINT);
        self.process.wait(Duration::from_secs(10));
        Packets { file: self.folder.path().join("capture.pcapng"), options: Vec::new(), _folder: self.folder }
    }
}

/// A finished capture.
pub struct Packets {
    file: PathBuf,
    /// More arguments of `tshark`.
    options: Vec<String>,
    _folder: TempDir,
}

impl Packets {
    /// The same with what `dial --key-log` wrote: IKE and ESP are opened.
    #[must_use]
    pub fn with_keys(mut self, log: &str) -> Self {
        let tables = log.lines().filter_map(|line| line.split_once(": "));
        let options = tables.map(|(table, entry)| format!("-ouat:{table}:{entry}"));
        self.options =
            ["-oesp.enable_encryption_decode:TRUE".to_owned()].into_iter().chain(options).collect();
        self
    }

    /// The summary lines of packets that a display filter selects.
    pub fn matching(&self, filter: &str) -> Vec<String> {
        let output = Command::new(need::program("tshark"))
            .arg("-r")
            .arg(&self.file)
            .args(["-Y", filter])
            .args(&self.options)
            .output()
            .expect("tshark can be run");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
    }
}
