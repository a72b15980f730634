//! What is seen in the lines of a binary log.

#![allow(clippy::unwrap_used)]

use super::*;

#[test]
fn a_statement_that_names_the_database_is_seen() {
    for text in [
        "ALTER TABLE `shop`.`t` ADD x INT",
        "rename table a.b to shop . c",
        "TRUNCATE shop.t\n/*!*/;\n",
        "DROP DATABASE IF EXISTS shop",
        "CREATE SCHEMA `shop`",
        "insert into x select 1 from `shop`.t",
    ] {
        assert!(stranger(text.as_bytes(), "shop").is_some(), "{text}");
    }
    for text in [
        "ALTER TABLE t ADD shop INT",
        "CREATE TABLE shop (x INT)",
        "ALTER DATABASE `shop_eclusa_r1_old` COMMENT = 'x'",
        "RENAME TABLE `my_shop`.t TO `shop2`.t",
        "ANALYZE TABLE shop.t",
        "GRANT ALL ON shop.* TO x",
        "START TRANSACTION",
    ] {
        assert!(stranger(text.as_bytes(), "shop").is_none(), "{text}");
    }
    assert_eq!(stranger(b"drop  table\n shop.t /*!*/;\n", "shop").unwrap(), "drop table shop.t");
}

#[test]
fn old_numbers_are_left_out_and_changes_are_counted() {
    let mut seen = Seen::default();
    let mut kept = String::new();
    for line in [
        "/*M!100101 SET @@session.skip_parallel_replication=0*//*!*/;\n",
        "#260301  9:04:58 server id 7  end_log_pos 1641 CRC32 0x8a\n",
        "/*M!100001 SET @@session.gtid_domain_id=0*//*!*/;\n",
        "/*!100001 SET @@session.gtid_seq_no=9*//*!*/;\n",
        "/*M!100001 SET @@session.server_id=7*//*!*/;\n",
        "BINLOG '\n",
        "#260301 14:04:58 server id 7  end_log_pos 1700\n",
        "alter table t add column y int default 4\n",
        "#260301 14:05:01 server id 7  end_log_pos 1800\n",
        "COMMIT/*!*/;\n",
        "#Q> insert into t values (2,'b')\n",
    ] {
        let mut line = line.as_bytes().to_vec();
        seen.look(&mut line);
        kept.push_str(std::str::from_utf8(&line).unwrap());
    }
    assert!(
        !kept.contains("gtid") && !kept.contains("server_id") && kept.contains("skip_parallel"),
        "{kept}"
    );
    assert_eq!(seen.changes, 2);
    assert_eq!(seen.last.unwrap().to_string(), "2026-03-01T14:04:58Z");
}
