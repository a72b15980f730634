//! A real OpenSSH server on a port of this machine, with keys of its own, for the user that runs the tests.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{free_port, wait_for};

/// A key and its public half beside it, with `.pub` at its end.
#[derive(Debug, Clone)]
pub struct KeyPair(pub PathBuf);

impl KeyPair {
    /// A new one.
    #[must_use]
    pub fn make(path: &Path) -> Self {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "test", "-f"])
            .arg(path)
            .stdin(Stdio::null())
            .status()
            .unwrap();
        assert!(made.success(), "ssh-keygen could not make {}", path.display());
        Self(path.to_path_buf())
    }

    /// The public half: kind and key.
    #[must_use]
    pub fn public(&self) -> String {
        let text = std::fs::read_to_string(self.0.with_extension("pub")).unwrap();
        text.split_whitespace().take(2).collect::<Vec<_>>().join(" ")
    }
}

/// A server; it ends when this is dropped.
pub struct SshServer {
    /// Its port.
    pub port: u16,
    /// Who may come in.
    pub user: String,
    /// The key that lets in.
    pub key: PathBuf,
    /// A file that knows its host key.
    pub known_hosts: PathBuf,
    directory: PathBuf,
    process: Child,
}

impl SshServer {
    /// Begins one whose files lie in `directory`. `refused` are requests that its SFTP server refuses, as its option `-P`
    /// names them.
    #[must_use]
    pub fn begin(directory: &Path, refused: &[&str]) -> Self {
        std::fs::create_dir_all(directory).unwrap();
        let host = KeyPair::make(&directory.join("host"));
        let key = KeyPair::make(&directory.join("key"));
        std::fs::write(directory.join("authorized"), key.public() + "\n").unwrap();
        let user = Command::new("id").arg("-un").output().unwrap();
        let user = String::from_utf8(user.stdout).unwrap().trim().to_owned();
        let port = free_port();
        let known_hosts = directory.join("known_hosts");
        std::fs::write(&known_hosts, format!("[127.0.0.1]:{port} {}\n", host.public())).unwrap();
        let process = start(directory, port, refused);
        Self { port, user, key: key.0, known_hosts, directory: directory.to_path_buf(), process }
    }

    /// Ends it and begins it anew at the same port, refusing these requests.
    pub fn refuse(&mut self, refused: &[&str]) {
        self.end();
        self.process = start(&self.directory, self.port, refused);
    }

    /// Ends it.
    pub fn end(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// Begins it anew with another host key.
    pub fn change_host_key(&mut self) {
        self.end();
        for name in ["host", "host.pub"] {
            std::fs::remove_file(self.directory.join(name)).unwrap();
        }
        let _ = KeyPair::make(&self.directory.join("host"));
        self.process = start(&self.directory, self.port, &[]);
    }
}

fn start(directory: &Path, port: u16, refused: &[&str]) -> Child {
    // A server that root starts wants it to be there.
    let _ = std::fs::create_dir_all("/run/sshd");
    let refused = if refused.is_empty() { String::new() } else { format!(" -P {}", refused.join(",")) };
    let configuration = directory.join("sshd_config");
    let text = format!(
        "Port {port}\nListenAddress 127.0.0.1\nHostKey {0}/host\nAuthorizedKeysFile {0}/authorized\nStrictModes no\n\
         UsePAM no\nPidFile none\nPasswordAuthentication no\nPermitRootLogin yes\nMaxStartups 100\n\
         Subsystem sftp internal-sftp{refused}\n",
        directory.display()
    );
    std::fs::write(&configuration, text).unwrap();
    let log = std::fs::File::options().create(true).append(true).open(directory.join("log")).unwrap();
    let process = Command::new("/usr/sbin/sshd")
        .args(["-D", "-e", "-f"])
        .arg(&configuration)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .expect("OpenSSH's server (apt-get install openssh-server)");
    wait_for(port, "sshd");
    process
}

impl Drop for SshServer {
    fn drop(&mut self) {
        self.end();
    }
}
