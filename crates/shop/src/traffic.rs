//! Customers of the shop: requests at a steady rate, whatever becomes of the ones before, and an account of each.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use reqwest::{Client, Method, StatusCode, header};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior};

use crate::seed::wanted_sale;
use crate::store::Sale;
use crate::tally::{Came, Tally};
use crate::{AcknowledgedSale, TrafficResults, Trouble};

/// How long a customer waits for an answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// How many requests of one tenant may be under way; further ones wait, so that a dead shop does not fill the memory.
const UNDER_WAY: usize = 64;
/// How often the results are written.
const WRITTEN_EVERY: Duration = Duration::from_millis(500);
/// How many acknowledged sales are remembered to be asked for again.
const REMEMBERED: usize = 200;

/// What is sent, where, and for how long.
#[derive(Debug, Clone)]
pub struct TrafficOptions {
    /// Where the public goes: `http://127.0.0.1:18080`.
    pub base_url: String,
    /// The `Host` to ask for, by tenant.
    pub hosts: BTreeMap<String, String>,
    /// Requests a second for each tenant.
    pub rate: f64,
    /// What the requests are drawn from.
    pub seed: u64,
    /// How many products and customers the tenants have (see `SeedOptions`).
    pub products: u32,
    /// See `products`.
    pub customers: u32,
    /// It ends when this file appears.
    pub stop_file: Option<PathBuf>,
    /// Where the results are written, every half second and at the end, as JSON ([`TrafficResults`]).
    pub results: PathBuf,
    /// Where each acknowledged sale is added, a line of JSON each ([`AcknowledgedSale`]).
    pub acknowledged: PathBuf,
}

struct Customers {
    client: Client,
    options: TrafficOptions,
    began: Timestamp,
    tallies: Mutex<BTreeMap<String, Tally>>,
    acknowledged: Mutex<File>,
}

/// One request, drawn beforehand.
struct Request {
    method: Method,
    path: String,
    body: Option<Vec<u8>>,
    json: bool,
    expected: StatusCode,
    sale: bool,
    /// Whether it is about a sale that a restore may have taken back.
    about_sale: bool,
}

/// Sends requests until `stop` or until the stop file appears; waits for those under way. Gives the results.
///
/// # Errors
/// When a file cannot be written or the client cannot be made. Requests that fail are counted, no error.
pub async fn traffic(
    options: TrafficOptions,
    stop: impl Future<Output = ()>,
) -> Result<TrafficResults, Trouble> {
    if !(options.rate.is_finite() && options.rate > 0.0) {
        return Err(Trouble::new("the rate must be above 0"));
    }
    let client = Client::builder()
        .timeout(PATIENCE)
        .no_proxy()
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(Trouble::new)?;
    let acknowledged = File::options()
        .create(true)
        .append(true)
        .open(&options.acknowledged)
        .map_err(|error| Trouble::at(&options.acknowledged, error))?;
    let customers = Arc::new(Customers {
        client,
        began: Timestamp::now(),
        tallies: Mutex::new(options.hosts.keys().map(|tenant| (tenant.clone(), Tally::default())).collect()),
        acknowledged: Mutex::new(acknowledged),
        options,
    });
    let mut generators = JoinSet::new();
    let (ending, _) = tokio::sync::watch::channel(false);
    for (number, tenant) in customers.options.hosts.keys().enumerate() {
        generators.spawn(generate(Arc::clone(&customers), tenant.clone(), number as u64, ending.subscribe()));
    }
    let mut every = tokio::time::interval(WRITTEN_EVERY);
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            _ = every.tick() => {
                customers.results().write(&customers.options.results)?;
                if customers.options.stop_file.as_ref().is_some_and(|path| path.exists()) {
                    break;
                }
            }
        }
    }
    let _ = ending.send(true);
    while generators.join_next().await.is_some() {}
    let results = customers.results();
    results.write(&customers.options.results)?;
    Ok(results)
}

/// Ends when this process is told to: SIGTERM or SIGINT.
///
/// # Errors
/// When signals cannot be listened to.
pub async fn terminated() -> Result<(), Trouble> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
    Ok(())
}

async fn generate(
    customers: Arc<Customers>,
    tenant: String,
    number: u64,
    mut ending: tokio::sync::watch::Receiver<bool>,
) {
    let mut random = StdRng::seed_from_u64(customers.options.seed.wrapping_add(number));
    let period = Duration::from_secs_f64(1.0 / customers.options.rate);
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let room = Arc::new(Semaphore::new(UNDER_WAY));
    let known: Arc<Mutex<Vec<String>>> = Arc::default();
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            _ = ending.changed() => break,
            _ = ticks.tick() => {}
            Some(_) = under_way.join_next(), if !under_way.is_empty() => continue,
        }
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else { break };
        let request = draw(&mut random, &customers.options, &known);
        let (customers, tenant, known) = (Arc::clone(&customers), tenant.clone(), Arc::clone(&known));
        under_way.spawn(async move {
            if let Some(reference) = customers.send(&tenant, request).await
                && let Ok(mut known) = known.lock()
            {
                if known.len() >= REMEMBERED {
                    known.remove(0);
                }
                known.push(reference);
            }
            drop(permit);
        });
    }
    while under_way.join_next().await.is_some() {}
}

/// Draws a request: of a hundred, 50 look at products, 15 at the report, 10 at a sale, 20 buy, 5 upload.
fn draw(random: &mut StdRng, options: &TrafficOptions, known: &Mutex<Vec<String>>) -> Request {
    let look = |path: String| Request {
        method: Method::GET,
        about_sale: path.starts_with("/api/sales/"),
        path,
        body: None,
        json: false,
        expected: StatusCode::OK,
        sale: false,
    };
    let some_sale = |random: &mut StdRng| {
        let known = known.lock().ok()?;
        if known.is_empty() { None } else { known.get(random.random_range(0..known.len())).cloned() }
    };
    match random.random_range(0..100) {
        0..50 => look("/api/products".to_owned()),
        50..65 => look("/api/report".to_owned()),
        65..75 => match some_sale(random) {
            Some(reference) => look(format!("/api/sales/{reference}")),
            None => look("/api/report".to_owned()),
        },
        75..80 => match some_sale(random) {
            Some(reference) => Request {
                method: Method::POST,
                path: format!("/api/receipts?sale={reference}"),
                body: Some(random.random::<[u8; 32]>().repeat(random.random_range(8..64))),
                json: false,
                expected: StatusCode::CREATED,
                sale: false,
                about_sale: true,
            },
            None => look("/api/products".to_owned()),
        },
        _ => Request {
            method: Method::POST,
            path: "/api/sales".to_owned(),
            body: serde_json::to_vec(&wanted_sale(random, options.products, options.customers)).ok(),
            json: true,
            expected: StatusCode::CREATED,
            sale: true,
            about_sale: false,
        },
    }
}

impl Customers {
    /// Sends a request and counts it. Gives the reference of a sale that was acknowledged.
    async fn send(&self, tenant: &str, request: Request) -> Option<String> {
        let host = self.options.hosts.get(tenant)?;
        let url = format!("{}{}", self.options.base_url, request.path);
        let mut sending = self.client.request(request.method, url).header(header::HOST, host);
        if request.json {
            sending = sending.header(header::CONTENT_TYPE, "application/json");
        }
        if let Some(body) = request.body {
            sending = sending.body(body);
        }
        let sent_at = Timestamp::now();
        let began = Instant::now();
        let answer = match sending.send().await {
            Ok(answer) => {
                let status = answer.status();
                let retry_after = answer.headers().contains_key(header::RETRY_AFTER);
                answer.bytes().await.ok().map(|body| (status, retry_after, body))
            }
            Err(_) => None,
        };
        let took = began.elapsed();
        let (came, status) = match &answer {
            None => (Came::Never, 0),
            Some((status, true, _)) if *status == StatusCode::SERVICE_UNAVAILABLE => {
                (Came::Away, status.as_u16())
            }
            Some((status, ..)) if *status == request.expected => (Came::Well, status.as_u16()),
            // After a restore, a sale that was made since is gone: the answer is right, and the loss is counted
            // by comparing with what was acknowledged.
            Some((status, ..)) if *status == StatusCode::NOT_FOUND && request.about_sale => {
                (Came::Well, status.as_u16())
            }
            Some((status, ..)) => (Came::Badly, status.as_u16()),
        };
        let reference = match &answer {
            Some((_, _, body)) if request.sale && came == Came::Well => {
                serde_json::from_slice::<Sale>(body).ok().map(|sale| sale.reference)
            }
            _ => None,
        };
        // First the account of what must not be lost, then the count of it.
        let noted = reference.as_ref().is_some_and(|reference| self.note(tenant, reference).is_ok());
        if let Ok(mut tallies) = self.tallies.lock()
            && let Some(tally) = tallies.get_mut(tenant)
        {
            tally.add(sent_at, came, status, took);
            if noted {
                tally.acknowledged();
            }
        }
        reference
    }

    fn note(&self, tenant: &str, reference: &str) -> Result<(), Trouble> {
        let sale = AcknowledgedSale {
            tenant: tenant.to_owned(),
            reference: reference.to_owned(),
            at: Timestamp::now(),
        };
        let mut line = serde_json::to_vec(&sale)?;
        line.push(b'\n');
        let mut file = self.acknowledged.lock().map_err(|_| Trouble::new("another writer failed"))?;
        Ok(file.write_all(&line)?)
    }

    fn results(&self) -> TrafficResults {
        let tenants = match self.tallies.lock() {
            Ok(tallies) => tallies.iter().map(|(tenant, tally)| (tenant.clone(), tally.results())).collect(),
            Err(_) => BTreeMap::new(),
        };
        TrafficResults { began: Some(self.began), until: Some(Timestamp::now()), tenants }
    }
}
