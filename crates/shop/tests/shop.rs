//! The shop as its operator and its customers see it: migrations, checks, census, traffic, a defect.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use eclusa_shop::{
    CheckOptions, Defect, MigrateOptions, ReleaseFile, SeedOptions, ServeOptions, Server, TrafficOptions,
    TrafficResults, census, check, database_path, migrate, missing_sales, pending, receipts_directory, seed,
    tenants, traffic,
};
use tokio::sync::oneshot;

struct Place {
    directory: tempfile::TempDir,
}

impl Place {
    fn new(names: &[&str]) -> Self {
        let place = Self { directory: tempfile::tempdir().unwrap() };
        for version in ["v1", "v2", "v3"] {
            ReleaseFile::healthy(version).write(&place.release(version)).unwrap();
        }
        std::fs::create_dir_all(place.data()).unwrap();
        for (number, name) in names.iter().enumerate() {
            seed(&SeedOptions {
                data: place.data(),
                tenant: (*name).to_owned(),
                seed: number as u64,
                products: 20,
                customers: 10,
                sales: 60,
            })
            .unwrap();
        }
        place
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    fn release(&self, version: &str) -> PathBuf {
        self.directory.path().join("releases").join(version)
    }

    fn migration(&self, tenant: &str, version: &str) -> MigrateOptions {
        MigrateOptions {
            data: self.data(),
            tenant: tenant.to_owned(),
            release_directory: self.release(version),
            at_least: Duration::ZERO,
        }
    }

    fn check(&self, tenant: &str, version: &str) -> (bool, String) {
        let mut output = Vec::new();
        let options = CheckOptions {
            data: self.data(),
            tenant: tenant.to_owned(),
            release_directory: self.release(version),
        };
        let outcome = check(&options, &mut output);
        (outcome.is_ok(), String::from_utf8(output).unwrap())
    }

    async fn serve(&self, release: &Path) -> (SocketAddr, oneshot::Sender<()>) {
        let options = ServeOptions {
            data: self.data(),
            release_directory: release.to_owned(),
            listen: "127.0.0.1:0".parse().unwrap(),
        };
        let server = Server::bind(&options).await.unwrap();
        let address = server.address().unwrap();
        let (stop, stopped) = oneshot::channel();
        tokio::spawn(server.run(async {
            let _ = stopped.await;
        }));
        (address, stop)
    }

    fn traffic(&self, address: SocketAddr, names: &[&str], rate: f64) -> TrafficOptions {
        TrafficOptions {
            base_url: format!("http://{address}"),
            hosts: names.iter().map(|name| ((*name).to_owned(), format!("{name}.shop.test"))).collect(),
            rate,
            seed: 7,
            products: 20,
            customers: 10,
            stop_file: None,
            results: self.directory.path().join("traffic.json"),
            acknowledged: self.directory.path().join("acknowledged.jsonl"),
        }
    }
}

async fn ask(address: SocketAddr, host: &str, path: &str) -> (u16, serde_json::Value) {
    let answer = reqwest::Client::new()
        .get(format!("http://{address}{path}"))
        .header("host", host)
        .send()
        .await
        .unwrap();
    assert!(answer.headers().contains_key("x-release"));
    (answer.status().as_u16(), answer.json().await.unwrap_or_default())
}

#[test]
fn demo_data_is_the_same_for_the_same_seed_and_is_never_put_over_other_data() {
    let (one, other) = (Place::new(&["alpha", "beta"]), Place::new(&["alpha", "beta"]));
    assert_eq!(tenants(&one.data()).unwrap(), ["alpha", "beta"]);
    let first = census(&one.data(), "alpha").unwrap();
    assert_eq!(first.tables["products"], census(&other.data(), "alpha").unwrap().tables["products"]);
    assert_eq!(first, census(&other.data(), "alpha").unwrap());
    assert_ne!(first, census(&one.data(), "beta").unwrap());
    assert_eq!((first.schema, first.tables["sales"].rows, first.files.count), (Some(1), 60, 60));
    let again = SeedOptions {
        data: one.data(),
        tenant: "alpha".to_owned(),
        seed: 1,
        products: 1,
        customers: 1,
        sales: 1,
    };
    assert!(seed(&again).unwrap_err().to_string().contains("is there already"));
    assert!(seed(&SeedOptions { tenant: "../out".to_owned(), ..again }).is_err());
    assert_eq!(census(&one.data(), "alpha").unwrap(), first);
}

#[test]
fn migrations_go_from_release_to_release_and_every_step_checks() {
    let place = Place::new(&["alpha"]);
    assert_eq!(place.check("alpha", "v1").1.matches("ok ").count(), 4);
    assert_eq!(pending(&place.migration("alpha", "v3")).unwrap().len(), 2);
    let before = census(&place.data(), "alpha").unwrap();
    for (version, schema, name) in [("v2", 2, "0002_discounts_and_points"), ("v3", 3, "0003_point_entries")] {
        assert_eq!(pending(&place.migration("alpha", version)).unwrap(), [name]);
        assert!(!place.check("alpha", version).0, "{version} works without its migration");
        let mut lines = Vec::new();
        assert_eq!(migrate(&place.migration("alpha", version), &mut lines).unwrap(), [name]);
        assert!(String::from_utf8(lines).unwrap().contains("20/20"));
        let (good, text) = place.check("alpha", version);
        assert!(good, "{text}");
        let after = census(&place.data(), "alpha").unwrap();
        assert_eq!(after.schema, Some(schema));
        assert_eq!(after.tables["payments"], before.tables["payments"]);
        assert_eq!(after.files, before.files);
        assert_eq!(migrate(&place.migration("alpha", version), &mut std::io::sink()).unwrap(), [""; 0]);
    }
    // The old code refuses the new schema, and nothing migrates backwards.
    let (good, text) = place.check("alpha", "v1");
    assert!(!good && text.contains("newer than schema 1"), "{text}");
    assert!(
        migrate(&place.migration("alpha", "v2"), &mut std::io::sink())
            .unwrap_err()
            .to_string()
            .contains("newer")
    );
    assert!(pending(&place.migration("alpha", "v9")).is_err());
}

/// Ends the migration in its middle, as a kill does: whoever writes its progress panics.
struct Ends(u32);

impl std::io::Write for Ends {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 -= 1;
        assert!(self.0 > 0, "killed");
        Ok(bytes.len())
    }
    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn a_migration_that_was_killed_is_seen_by_everyone() {
    let place = Place::new(&["alpha", "beta"]);
    let options = place.migration("alpha", "v2");
    std::thread::spawn(move || migrate(&options, &mut Ends(10))).join().unwrap_err();
    assert_eq!(census(&place.data(), "alpha").unwrap().schema, None);
    for version in ["v1", "v2"] {
        let (good, text) = place.check("alpha", version);
        assert!(!good && text.contains("begun and not finished"), "{text}");
        let (address, _stop) = place.serve(&place.release(version)).await;
        assert_eq!(ask(address, "alpha.shop.test", "/api/products").await.0, 500);
    }
    assert!(migrate(&place.migration("alpha", "v2"), &mut std::io::sink()).is_err());
    assert!(place.check("beta", "v1").0);
}

#[test]
fn a_migration_takes_the_time_that_it_is_told() {
    let place = Place::new(&["alpha"]);
    let options = MigrateOptions { at_least: Duration::from_millis(400), ..place.migration("alpha", "v2") };
    let began = std::time::Instant::now();
    migrate(&options, &mut std::io::sink()).unwrap();
    assert!(began.elapsed() >= Duration::from_millis(400));
}

#[test]
fn the_checks_find_wrong_books_and_lost_and_changed_files_and_leave_nothing() {
    let place = Place::new(&["alpha"]);
    let before = census(&place.data(), "alpha").unwrap();
    assert!(place.check("alpha", "v1").0);
    assert_eq!(census(&place.data(), "alpha").unwrap(), before);
    let directory = place.data().join("alpha");
    assert_eq!(
        std::fs::read_dir(&directory).unwrap().filter(|e| e.as_ref().unwrap().path().is_dir()).count(),
        1
    );

    let receipts = receipts_directory(&directory);
    let file = std::fs::read_dir(&receipts).unwrap().next().unwrap().unwrap().path();
    let content = std::fs::read(&file).unwrap();
    std::fs::write(&file, "changed").unwrap();
    assert!(place.check("alpha", "v1").1.contains("its content is not"));
    assert_ne!(census(&place.data(), "alpha").unwrap().files, before.files);
    std::fs::remove_file(&file).unwrap();
    assert!(!place.check("alpha", "v1").0);
    std::fs::write(&file, content).unwrap();
    assert!(place.check("alpha", "v1").0);

    let connection = rusqlite::Connection::open(database_path(&directory)).unwrap();
    connection.execute("UPDATE payments SET amount_cents = amount_cents + 1 WHERE id = 1", []).unwrap();
    let (good, text) = place.check("alpha", "v1");
    assert!(!good && text.contains("FAILED  alpha: the report adds up"), "{text}");
    assert_ne!(census(&place.data(), "alpha").unwrap().tables["payments"], before.tables["payments"]);
}

#[tokio::test]
async fn tenants_are_told_apart_by_host_and_only_schemas_that_fit_are_served() {
    let place = Place::new(&["alpha", "beta"]);
    migrate(&place.migration("beta", "v2"), &mut std::io::sink()).unwrap();
    let (address, _stop) = place.serve(&place.release("v1")).await;
    let (status, report) = ask(address, "alpha.shop.test:8080", "/api/report").await;
    assert_eq!(status, 200);
    assert_eq!(report["sales"], 60);
    assert_eq!(report["total_cents"], report["paid_cents"]);
    assert_eq!(ask(address, "beta.shop.test", "/api/report").await.0, 500);
    assert_eq!(ask(address, "gamma.shop.test", "/api/report").await.0, 404);
    assert_eq!(ask(address, "..", "/api/report").await.0, 404);
    assert_eq!(ask(address, "beta.shop.test", "/api/version").await.1["release"], "v1");
    assert_eq!(ask(address, "beta.shop.test", "/healthz").await.0, 200);
    let unknown =
        serde_json::json!({ "customer": 1, "method": "cash", "lines": [{ "product": 999, "quantity": 1 }] });
    let answer = reqwest::Client::new()
        .post(format!("http://{address}/api/sales"))
        .header("host", "alpha.shop.test")
        .json(&unknown)
        .send()
        .await
        .unwrap();
    assert_eq!(answer.status().as_u16(), 422);
    assert_eq!(ask(address, "alpha.shop.test", "/api/report").await.1["sales"], 60);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn traffic_counts_what_it_sees_and_every_acknowledged_sale_is_there() {
    let place = Place::new(&["alpha", "beta"]);
    migrate(&place.migration("alpha", "v2"), &mut std::io::sink()).unwrap();
    migrate(&place.migration("beta", "v2"), &mut std::io::sink()).unwrap();
    let (address, stop) = place.serve(&place.release("v2")).await;
    let mut options = place.traffic(address, &["alpha", "beta"], 50.0);
    let stop_file = place.directory.path().join("stop");
    options.stop_file = Some(stop_file.clone());
    let running = tokio::spawn(traffic(options.clone(), std::future::pending()));
    let so_far = async || TrafficResults::read(&options.results).unwrap_or_default();
    for _ in 0..200 {
        if so_far().await.tenants.values().map(|tenant| tenant.acknowledged_sales).min().unwrap_or(0) >= 5 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    std::fs::write(&stop_file, "").unwrap();
    let results = running.await.unwrap().unwrap();
    let written = TrafficResults::read(&options.results).unwrap();
    assert!(results.tenants.iter().all(|(tenant, seen)| written.tenants[tenant].statuses == seen.statuses));
    for (tenant, seen) in &results.tenants {
        assert!(seen.acknowledged_sales >= 5, "{results:?}");
        assert_eq!((seen.failed, seen.turned_away, seen.sent), (0, 0, seen.ok), "{results:?}");
        assert!(
            seen.latency_milliseconds.p50 > 0.0
                && seen.latency_milliseconds.p95 >= seen.latency_milliseconds.p50
        );
        assert_eq!(missing_sales(&options.acknowledged, &place.data(), tenant).unwrap(), []);
        let (good, text) = place.check(tenant, "v2");
        assert!(good, "{text}");
        let rows = census(&place.data(), tenant).unwrap().tables["sales"].rows;
        assert_eq!(rows, 60 + seen.acknowledged_sales);
    }
    let connection = rusqlite::Connection::open(database_path(&place.data().join("alpha"))).unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    connection.execute("DELETE FROM sales WHERE id = (SELECT MAX(id) FROM sales)", []).unwrap();
    assert_eq!(missing_sales(&options.acknowledged, &place.data(), "alpha").unwrap().len(), 1);
    drop(stop);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_defect_shows_under_traffic_and_not_to_a_few_requests() {
    let place = Place::new(&["alpha"]);
    let bad = place.directory.path().join("releases/bad");
    let defect = Defect { error_share: 0.2, slow_milliseconds: 60, after_requests: 30 };
    ReleaseFile { version: "v1".to_owned(), defect: Some(defect) }.write(&bad).unwrap();
    let (address, _stop) = place.serve(&bad).await;
    for _ in 0..30 {
        assert_eq!(ask(address, "alpha.shop.test", "/api/report").await.0, 200);
    }
    let options = place.traffic(address, &["alpha"], 100.0);
    let results = traffic(options, tokio::time::sleep(Duration::from_millis(2500))).await.unwrap();
    let seen = &results.tenants["alpha"];
    let share = seen.failed as f64 / seen.sent as f64;
    assert!(seen.sent >= 100 && (0.12..0.28).contains(&share), "{results:?}");
    assert_eq!(seen.statuses[&500], seen.failed);
    assert!(seen.latency_milliseconds.p50 >= 60.0, "{results:?}");
    // What it did acknowledge is there all the same.
    assert!(place.check("alpha", "v1").0);
}

#[tokio::test]
async fn a_shop_that_is_not_there_is_counted_as_no_answer_and_maintenance_as_turned_away() {
    let place = Place::new(&[]);
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let options = place.traffic(free, &["alpha"], 50.0);
    let results = traffic(options, tokio::time::sleep(Duration::from_millis(300))).await.unwrap();
    let seen = &results.tenants["alpha"];
    assert!(seen.sent > 0 && seen.unanswered == seen.sent && seen.failed == seen.sent, "{results:?}");

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let closed = axum::Router::new()
        .fallback(async || (axum::http::StatusCode::SERVICE_UNAVAILABLE, [("retry-after", "5")], ""));
    tokio::spawn(async { axum::serve(listener, closed).await });
    let options = place.traffic(address, &["alpha"], 50.0);
    let results = traffic(options, tokio::time::sleep(Duration::from_millis(600))).await.unwrap();
    let seen = &results.tenants["alpha"];
    assert!(seen.sent > 0 && seen.turned_away == seen.sent && seen.failed == 0, "{results:?}");
    assert_eq!(seen.maintenance_windows, 1);
    assert!(seen.maintenance_seconds > 0.3, "{results:?}");
}

#[test]
fn a_release_file_that_cannot_be_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    for bad in [
        "{}",
        "{\"version\": \"v9\"}",
        "{\"version\": \"v1\", \"more\": 1}",
        "{\"version\": \"v1\", \"defect\": {\"error_share\": 1.5, \"slow_milliseconds\": 1, \"after_requests\": 1}}",
    ] {
        std::fs::write(directory.path().join("release.json"), bad).unwrap();
        assert!(ReleaseFile::read(directory.path()).is_err(), "{bad}");
    }
    let mut all = BTreeMap::new();
    for version in ["v1", "v2", "v3"] {
        all.insert(version, ReleaseFile::healthy(version).schema().unwrap());
    }
    assert_eq!(all.into_values().collect::<Vec<_>>(), [1, 2, 3]);
}
