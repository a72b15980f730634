//! A real S3 server, moto, which also judges signatures and policies once it is told to.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::{free_port, wait_for};

/// Somebody, as long as signatures do not count; nobody may not read.
const SIGNED: &str = "Authorization: AWS4-HMAC-SHA256 \
                      Credential=test/20260101/us-east-1/s3/aws4_request, SignedHeaders=host, Signature=x\r\n";

/// Whose requests are signed.
#[derive(Debug, Clone)]
pub struct Credentials {
    /// The access key's id.
    pub id: String,
    /// The secret.
    pub secret: String,
}

/// A server; it ends when this is dropped.
pub struct Storage {
    /// Its port.
    pub port: u16,
    process: Child,
}

/// The Python in which `bin/test` installs it.
fn program() -> PathBuf {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).unwrap_or_else(|| {
        PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/var/tmp".into())).join(".cache")
    });
    cache.join("eclusa/moto/bin/python3")
}

impl Storage {
    /// Begins one that takes every request for signed.
    #[must_use]
    pub fn begin() -> Self {
        let (port, program) = (free_port(), program());
        let process = Command::new(&program)
            .args(["-c", include_str!("storage.py"), "-H", "127.0.0.1", "-p", &port.to_string()])
            .env("INITIAL_NO_AUTH_ACTION_COUNT", "1000000000")
            .env("MOTO_S3_CUSTOM_ENDPOINTS", format!("http://127.0.0.1:{port}"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}; bin/test installs it", program.display()));
        wait_for(port, "moto");
        Self { port, process }
    }

    /// Its address.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Sends a request and returns the answer's status and body.
    pub fn request(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> (u16, Vec<u8>) {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        let head = format!(
            "{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{}\r\nContent-Length: {}\r\n{headers}\r\n",
            self.port,
            body.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        stream.write_all(body).unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        let end = answer.windows(4).position(|part| part == b"\r\n\r\n").expect("no answer");
        let status = String::from_utf8_lossy(&answer[..end]).split(' ').nth(1).unwrap().parse().unwrap();
        (status, answer.split_off(end + 4))
    }

    fn must(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> String {
        let signed = if headers.contains("Authorization") { headers } else { SIGNED };
        let (status, answer) = self.request(method, path, signed, body);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        assert!(status < 300, "{method} {path}: {status} {answer}");
        answer
    }

    /// Makes a bucket.
    pub fn make_bucket(&self, bucket: &str) {
        self.must("PUT", &format!("/{bucket}"), "", b"");
    }

    /// From now on a bucket keeps what is replaced or removed.
    pub fn keep_versions(&self, bucket: &str) {
        let wanted = "<VersioningConfiguration><Status>Enabled</Status></VersioningConfiguration>";
        self.must("PUT", &format!("/{bucket}?versioning"), "", wanted.as_bytes());
    }

    /// The names of all versions of all objects that a bucket keeps.
    #[must_use]
    pub fn versions(&self, bucket: &str) -> Vec<String> {
        let listed = self.must("GET", &format!("/{bucket}?versions&max-keys=1000"), "", b"");
        let versions = listed.split("<Version>").skip(1);
        versions.map(|one| one.split("<Key>").nth(1).unwrap().split('<').next().unwrap().to_owned()).collect()
    }

    /// The names of all objects of a bucket.
    #[must_use]
    pub fn objects(&self, bucket: &str) -> Vec<String> {
        let listed = self.must("GET", &format!("/{bucket}?list-type=2&max-keys=1000"), "", b"");
        listed.split("<Key>").skip(1).map(|rest| rest.split('<').next().unwrap().to_owned()).collect()
    }

    /// An object.
    #[must_use]
    pub fn object(&self, bucket: &str, name: &str) -> Vec<u8> {
        self.request("GET", &format!("/{bucket}/{name}"), SIGNED, b"").1
    }

    /// Writes an object, whatever was there.
    pub fn put(&self, bucket: &str, name: &str, content: &[u8]) {
        self.must("PUT", &format!("/{bucket}/{name}"), "", content);
    }

    /// Removes an object.
    pub fn delete(&self, bucket: &str, name: &str) {
        self.must("DELETE", &format!("/{bucket}/{name}"), "", b"");
    }

    fn manage(&self, action: &str, parameters: &str) -> String {
        let headers = "Content-Type: application/x-www-form-urlencoded\r\nAuthorization: AWS4-HMAC-SHA256 \
                       Credential=test/20260101/us-east-1/iam/aws4_request, SignedHeaders=host, Signature=x\r\n";
        let body = format!("Action={action}&Version=2010-05-08&{parameters}");
        self.must("POST", "/", headers, body.as_bytes())
    }

    /// A user with this policy (JSON). Before [`Storage::judge`].
    #[must_use]
    pub fn user(&self, name: &str, policy: &str) -> Credentials {
        self.manage("CreateUser", &format!("UserName={name}"));
        self.policy(name, policy);
        let made = self.manage("CreateAccessKey", &format!("UserName={name}"));
        let field = |name: &str| {
            let (_, rest) = made.split_once(&format!("<{name}>")).unwrap();
            rest.split('<').next().unwrap().to_owned()
        };
        Credentials { id: field("AccessKeyId"), secret: field("SecretAccessKey") }
    }

    /// Another policy for a user. Before [`Storage::judge`], or after [`Storage::trust`].
    pub fn policy(&self, user: &str, policy: &str) {
        let encoded: String = policy.bytes().map(|byte| format!("%{byte:02X}")).collect();
        self.manage("PutUserPolicy", &format!("UserName={user}&PolicyName=rights&PolicyDocument={encoded}"));
    }

    /// From now on signatures and policies count.
    pub fn judge(&self) {
        self.must("POST", "/moto-api/reset-auth", "", b"0");
    }

    /// From now on every request is taken for signed again.
    pub fn trust(&self) {
        self.must("POST", "/moto-api/reset-auth", "", b"1000000000");
    }
}

impl Drop for Storage {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
