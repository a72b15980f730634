//! The shop over HTTP.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path as InPath, Query, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use jiff::Timestamp;
use rusqlite::{Connection, TransactionBehavior};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;

use crate::pool::Pool;
use crate::seed::reference;
use crate::store::{self, WantedSale};
use crate::{ReleaseFile, Trouble, database_path, receipts_directory, tenant_directory};

/// The most that is taken in one request, in bytes.
const LARGEST_BODY: usize = 256 * 1024;

/// What is served.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Where the tenants' directories are.
    pub data: PathBuf,
    /// The directory of the release.
    pub release_directory: PathBuf,
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
}

#[derive(Debug)]
struct Shop {
    data: PathBuf,
    release: String,
    schema: u32,
    pool: Pool,
}

/// A shop that listens.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    shop: Arc<Shop>,
}

impl Server {
    /// Reads the release and takes the port.
    ///
    /// # Errors
    /// When the release is unknown or the port is taken.
    pub async fn bind(options: &ServeOptions) -> Result<Self, Trouble> {
        let release = ReleaseFile::read(&options.release_directory)?;
        let listener = TcpListener::bind(options.listen)
            .await
            .map_err(|error| Trouble::new(format!("{}: {error}", options.listen)))?;
        let shop = Shop {
            data: options.data.clone(),
            schema: release.schema()?,
            release: release.version,
            pool: Pool::new(release.defect),
        };
        Ok(Self { listener, shop: Arc::new(shop) })
    }

    /// Where it listens.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn address(&self) -> Result<SocketAddr, Trouble> {
        Ok(self.listener.local_addr()?)
    }

    /// Serves until `stop`, then lets the requests in flight finish.
    ///
    /// # Errors
    /// When the listener fails.
    pub async fn run(self, stop: impl Future<Output = ()> + Send + 'static) -> Result<(), Trouble> {
        println!("shop {} listens on {}", self.shop.release, self.address()?);
        let app = Router::new()
            .route("/healthz", get(async || "ok\n"))
            .route("/api/version", get(version))
            .route("/api/products", get(products))
            .route("/api/sales", post(add_sale))
            .route("/api/sales/{reference}", get(one_sale))
            .route("/api/report", get(report))
            .route("/api/receipts", post(add_receipt))
            .layer(DefaultBodyLimit::max(LARGEST_BODY))
            .layer(middleware::from_fn_with_state(Arc::clone(&self.shop), say_release))
            .with_state(self.shop);
        axum::serve(self.listener, app).with_graceful_shutdown(stop).await?;
        println!("shop ends");
        Ok(())
    }
}

async fn say_release(State(shop): State<Arc<Shop>>, request: axum::extract::Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&shop.release) {
        response.headers_mut().insert("x-release", value);
    }
    response
}

/// An answer that is not what was wanted.
enum Refusal {
    /// What was asked for cannot be.
    Asker(StatusCode, Trouble),
    /// The shop fails.
    Shop(Trouble),
}

impl From<Trouble> for Refusal {
    fn from(trouble: Trouble) -> Self {
        Self::Shop(trouble)
    }
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Shop(error.into())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        match self {
            Self::Asker(status, trouble) => {
                (status, Json(json!({ "error": trouble.to_string() }))).into_response()
            }
            Self::Shop(trouble) => {
                eprintln!("ERROR {trouble}");
                // What went wrong inside is for the log; whoever asks learns that it did.
                let body = Json(json!({ "error": "the shop failed" }));
                (StatusCode::INTERNAL_SERVER_ERROR, body).into_response()
            }
        }
    }
}

impl Shop {
    /// The directory of the tenant that is asked for.
    fn tenant(&self, headers: &HeaderMap) -> Result<PathBuf, Refusal> {
        let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
        let label = host.split(['.', ':']).next().unwrap_or_default().to_ascii_lowercase();
        tenant_directory(&self.data, &label)
            .ok()
            .filter(|directory| database_path(directory).is_file())
            .ok_or_else(|| Refusal::Asker(StatusCode::NOT_FOUND, Trouble::new("there is no such shop here")))
    }

    /// Does work on the database of the tenant that is asked for, where blocking does no harm.
    async fn with<T: Send + 'static>(
        self: &Arc<Self>,
        headers: &HeaderMap,
        work: impl FnOnce(&Self, &mut Connection, PathBuf) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, Refusal> {
        let directory = self.tenant(headers)?;
        let turn = self.pool.turn();
        if !turn.wait.is_zero() {
            tokio::time::sleep(turn.wait).await;
        }
        let shop = Arc::clone(self);
        let blocking = move || {
            shop.pool.with(&database_path(&directory), turn, |connection| {
                store::require(connection, shop.schema)?;
                Ok(work(&shop, connection, receipts_directory(&directory)))
            })
        };
        tokio::task::spawn_blocking(blocking).await.map_err(Trouble::new)??
    }
}

async fn version(State(shop): State<Arc<Shop>>) -> Json<serde_json::Value> {
    Json(json!({ "release": shop.release, "schema": shop.schema }))
}

async fn products(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Result<Response, Refusal> {
    let found = shop.with(&headers, |_, connection, _| Ok(store::products(connection)?)).await?;
    Ok(Json(json!({ "products": found })).into_response())
}

async fn add_sale(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    Json(wanted): Json<WantedSale>,
) -> Result<Response, Refusal> {
    let work = move |shop: &Shop, connection: &mut Connection, receipts: PathBuf| {
        let reference = reference(&mut rand::rng());
        // Immediate: two writers wait for each other at the start, instead of one failing in the middle.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let customer: i64 = transaction.query_row(
            "SELECT COUNT(*) FROM customers WHERE id = ?1",
            [wanted.customer],
            |row| row.get(0),
        )?;
        if customer == 0 {
            let trouble = Trouble::new(format!("there is no customer {}", wanted.customer));
            return Err(Refusal::Asker(StatusCode::UNPROCESSABLE_ENTITY, trouble));
        }
        let known = store::products(&transaction)?;
        let plausible = !wanted.lines.is_empty()
            && wanted.lines.iter().all(|line| {
                (1..=1000).contains(&line.quantity) && known.iter().any(|product| product.id == line.product)
            });
        if !plausible {
            let trouble =
                Trouble::new("a sale has lines, each of 1 to 1000 pieces of a product that there is");
            return Err(Refusal::Asker(StatusCode::UNPROCESSABLE_ENTITY, trouble));
        }
        let sale =
            store::add_sale(&transaction, shop.schema, &receipts, &reference, Timestamp::now(), &wanted)?;
        transaction.commit()?;
        Ok(sale)
    };
    let sale = shop.with(&headers, work).await?;
    Ok((StatusCode::CREATED, Json(sale)).into_response())
}

async fn one_sale(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    InPath(reference): InPath<String>,
) -> Result<Response, Refusal> {
    let found = shop.with(&headers, move |_, connection, _| Ok(store::sale(connection, &reference)?)).await?;
    match found {
        Some((_, sale)) => Ok(Json(sale).into_response()),
        None => Err(Refusal::Asker(StatusCode::NOT_FOUND, Trouble::new("there is no such sale"))),
    }
}

async fn report(State(shop): State<Arc<Shop>>, headers: HeaderMap) -> Result<Response, Refusal> {
    let found =
        shop.with(&headers, |shop, connection, _| Ok(store::report(connection, shop.schema)?)).await?;
    Ok(Json(found).into_response())
}

/// For which sale a file is.
#[derive(Debug, Deserialize)]
struct ReceiptQuery {
    sale: String,
}

async fn add_receipt(
    State(shop): State<Arc<Shop>>,
    headers: HeaderMap,
    Query(query): Query<ReceiptQuery>,
    content: Bytes,
) -> Result<Response, Refusal> {
    let work = move |_: &Shop, connection: &mut Connection, receipts: PathBuf| {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let Some((sale, _)) = store::sale(&transaction, &query.sale)? else {
            return Err(Refusal::Asker(StatusCode::NOT_FOUND, Trouble::new("there is no such sale")));
        };
        let name = format!("{}.bin", reference(&mut rand::rng()));
        let sha256 = store::attach_receipt(&transaction, &receipts, sale, &name, &content)?;
        transaction.commit()?;
        Ok(sha256)
    };
    let sha256 = shop.with(&headers, work).await?;
    Ok((StatusCode::CREATED, Json(json!({ "sha256": sha256 }))).into_response())
}
