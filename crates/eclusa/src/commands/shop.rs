//! The hidden command of the demo's shop: serve, migrate, check, seed, traffic, census.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Subcommand};
use eclusa_fault::{Code, Fault, Result};
use eclusa_shop::{CheckOptions, MigrateOptions, SeedOptions, ServeOptions, Server, TrafficOptions, Trouble};

use crate::exit::Exit;
use crate::terminal::say;

/// The arguments.
#[derive(Debug, Args)]
pub struct Shop {
    /// The directory with one directory per tenant.
    #[arg(long, default_value = "data")]
    data: PathBuf,
    #[command(subcommand)]
    wanted: Wanted,
}

/// What the shop is to do.
#[derive(Debug, Subcommand)]
enum Wanted {
    /// Answer requests.
    Serve {
        /// The release's directory.
        #[arg(long)]
        release: PathBuf,
        /// The address.
        #[arg(long)]
        listen: SocketAddr,
    },
    /// Bring a tenant's schema and data to a release.
    Migrate {
        /// The tenant.
        #[arg(long)]
        tenant: String,
        /// The release's directory.
        #[arg(long)]
        release: PathBuf,
        /// How long each migration takes at least, in milliseconds.
        #[arg(long, default_value = "0")]
        at_least: u64,
        /// Only list what is pending.
        #[arg(long)]
        list: bool,
    },
    /// Check a tenant's books.
    Check {
        /// The tenant.
        #[arg(long)]
        tenant: String,
        /// The release's directory.
        #[arg(long)]
        release: PathBuf,
    },
    /// Make a tenant with demo data.
    Seed {
        /// The tenant.
        #[arg(long)]
        tenant: String,
        /// How many sales.
        #[arg(long, default_value = "300")]
        sales: u32,
        /// What they are drawn from.
        #[arg(long, default_value = "1")]
        seed: u64,
    },
    /// Be the customers.
    Traffic {
        /// Where the public goes.
        #[arg(long)]
        base: String,
        /// `TENANT=HOST`, once per tenant.
        #[arg(long = "host")]
        hosts: Vec<String>,
        /// Requests a second for each tenant.
        #[arg(long, default_value = "10")]
        rate: f64,
        /// What the requests are drawn from.
        #[arg(long, default_value = "1")]
        seed: u64,
        /// Where the results go.
        #[arg(long)]
        results: PathBuf,
        /// Where acknowledged sales go.
        #[arg(long)]
        acknowledged: PathBuf,
    },
}

/// How many products a demo tenant has.
pub const PRODUCTS: u32 = 40;
/// How many customers a demo tenant has.
pub const CUSTOMERS: u32 = 60;

/// A trouble of the shop as a fault.
pub fn fault(trouble: Trouble) -> Fault {
    Fault::new(Code::CommandFailed).with("command", "eclusa shop").with("status", "an error").because(trouble)
}

impl Shop {
    /// Does it.
    pub async fn run(self) -> Result<Exit> {
        let data = self.data;
        match self.wanted {
            Wanted::Serve { release, listen } => {
                let server = Server::bind(&ServeOptions { data, release_directory: release, listen })
                    .await
                    .map_err(fault)?;
                server.run(async { eclusa_shop::terminated().await.unwrap_or(()) }).await.map_err(fault)?;
            }
            Wanted::Migrate { tenant, release, at_least, list } => {
                let options = MigrateOptions {
                    data,
                    tenant,
                    release_directory: release,
                    at_least: Duration::from_millis(at_least),
                };
                if list {
                    for name in eclusa_shop::pending(&options).map_err(fault)? {
                        say(name);
                    }
                } else {
                    eclusa_shop::migrate(&options, &mut std::io::stdout()).map_err(fault)?;
                }
            }
            Wanted::Check { tenant, release } => {
                let options = CheckOptions { data, tenant, release_directory: release };
                eclusa_shop::check(&options, &mut std::io::stdout()).map_err(fault)?;
            }
            Wanted::Seed { tenant, sales, seed } => {
                let options =
                    SeedOptions { data, tenant, seed, products: PRODUCTS, customers: CUSTOMERS, sales };
                eclusa_shop::seed(&options).map_err(fault)?;
            }
            Wanted::Traffic { base, hosts, rate, seed, results, acknowledged } => {
                let hosts: BTreeMap<String, String> = hosts
                    .iter()
                    .filter_map(|pair| pair.split_once('='))
                    .map(|(tenant, host)| (tenant.to_owned(), host.to_owned()))
                    .collect();
                let options = TrafficOptions {
                    base_url: base,
                    hosts,
                    rate,
                    seed,
                    products: PRODUCTS,
                    customers: CUSTOMERS,
                    stop_file: None,
                    results,
                    acknowledged,
                };
                let stop = async { eclusa_shop::terminated().await.unwrap_or(()) };
                eclusa_shop::traffic(options, stop).await.map_err(fault)?;
            }
        }
        Ok(Exit::Ok)
    }
}
