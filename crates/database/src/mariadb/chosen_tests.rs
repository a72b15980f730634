//! A dump with what it has of some tables, and how its tables are defined.

#![allow(clippy::unwrap_used)]

use super::*;

const DUMP: &str = "\
/*M!999999\\- enable the sandbox mode */ 
-- MariaDB dump 10.19  Distrib 10.11.19-MariaDB, for debian-linux-gnu (x86_64)
/*!40103 SET TIME_ZONE='+00:00' */;

--
-- Sequence structure for `sq_id`
--

DROP SEQUENCE IF EXISTS `sq_id`;
CREATE SEQUENCE `sq_id` start with 5 minvalue 1;
DO SETVAL(`sq_id`, 5, 0);

--
-- Table structure for table `tab`
--

DROP TABLE IF EXISTS `tab`;
CREATE TABLE `tab` (
  `i` int(11) DEFAULT NULL
) ENGINE=MyISAM COMMENT='a\\nb';

--
-- Dumping data for table `tab`
--

LOCK TABLES `tab` WRITE;
INSERT INTO `tab` VALUES
(1),
(2);
UNLOCK TABLES;
DELIMITER ;;
/*!50003 CREATE*/ trigger tr before insert on tab for each row set new.i=1 */;;
DELIMITER ;

--
-- Table structure for table `tab ``x`
--

CREATE TABLE `tab ``x` (
  `t` text DEFAULT NULL
) ENGINE=InnoDB;

--
-- Dumping data for table `tab ``x`
--

LOCK TABLES `tab ``x` WRITE;
INSERT INTO `tab ``x` VALUES
('-- Table structure for table `tab`');
UNLOCK TABLES;

--
-- Temporary table structure for view `v`
--

/*!50001 CREATE VIEW `v` AS SELECT 1 */;
/*!40103 SET TIME_ZONE=@OLD_TIME_ZONE */;

-- Dump completed

-- Eclusa dump complete
";

fn chosen(name: &str, text: &str, tables: &[&str]) -> String {
    let reader = Box::new(io::Cursor::new(text.as_bytes().to_vec()));
    let stream = StoredStream { name: name.to_owned(), reader };
    let dump = StoredDump { streams: vec![stream], rows: BTreeMap::new() };
    let tables = tables.iter().map(|table| (*table).to_owned()).collect();
    let mut out = String::new();
    only(dump, &tables).joined().read_to_string(&mut out).unwrap();
    out
}

#[test]
fn only_the_sections_of_the_chosen_tables_are_left() {
    let text = chosen("database.sql", DUMP, &["tab `x"]);
    assert!(text.starts_with("/*M!999999"), "{text}");
    assert!(
        text.contains("CREATE TABLE `tab ``x`") && text.contains("('-- Table structure for table `tab`');")
    );
    for other in ["`sq_id`", "CREATE TABLE `tab` (", "(1)", "trigger", "VIEW"] {
        assert!(!text.contains(other), "{other}: {text}");
    }
    assert!(text.contains("-- Dump completed\n") && text.as_bytes().ends_with(TRAILER), "{text}");
    let text = chosen("database.sql", DUMP, &["tab", "sq_id"]);
    assert!(text.contains("(1),\n(2);\nUNLOCK TABLES;\n") && text.contains("SETVAL(`sq_id`"), "{text}");
    assert!(!text.contains("`tab ``x`") && !text.contains("trigger"), "{text}");
}

#[test]
fn a_long_row_of_another_table_is_left_out_to_its_end() {
    let long = "x".repeat(300 * 1024);
    let text = DUMP.replace("(1),\n", &format!("('{long}'),\n"));
    assert!(chosen("database.sql", &text, &["tab `x"]).len() < DUMP.len());
    assert!(chosen("database.sql", &text, &["tab"]).contains(&long));
}

#[test]
fn of_a_stream_of_definitions_the_values_of_sequences_are_left() {
    let text = "-- MariaDB dump 10.19\n/*!50003 CREATE*/ trigger tr */;;\nDO SETVAL(`sq_id`, 5, 0);\nDO SETVAL(`b`, 1, 0);\n\
                -- Dump completed\n\n-- Eclusa dump complete\n";
    let left = "DO SETVAL(`sq_id`, 5, 0);\n-- Dump completed\n-- Eclusa dump complete\n";
    assert_eq!(chosen("database/3-definitions.sql", text, &["sq_id"]), left);
    assert_eq!(chosen("database/4-views.sql", DUMP, &["tab"]), "");
}

#[test]
fn each_table_is_defined_as_it_stands() {
    let dump = StoredDump::single(Box::new(io::Cursor::new(DUMP.as_bytes())));
    let found = definitions(dump).unwrap();
    assert_eq!(found.keys().collect::<Vec<_>>(), ["`tab ``x`", "`tab`"]);
    let expected = "CREATE TABLE `tab` (\n  `i` int(11) DEFAULT NULL\n) ENGINE=MyISAM COMMENT='a\\nb';\n";
    assert_eq!(found["`tab`"], expected.as_bytes());
}
