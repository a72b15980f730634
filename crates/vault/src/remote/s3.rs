//! S3-compatible storage, by opendal.
//!
//! An object is there whole or not at all, so nothing unfinished can be left. It is written under the condition that there is
//! none of its name (`If-None-Match: *`), so that a policy may demand this; a server that does not know the condition is asked
//! without it. A repository's file goes as one request, never in parts.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use eclusa_fault::{Code, Fault, Result};
use opendal::layers::{ConcurrentLimitLayer, RetryLayer, TimeoutLayer};
use opendal::services::S3;
use opendal::{ErrorKind, HttpTransporter, OperationContext, Operator};
use opendal_http_transport_reqwest::ReqwestTransport;
use secrecy::{ExposeSecret as _, SecretString};

use super::{Existing, Kind, SecretSource, Store, Trouble, wait};

/// How long a connection may take to come about.
const CONNECTING: Duration = Duration::from_secs(20);
/// How long data that was sent may stay without an answer from the other machine's network.
const UNANSWERED: Duration = Duration::from_secs(60);
/// Requests at once, over all threads.
const AT_ONCE: usize = 8;
/// After the first try, with pauses that grow from [`FIRST_PAUSE`] to [`LONGEST_PAUSE`].
const MORE_TRIES: usize = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// Where objects lie, and with which credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Place {
    /// The address of the service, `https://…`.
    pub endpoint: String,
    /// The bucket, which must be there.
    pub bucket: String,
    /// The region that requests are signed for.
    pub region: String,
    /// What the names of all objects begin with; may be empty.
    pub prefix: String,
    /// The bucket's name is a part of the host's name, not of the path.
    pub virtual_host_style: bool,
    /// The access key's id, or a reference to it.
    pub access_key_id: String,
    /// A reference to the secret access key.
    pub secret_access_key: String,
    /// How long one request may take.
    pub timeout: Duration,
}

/// A bucket.
#[derive(Debug)]
pub(super) struct S3Store {
    /// Or why there is none.
    operator: std::result::Result<Operator, String>,
    location: String,
    bucket: String,
    /// Whether the server knows the condition that there is no such object.
    conditions: Arc<AtomicBool>,
}

impl S3Store {
    pub(super) fn new(place: &S3Place, secrets: &SecretSource) -> Result<Self> {
        let missing = |reference: &str| {
            Fault::new(Code::SecretMissing)
                .with("reference", reference)
                .with("problem", "nothing resolves it")
        };
        let resolve = |reference: &str| match &secrets.0 {
            Some(resolver) => resolver.resolve(reference),
            None => Err(missing(reference)),
        };
        let is_reference = |text: &str| text.starts_with("env:") || text.starts_with("file:");
        let id = if is_reference(&place.access_key_id) {
            resolve(&place.access_key_id)?
        } else {
            SecretString::from(place.access_key_id.as_str())
        };
        let secret = resolve(&place.secret_access_key)?;
        Ok(Self {
            operator: operator(place, &id, &secret),
            location: format!("s3://{}/{}", place.bucket, place.prefix).trim_end_matches('/').to_owned(),
            bucket: place.bucket.clone(),
            conditions: Arc::new(AtomicBool::new(true)),
        })
    }

    fn operator(&self) -> io::Result<Operator> {
        self.operator.clone().map_err(|problem| Trouble::error(Kind::Other, problem))
    }

    fn trouble(&self) -> impl Fn(opendal::Error) -> io::Error + Send + 'static {
        let bucket = self.bucket.clone();
        move |error| trouble(&bucket, &error)
    }
}

fn operator(
    place: &S3Place,
    id: &SecretString,
    secret: &SecretString,
) -> std::result::Result<Operator, String> {
    let client = reqwest::Client::builder()
        .connect_timeout(CONNECTING)
        .tcp_user_timeout(UNANSWERED)
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| error.to_string())?;
    let mut service = S3::default()
        .endpoint(&place.endpoint)
        .bucket(&place.bucket)
        .region(&place.region)
        .root(&format!("/{}", place.prefix))
        .access_key_id(id.expose_secret())
        .secret_access_key(secret.expose_secret())
        // Only these credentials, and nothing that lies about on this machine.
        .disable_config_load()
        .disable_ec2_metadata();
    if place.virtual_host_style {
        service = service.enable_virtual_host_style();
    }
    let transport = HttpTransporter::new(ReqwestTransport::new(client));
    let operator = Operator::new(service)
        .map_err(|error| error.to_string())?
        .with_context(OperationContext::new().with_http_transport(transport))
        // Each try has its time.
        .layer(TimeoutLayer::new().with_timeout(place.timeout).with_io_timeout(place.timeout))
        .layer(
            RetryLayer::new()
                .with_jitter()
                .with_min_delay(FIRST_PAUSE)
                .with_max_delay(LONGEST_PAUSE)
                .with_max_times(MORE_TRIES),
        )
        .layer(ConcurrentLimitLayer::new(AT_ONCE));
    Ok(operator)
}

/// The value of a field in what opendal shows of the server's answer.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    let (_, rest) = text.split_once(&format!("{name}: \""))?;
    rest.split_once('"').map(|(value, _)| value).filter(|value| !value.is_empty())
}

/// What an error means and says. The server's own word is kept, since that is what people look for.
fn trouble(bucket: &str, error: &opendal::Error) -> io::Error {
    let said = error.message();
    let code = field(said, "code").unwrap_or_default();
    let full = ["QuotaExceeded", "XMinioStorageFull", "XMinioBackendDown", "InsufficientCapacity"];
    let kind = match error.kind() {
        _ if full.contains(&code) => Kind::Full,
        _ if code == "NoSuchBucket" => Kind::NoPlace,
        ErrorKind::PermissionDenied => Kind::Denied,
        ErrorKind::NotFound => Kind::Missing,
        ErrorKind::ConditionNotMatch | ErrorKind::AlreadyExists => Kind::Exists,
        ErrorKind::RateLimited => Kind::Unreachable,
        _ if code.is_empty() && error.is_temporary() || is_transport(error) => Kind::Unreachable,
        _ => Kind::Other,
    };
    let mut text = match (kind, code) {
        (Kind::NoPlace, _) => format!("there is no bucket {bucket}"),
        (Kind::Missing, _) => "there is no such object".to_owned(),
        (_, "") => said.to_owned(),
        _ => match field(said, "message") {
            Some(message) => format!("the server answered {code}: {message}"),
            None => format!("the server answered {code}"),
        },
    };
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        let more = cause.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = cause.source();
    }
    Trouble::error(kind, text)
}

/// Whether no answer came at all.
fn is_transport(error: &opendal::Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<reqwest::Error>())
        || error.message().contains("timeout")
}

impl Store for S3Store {
    fn location(&self) -> String {
        self.location.clone()
    }

    fn check(&self) -> io::Result<()> {
        let (operator, trouble) = (self.operator()?, self.trouble());
        wait(async move { operator.list_with("/").limit(1).await.map(drop).map_err(trouble) })
    }

    fn list(&self, directory: &str, _: bool) -> io::Result<Vec<(String, u64)>> {
        let (operator, trouble, directory) = (self.operator()?, self.trouble(), format!("{directory}/"));
        wait(async move {
            let entries = operator.list_with(&directory).recursive(true).await.map_err(trouble)?;
            let files = entries.into_iter().filter(|entry| entry.metadata().is_file());
            Ok(files.map(|entry| (entry.name().to_owned(), entry.metadata().content_length())).collect())
        })
    }

    fn read(&self, path: &str, part: Option<Range<u64>>) -> io::Result<Bytes> {
        let (operator, trouble, path) = (self.operator()?, self.trouble(), path.to_owned());
        wait(async move {
            let read = operator.read_with(&path);
            let content = match part {
                Some(part) => read.range(part).await,
                None => read.await,
            };
            content.map(|content| content.to_bytes()).map_err(trouble)
        })
    }

    fn write(&self, path: &str, content: Bytes, existing: Existing) -> io::Result<()> {
        let (operator, trouble, path) = (self.operator()?, self.trouble(), path.to_owned());
        let conditions = self.conditions.clone();
        wait(async move {
            if existing == Existing::Stays && conditions.load(Ordering::Relaxed) {
                match operator.write_with(&path, content.clone()).if_not_exists(true).await {
                    Err(error) if field(error.message(), "code") == Some("NotImplemented") => {
                        conditions.store(false, Ordering::Relaxed);
                    }
                    written => return written.map(drop).map_err(trouble),
                }
            }
            if existing == Existing::Stays && operator.exists(&path).await.map_err(&trouble)? {
                return Err(Trouble::error(Kind::Exists, "it is there already"));
            }
            operator.write(&path, content).await.map(drop).map_err(trouble)
        })
    }

    fn remove(&self, path: &str) -> io::Result<()> {
        let (operator, trouble, path) = (self.operator()?, self.trouble(), path.to_owned());
        wait(async move { operator.delete(&path).await.map_err(trouble) })
    }

    fn remove_unfinished(&self, _: &str) -> io::Result<()> {
        Ok(())
    }

    /// A bucket with versions keeps what was removed. A server that does not know of versions keeps none.
    fn destroy_versions(&self, directory: &str) -> io::Result<()> {
        let (operator, trouble, directory) = (self.operator()?, self.trouble(), format!("{directory}/"));
        wait(async move {
            let listed = operator.list_with(&directory).recursive(true).versions(true).deleted(true).await;
            let entries = match listed {
                Err(error) if knows_no_versions(&error) => return Ok(()),
                listed => listed.map_err(&trouble)?,
            };
            for entry in entries {
                let Some(version) = entry.metadata().version().map(str::to_owned) else { continue };
                operator.delete_with(entry.path()).version(&version).await.map_err(&trouble)?;
            }
            let left =
                operator.list_with(&directory).recursive(true).versions(true).await.map_err(&trouble)?;
            let left = left.iter().filter(|entry| entry.metadata().is_file()).count();
            match left {
                0 => Ok(()),
                left => Err(Trouble::error(Kind::Other, format!("the bucket still keeps {left} versions"))),
            }
        })
    }
}

fn knows_no_versions(error: &opendal::Error) -> bool {
    error.kind() == ErrorKind::Unsupported
        || matches!(field(error.message(), "code"), Some("NotImplemented" | "MethodNotAllowed"))
}
