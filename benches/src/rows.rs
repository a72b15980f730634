//! Rows of a business application, the same every time: a ledger, stock movements, invoice lines, comments and the
//! JSON of changed documents. As in a real one, much repeats (names, accounts, markup) and some does not (ids, sums).

use std::io::{self, Write};

use rand::rngs::StdRng;
use rand::seq::IndexedRandom;
use rand::{Rng, SeedableRng};

/// What all rows of the tables below come to with their indexes, for one unit of scale, in bytes (measured).
pub(crate) const BYTES_PER_SCALE: u64 = 812 << 20;

const WORDS: &[&str] = &[
    "sales",
    "order",
    "delivery",
    "against",
    "invoice",
    "payment",
    "received",
    "customer",
    "note",
    "item",
    "warehouse",
    "stores",
    "finished",
    "goods",
    "transfer",
    "material",
    "request",
    "quality",
    "inspection",
    "pending",
    "approved",
    "manager",
    "please",
    "check",
    "rate",
    "updated",
    "agreement",
    "returned",
    "partial",
    "shipment",
    "reference",
    "bank",
    "reconciliation",
    "tax",
    "advance",
    "discount",
    "total",
    "supplier",
    "batch",
    "expiry",
    "serial",
    "project",
    "milestone",
    "timesheet",
    "employee",
    "opening",
    "balance",
    "asset",
    "location",
    "driver",
];
const ACCOUNTS: &[&str] = &[
    "Debtors",
    "Creditors",
    "Sales",
    "Cost of Goods Sold",
    "Stock In Hand",
    "VAT 19%",
    "Cash",
    "Bank",
    "Freight",
];
const KINDS: &[&str] =
    &["Sales Invoice", "Delivery Note", "Payment Entry", "Purchase Invoice", "Stock Entry"];

/// The tables and their indexes.
pub(crate) const SCHEMA: &str = "
CREATE TABLE ledger (name text PRIMARY KEY, created timestamptz NOT NULL, owner text, posted date, account text,
  party text, debit numeric(21,9), credit numeric(21,9), against text, kind text, voucher text, remarks text, company text);
CREATE TABLE stock (name text PRIMARY KEY, created timestamptz NOT NULL, owner text, item text, warehouse text,
  quantity numeric(21,9), after numeric(21,9), rate numeric(21,9), value numeric(21,9), queue text, kind text, voucher text);
CREATE TABLE line (name text PRIMARY KEY, created timestamptz NOT NULL, owner text, parent text, item text, title text,
  description text, quantity numeric(21,9), rate numeric(21,9), amount numeric(21,9), account text, warehouse text);
CREATE TABLE comment (name text PRIMARY KEY, created timestamptz NOT NULL, owner text, kind text, reference text, content text);
CREATE TABLE version (name text PRIMARY KEY, created timestamptz NOT NULL, owner text, kind text, reference text, data jsonb);
";

/// Made after the rows, as a restore makes them.
pub(crate) const INDEXES: &str = "
CREATE INDEX ON ledger (posted); CREATE INDEX ON ledger (account); CREATE INDEX ON ledger (voucher);
CREATE INDEX ON stock (item); CREATE INDEX ON stock (voucher); CREATE INDEX ON line (parent); CREATE INDEX ON line (item);
CREATE INDEX ON comment (reference); CREATE INDEX ON version (reference);
";

/// The tables with how many rows each has at scale 1.
pub(crate) const TABLES: &[(&str, u32)] =
    &[("ledger", 900_000), ("stock", 550_000), ("line", 350_000), ("comment", 260_000), ("version", 190_000)];

struct Maker {
    random: StdRng,
    row: u32,
}

impl Maker {
    fn word(&mut self) -> &'static str {
        WORDS.choose(&mut self.random).copied().unwrap_or_default()
    }

    fn text(&mut self, least: usize, most: usize) -> String {
        let count = self.random.random_range(least..=most);
        (0..count).map(|_| self.word()).collect::<Vec<_>>().join(" ")
    }

    fn one(&mut self, of: &[&'static str]) -> &'static str {
        of.choose(&mut self.random).copied().unwrap_or_default()
    }

    fn money(&mut self) -> f64 {
        (self.random.random_range(0.0_f64..11.0)).exp()
    }

    fn random_name(&mut self) -> String {
        const DIGITS: &[u8] = b"0123456789abcdefghijklmnopqrstuv";
        let pick = |random: &mut StdRng| char::from(DIGITS.choose(random).copied().unwrap_or(b'0'));
        (0..10).map(|_| pick(&mut self.random)).collect()
    }

    /// The columns that every row has.
    fn head(&mut self, name: &str) -> String {
        let second = 1_672_560_000 + i64::from(self.row) * 97 + self.random.random_range(0..90);
        let created = jiff::Timestamp::from_second(second).unwrap_or_default();
        let owner = format!(
            "{}.{}@example.com",
            self.one(&["anna", "bob", "carl", "dina"]),
            self.one(&["smith", "jones", "khan"])
        );
        format!("{name}\t{created}\t{owner}")
    }

    fn voucher(&mut self) -> String {
        format!("ACC-SINV-2025-{:06}", self.row / 4)
    }

    fn line(&mut self, table: &str) -> String {
        let row = self.row;
        match table {
            "ledger" => {
                let head = self.head(&format!("ACC-GLE-2025-{row:07}"));
                let (sum, debit) = (self.money(), self.random.random_bool(0.5));
                let (debit, credit) = if debit { (sum, 0.0) } else { (0.0, sum) };
                let (account, party, against) = (self.one(ACCOUNTS), self.text(2, 3), self.one(ACCOUNTS));
                let (kind, voucher, remarks) = (self.one(KINDS), self.voucher(), self.text(3, 14));
                let day = 1 + row % 28;
                format!(
                    "{head}\t2025-{:02}-{day:02}\t{account} - ATG\t{party}\t{debit:.9}\t{credit:.9}\t{against} - ATG\t{kind}\t{voucher}\t{remarks}\tAcme Trading GmbH",
                    1 + row / 90_000 % 12
                )
            }
            "stock" => {
                let head = self.head(&format!("MAT-SLE-2025-{row:07}"));
                let (rate, quantity) = (self.money(), self.random.random_range(-40_i32..60));
                let after = self.random.random_range(0_i32..900);
                let value = rate * f64::from(after);
                let queue: Vec<String> = (0..self.random.random_range(1..6))
                    .map(|_| format!("[{}.0, {:.4}]", self.random.random_range(1..90), rate))
                    .collect();
                let (item, voucher) = (self.random.random_range(0..3000), self.voucher());
                format!(
                    "{head}\tITM-{item:05}\tStores - ATG\t{quantity}\t{after}\t{rate:.9}\t{value:.9}\t[{}]\tStock Entry\t{voucher}",
                    queue.join(", ")
                )
            }
            "line" => {
                let name = self.random_name();
                let head = self.head(&name);
                let (item, title, rate) = (self.random.random_range(0..3000), self.text(3, 5), self.money());
                let quantity = self.random.random_range(1_i32..40);
                let (voucher, account) = (self.voucher(), self.one(ACCOUNTS));
                format!(
                    "{head}\t{voucher}\tITM-{item:05}\t{title}\t<div class=\"ql-editor read-mode\"><p>{title} ITM-{item:05}</p></div>\t{quantity}\t{rate:.9}\t{:.9}\t{account} - ATG\tStores - ATG",
                    rate * f64::from(quantity)
                )
            }
            "comment" => {
                let name = self.random_name();
                let (head, kind, voucher) = (self.head(&name), self.one(KINDS), self.voucher());
                format!(
                    "{head}\t{kind}\t{voucher}\t<div class=\"ql-editor read-mode\"><p>{}</p></div>",
                    self.text(4, 60)
                )
            }
            _ => {
                let name = self.random_name();
                let (head, kind, voucher) = (self.head(&name), self.one(KINDS), self.voucher());
                let changed: Vec<String> = (0..self.random.random_range(1..9))
                    .map(|_| {
                        format!("[\"{}\", \"{:.2}\", \"{:.2}\"]", self.word(), self.money(), self.money())
                    })
                    .collect();
                let added: Vec<String> = (0..self.random.random_range(0..4)).map(|_| format!("{{\"item\": \"ITM-{:05}\", \"name\": \"{}\", \"doctype\": \"Sales Invoice Item\", \"parentfield\": \"items\"}}", self.random.random_range(0..3000), self.random_name())).collect();
                format!(
                    "{head}\t{kind}\t{voucher}\t{{\"changed\": [{}], \"added\": [{}], \"removed\": []}}",
                    changed.join(", "),
                    added.join(", ")
                )
            }
        }
    }
}

/// Writes a table's rows in PostgreSQL's text format.
pub(crate) fn write(table: &str, rows: u32, to: &mut impl Write) -> io::Result<()> {
    let seed = table.bytes().map(u64::from).sum();
    let mut maker = Maker { random: StdRng::seed_from_u64(seed), row: 0 };
    while maker.row < rows {
        let line = maker.line(table);
        to.write_all(line.as_bytes())?;
        to.write_all(b"\n")?;
        maker.row += 1;
    }
    Ok(())
}
