//! Tests of keys that are put off.

#![allow(clippy::unwrap_used)]

use super::*;

fn put_off(structure: &str, many: &[&str]) -> (String, Vec<(String, Vec<String>)>) {
    let many = many.iter().map(|name| format!("`{name}`")).collect();
    let found = PutOff::of(structure.as_bytes(), &many);
    (String::from_utf8(found.structure).unwrap(), found.keys)
}

const PLAIN: &str = "DROP TABLE IF EXISTS `t`;\nCREATE TABLE `t` (\n  `name` varchar(140) NOT NULL,\n  `x` int(11) DEFAULT NULL COMMENT 'KEY (x),',\n  \
    PRIMARY KEY (`name`),\n  UNIQUE KEY `u` (`x`),\n  KEY `x` (`x`),\n  FULLTEXT KEY `f` (`name`),\n  KEY `y` (`x`,`name`(10)) USING BTREE\n\
    ) ENGINE=InnoDB;\n-- more\n";

#[test]
fn plain_keys_of_tables_with_many_rows_come_later() {
    let (structure, keys) = put_off(PLAIN, &["t"]);
    let without = "DROP TABLE IF EXISTS `t`;\nCREATE TABLE `t` (\n  `name` varchar(140) NOT NULL,\n  `x` int(11) DEFAULT NULL COMMENT 'KEY (x),',\n  \
        PRIMARY KEY (`name`),\n  UNIQUE KEY `u` (`x`),\n  FULLTEXT KEY `f` (`name`)\n) ENGINE=InnoDB;\n-- more\n";
    assert_eq!(structure, without);
    let expected = ["KEY `x` (`x`)", "KEY `y` (`x`,`name`(10)) USING BTREE"].map(str::to_owned).to_vec();
    assert_eq!(keys, [("`t`".to_owned(), expected)]);
    assert_eq!(put_off(PLAIN, &["other"]), (PLAIN.to_owned(), Vec::new()));
}

#[test]
fn keys_that_are_needed_before_stay() {
    let counter = |key: &str| {
        format!(
            "CREATE TABLE `t` (\n  `no` int(11) NOT NULL AUTO_INCREMENT,\n  {key},\n  KEY `x` (`x`)\n) ENGINE=InnoDB;\n"
        )
    };
    let by_key = counter("KEY `no` (`no`)");
    assert_eq!(put_off(&by_key, &["t"]), (by_key.clone(), Vec::new()), "a counter needs its key");
    assert_eq!(put_off(&counter("PRIMARY KEY (`no`)"), &["t"]).1.len(), 1);
    let foreign = "CREATE TABLE `a` (\n  `x` int,\n  KEY `x` (`x`)\n) ENGINE=InnoDB;\nCREATE TABLE `b` (\n  `x` int,\n  KEY `x` (`x`),\n  \
        CONSTRAINT `c` FOREIGN KEY (`x`) REFERENCES `a` (`x`) ON DELETE CASCADE\n) ENGINE=InnoDB;\n";
    assert_eq!(put_off(foreign, &["a", "b"]), (foreign.to_owned(), Vec::new()), "foreign keys need theirs");
}

#[test]
fn a_structure_that_is_cut_off_comes_through() {
    for end in 0..PLAIN.len() {
        let (structure, keys) = put_off(&PLAIN[..end], &["t"]);
        if keys.is_empty() {
            assert_eq!(structure, &PLAIN[..end]);
        }
    }
}
