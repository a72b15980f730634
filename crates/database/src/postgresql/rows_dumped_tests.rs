//! Tests of the rows in what `pg_dump` writes.

#![allow(clippy::unwrap_used)]

use std::io::Read;

use eclusa_ports::TableSummary;
use proptest::prelude::*;

use super::*;

/// Gives a text in pieces of this many bytes.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.1.min(buffer.len()).min(self.0.len());
        let (piece, rest) = self.0.split_at(count);
        buffer[..count].copy_from_slice(piece);
        self.0 = rest;
        Ok(count)
    }
}

fn counted(text: &[u8], piece: usize) -> io::Result<Vec<(String, TableSummary)>> {
    let counting = Counting::default();
    let inheriting = Arc::new([("public".to_owned(), "child".to_owned())].into());
    let mut given = Vec::new();
    DumpedRows::new(Pieces(text, piece), counting.clone(), inheriting).read_to_end(&mut given)?;
    assert_eq!(given, text, "what passes is left as it is");
    Ok(counting.with(|counted| {
        assert_eq!(counted.ended, 1);
        let tables = counted.tables.iter();
        tables.map(|((schema, table), sum)| (format!("{schema}/{table}"), sum.summary())).collect()
    }))
}

fn rows(name: &str, rows: &[&str]) -> String {
    let rows: String = rows.iter().map(|row| format!("{row}\n")).collect();
    format!(
        "--\n-- Data for Name: x; Type: TABLE DATA; Schema: public; Owner: o\n--\n\nCOPY {name} FROM stdin;\n{rows}\\.\n\n\n"
    )
}

#[test]
fn rows_are_counted_by_table_whatever_the_pieces() {
    let long = "x".repeat(KEPT + 70_000);
    let text = [
        "SET x = 1;\n\\restrict abc\n".to_owned(),
        "CREATE FUNCTION f() AS $$\nCOPY public.t (a) FROM stdin;\nnot a row\n\\.\n$$;\n".to_owned(),
        rows("public.t (a, b)", &["1\t\\N", "2\tx", "", "\\\\."]),
        rows(
            "\"Sales \"\"Q1\"\"\".\"Order.x\" (\"select\")",
            &["-- Data for Name: y; Type: TABLE DATA; ", &long],
        ),
        rows("public.empty ", &["", ""]),
        rows("public.none (a)", &[]),
        "\\unrestrict abc\n".to_owned(),
    ];
    let text = text.concat();
    let found = counted(text.as_bytes(), usize::MAX).unwrap();
    let shown: Vec<_> = found.iter().map(|(name, table)| (name.as_str(), table.rows)).collect();
    assert_eq!(
        shown,
        [("Sales \"Q1\"/Order.x", 2), ("public/empty", 2), ("public/none", 0), ("public/t", 4)]
    );
    for piece in [1, 3, 4096, 65_536] {
        assert_eq!(counted(text.as_bytes(), piece).unwrap(), found, "in pieces of {piece}");
    }
}

#[test]
fn the_order_of_rows_is_no_difference_and_each_byte_is_one() {
    let sum = |lines: &[&str]| counted(rows("public.t (a)", lines).as_bytes(), 10).unwrap().remove(0).1;
    assert_eq!(sum(&["a", "b", "b"]), sum(&["b", "a", "b"]));
    assert_ne!(sum(&["a", "b"]), sum(&["a", "b", "b"]));
    assert_ne!(sum(&["a\tb"]), sum(&["a\tB"]));
}

#[test]
fn the_order_of_columns_is_no_difference_for_a_table_that_inherits() {
    let long = "x".repeat(KEPT + 10);
    let sum = |columns: &str, row: &str| {
        let name = format!("public.child ({columns})");
        counted(rows(&name, &[row]).as_bytes(), 4096).unwrap().remove(0).1
    };
    let first = sum("a, \"B, c\", d", &format!("1\t{long}\t3"));
    assert_eq!(first, sum("d, a, \"B, c\"", &format!("3\t1\t{long}")));
    assert_ne!(first, sum("d, a, \"B, c\"", &format!("1\t3\t{long}")));
    assert_ne!(sum("a, b", "1\t23"), sum("a, b", "12\t3"));
    assert!(counted(rows("public.child (a, b)", &["1"]).as_bytes(), 10).is_err());
}

#[test]
fn rows_without_an_end_or_of_another_form_are_an_error() {
    let whole = rows("public.t (a)", &["1"]);
    assert!(counted(&whole.as_bytes()[..whole.len() - 6], 10).is_err());
    for head in ["t (a)", "public.t (a) WITH x", "public.\"t (a)", "public.t\u{0}x(a)"] {
        assert!(counted(rows(head, &["1"]).as_bytes(), 10).is_err(), "{head}");
    }
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(text in proptest::collection::vec(any::<u8>(), 0..300), piece in 1_usize..40) {
        let mut all = rows("public.t (a)", &[]).into_bytes();
        all.extend(text);
        let _ = counted(&all, piece);
    }
}
