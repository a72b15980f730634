//! Tests of the rows in what `mariadb-dump` writes.

#![allow(clippy::unwrap_used, clippy::panic)]

use std::io::{BufReader, Read};

use proptest::prelude::*;

use eclusa_ports::TableSummary;

use super::*;

/// What comes out of a text, and what was counted in it.
fn through(text: &[u8]) -> (Vec<u8>, Counting) {
    let counting = Counting::default();
    let mut out = Vec::new();
    DumpedRows::new(BufReader::with_capacity(7, text), counting.clone()).read_to_end(&mut out).unwrap();
    (out, counting)
}

fn summary(counting: &Counting, table: &str) -> TableSummary {
    counting.with(|counted| counted.tables[table].summary())
}

const ROWS: &str = "-- MariaDB dump\nLOCK TABLES `t` WRITE;\nINSERT INTO `t` VALUES\n(1,'a),(b'),\n(2,'it\\'s \\\\');\n\
    INSERT INTO `t` VALUES\n(3,NULL);\nUNLOCK TABLES;\nINSERT INTO `a``b` (`x`, `y)`) VALUES\n(1,0x27);\n-- Dump completed\n";

#[test]
fn rows_are_counted_by_table_and_statements_joined() {
    let (out, counting) = through(ROWS.as_bytes());
    let joined = "-- MariaDB dump\nLOCK TABLES `t` WRITE;\nINSERT INTO `t` VALUES\n(1,'a),(b'),\n(2,'it\\'s \\\\'),\n(3,NULL);\n\
        UNLOCK TABLES;\nINSERT INTO `a``b` (`x`, `y)`) VALUES\n(1,0x27);\n-- Dump completed\n";
    assert_eq!(String::from_utf8(out).unwrap(), joined);
    assert_eq!(summary(&counting, "t").rows, 3);
    assert_eq!(summary(&counting, "a`b").rows, 1);
    assert_eq!(counting.with(|counted| counted.ended), 1);
}

#[test]
fn the_order_of_rows_and_the_form_of_statements_make_no_difference_but_values_do() {
    let (_, one) = through(ROWS.as_bytes());
    let older = "INSERT INTO `t` VALUES (3,NULL),(2,'it\\'s \\\\'),(1,'a),(b');\n";
    let (_, other) = through(older.as_bytes());
    assert_eq!(summary(&one, "t"), summary(&other, "t"));
    for changed in [
        "INSERT INTO `t` VALUES (3,'NULL'),(2,'it\\'s \\\\'),(1,'a),(b');\n",
        "INSERT INTO `t` VALUES (3,NULL),(2,'it\\'s \\\\'),(2,'a),(b');\n",
        "INSERT INTO `t` VALUES (3,NULL),(3,NULL),(1,'a),(b');\n",
    ] {
        assert_ne!(summary(&through(changed.as_bytes()).1, "t"), summary(&one, "t"), "{changed}");
    }
    // Two equal rows do not cancel each other, nor do a row and none.
    let twice = through(b"INSERT INTO `t` VALUES (1),(1);\n").1;
    let thrice = through(b"INSERT INTO `t` VALUES (1),(1),(1);\n").1;
    assert_ne!(summary(&twice, "t").checksum, summary(&thrice, "t").checksum);
}

/// The constant stands in manifests for years.
#[test]
fn a_checksum_is_the_same_for_ever() {
    let (_, counting) = through(b"INSERT INTO `t` VALUES\n(1,'a'),\n(2,'b');\n");
    assert_eq!(summary(&counting, "t").checksum, "1ca2d1c11ecde063d33a8552ea9c6604");
}

#[test]
fn what_is_no_row_is_an_error_again_and_again() {
    for text in [
        "INSERT INTO `t` VALUES\n(1,'a'\n",
        "INSERT INTO `t` VALUES (1,'a\n",
        "INSERT INTO `t` SELECT 1;\n",
        "INSERT INTO `t VALUES\n",
        "INSERT INTO `t` VALUES (1) (2);\n",
        "INSERT INTO `t` VALUES\n(1,'a'),\n(2",
    ] {
        let mut rows = DumpedRows::new(BufReader::new(text.as_bytes()), Counting::default());
        let mut out = Vec::new();
        for _ in 0..2 {
            assert!(rows.read_to_end(&mut out).is_err(), "{text}");
        }
    }
}

#[test]
fn the_mark_of_a_run_and_the_sandbox_are_left_out() {
    let text = "/*M!999999\\- enable the sandbox mode */ \n-- WHERE:  'eclusa-1' <> ''\n-- x\n";
    let mut out = String::new();
    DumpedRows::new(text.as_bytes(), Counting::default()).without_sandbox().read_to_string(&mut out).unwrap();
    assert_eq!(out, "-- x\n");
    assert_eq!(through(text.as_bytes()).0, b"/*M!999999\\- enable the sandbox mode */ \n-- x\n");
}

/// As `mariadb-dump` writes them: statements of at most so many bytes.
fn written(rows: &[Vec<u8>], most: usize) -> Vec<u8> {
    let mut text: Vec<u8> = Vec::new();
    let mut open = 0;
    for row in rows {
        if open > 0 && open + row.len() > most {
            text.extend_from_slice(b";\n");
            open = 0;
        }
        text.extend_from_slice(if open == 0 { b"INSERT INTO `t` VALUES\n" } else { b",\n" });
        text.extend_from_slice(row);
        open += row.len();
    }
    text.extend_from_slice(b";\n");
    text
}

#[test]
fn one_row_more_changes_the_statements_around_it_only() {
    let row = |number: u32| format!("({number},'{}')", format!("{number:x} ").repeat(60)).into_bytes();
    let rows: Vec<Vec<u8>> = (0..30_000).map(row).collect();
    let mut more = rows.clone();
    more.insert(100, b"(99999999,'new')".to_vec());
    let before = through(&written(&rows, 1 << 20)).0;
    let after = through(&written(&more, 1 << 20)).0;
    let statements = |text: &[u8]| -> std::collections::BTreeSet<String> {
        String::from_utf8(text.to_vec()).unwrap().split_inclusive(";\n").map(str::to_owned).collect()
    };
    let (before, after) = (statements(&before), statements(&after));
    assert!(before.len() > 15, "{} statements", before.len());
    assert!(after.difference(&before).count() <= 2, "statements far behind the new row are others");
    assert!(after.iter().all(|text| text.len() <= LONGEST + 2000));
}

proptest! {
    #[test]
    fn any_values_come_through(values in proptest::collection::vec("\\PC*", 1..20), at_once in 1_usize..200) {
        let quoted = |text: &String| text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n");
        let rows: Vec<Vec<u8>> =
            values.iter().enumerate().map(|(n, text)| format!("({n},'{}')", quoted(text)).into_bytes()).collect();
        let (out, counting) = through(&written(&rows, at_once));
        prop_assert_eq!(summary(&counting, "t").rows, values.len() as u64);
        prop_assert_eq!(out, written(&rows, usize::MAX));
        let line = [b"INSERT INTO `t` VALUES ".to_vec(), rows.join(&b','), b";\n".to_vec()].concat();
        prop_assert_eq!(summary(&through(&line).1, "t"), summary(&counting, "t"));
    }

    #[test]
    fn no_garbage_panics(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let text = [b"INSERT INTO `".as_slice(), &bytes].concat();
        let _ = DumpedRows::new(text.as_slice(), Counting::default()).read_to_end(&mut Vec::new());
    }
}
