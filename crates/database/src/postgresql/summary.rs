//! What a PostgreSQL database holds, computed by the server: all but the rows for every dump, and the rows too for points that
//! were taken before checksums came from what is dumped (see [`rows_dumped`](super::rows_dumped)).
//!
//! A table's checksum of this kind does not depend on the order of its rows or columns: each row, its columns in the order of
//! their names, becomes text under fixed settings (see the session); the two 64-bit halves of its MD5 are summed
//! over all rows as signed numbers without overflow, and the two sums are the checksum. Two equal rows do not
//! cancel each other. It guards against loss and mistakes, not against forgery.
//!
//! Other objects are counted by kind, with a hash of their names and of what about them a restore brings back
//! letter by letter (column types, bodies of functions, labels of enums). Definitions that the server writes anew
//! when they are restored (views, checks, defaults) take part only by name. What belongs to an extension is the
//! extension's; materialised views are filled anew by a restore and take part only by name.

use std::collections::BTreeMap;

use eclusa_ports::{Checksums, DatabaseSummary, TableSummary};
use serde_json::Value;

use super::quote::literal;
use super::session::{Failure, Session};

/// A sequence as the summary saw it.
pub(crate) struct Sequence {
    name: String,
    value: i64,
    called: bool,
}

impl Sequence {
    /// The statement that sets it.
    pub(crate) fn statement(&self) -> String {
        format!("SELECT pg_catalog.setval({}, {}, {});", literal(&self.name), self.value, self.called)
    }
}

/// A table with rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table {
    /// Its schema and its name.
    pub(crate) name: (String, String),
    /// Both, as a person reads them.
    pub(crate) shown: String,
    /// About how many bytes its rows have.
    pub(crate) bytes: u64,
    pub(crate) kind: TableKind,
    /// Whether it inherits from another, as no partition does.
    pub(crate) inherits: bool,
}

/// What a table is for a summary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TableKind {
    /// It has rows of its own and takes part.
    Own,
    /// Others have its rows; some of them may be dumped as rows of this one.
    Partitioned,
    /// It is an extension's and takes no part.
    OfExtension,
}

/// Tables of which a dump may have rows.
const DUMPED_TABLES: &str = r"
SELECT json_build_object('schema', n.nspname, 'name', c.relname, 'shown', format('%I.%I', n.nspname, c.relname),
  'kind', CASE WHEN c.relkind = 'p' THEN 'p' WHEN EXISTS (SELECT 1 FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e') THEN 'e' ELSE 'r' END,
  'inherits', NOT c.relispartition AND EXISTS (SELECT 1 FROM pg_inherits i WHERE i.inhrelid = c.oid),
  'bytes', CASE WHEN c.relkind = 'r' THEN coalesce(pg_table_size(c.oid), 0) ELSE 0 END)
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
ORDER BY n.nspname, c.relname;";

/// Tables with rows of their own, and the query that summarises each.
const TABLES: &str = r#"
SELECT json_build_object('name', format('%I.%I', n.nspname, c.relname), 'query', format(
  $q$SELECT json_build_object('rows', count(*), 'checksum', concat(
       coalesce(sum(('x' || substr(h, 1, 16))::bit(64)::bigint), 0), ':',
       coalesce(sum(('x' || substr(h, 17, 16))::bit(64)::bigint), 0)))
     FROM (SELECT md5(ROW(%s)::text) AS h FROM ONLY %I.%I AS x OFFSET 0) AS hashes;$q$,
  coalesce((SELECT string_agg(format('x.%I', a.attname), ', ' ORDER BY a.attname::text COLLATE "C")
     FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped), ''),
  n.nspname, c.relname))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT 1 FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname;"#;

/// Sequences, and the query that reads each.
const SEQUENCES: &str = r"
SELECT json_build_object('name', format('%I.%I', n.nspname, c.relname), 'query', format(
  $q$SELECT json_build_object('value', last_value, 'called', is_called) FROM %I.%I;$q$, n.nspname, c.relname))
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'S' AND c.relpersistence <> 't'
  AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'
  AND NOT EXISTS (SELECT 1 FROM pg_depend d
    WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY n.nspname, c.relname;";

/// Everything else: a kind, how many there are, and a hash of what they are.
const OBJECTS: &str = r#"
WITH space AS (SELECT oid, nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
member AS (SELECT classid, objid FROM pg_depend WHERE deptype = 'e'),
relation AS (SELECT c.*, format('%I.%I', s.nspname, c.relname) AS full_name
  FROM pg_class c JOIN space s ON s.oid = c.relnamespace
  WHERE c.relpersistence <> 't' AND c.oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_class'::regclass)),
found(kind, what) AS (
  SELECT 'schemas', quote_ident(nspname) FROM space
    WHERE oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_namespace'::regclass)
  UNION ALL SELECT CASE relkind WHEN 'v' THEN 'views' WHEN 'm' THEN 'materialised views' WHEN 'f' THEN 'foreign tables'
      ELSE 'partitioned tables' END, full_name FROM relation WHERE relkind IN ('v', 'm', 'f', 'p')
  UNION ALL SELECT 'columns', format('%s.%I %s %s %s', r.full_name, a.attname,
      format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attidentity)
    FROM relation r JOIN pg_attribute a ON a.attrelid = r.oid
    WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f', 'c') AND a.attnum > 0 AND NOT a.attisdropped
  UNION ALL SELECT 'indexes', format('%s %s %s', r.full_name, i.indisunique, i.indisprimary)
    FROM pg_index i JOIN relation r ON r.oid = i.indexrelid JOIN pg_class t ON t.oid = i.indrelid
    WHERE i.indisready AND (i.indisvalid OR t.relkind = 'p')
  UNION ALL SELECT 'constraints', format('%s %s %I %s %s', o.conrelid::regclass, o.contypid::regtype, o.conname,
      o.contype, o.convalidated)
    FROM pg_constraint o JOIN space s ON s.oid = o.connamespace WHERE o.contype <> 'n' AND o.conparentid = 0
  UNION ALL SELECT 'triggers', format('%s %I %s', r.full_name, t.tgname, t.tgenabled)
    FROM pg_trigger t JOIN relation r ON r.oid = t.tgrelid WHERE NOT t.tgisinternal
  UNION ALL SELECT 'policies', format('%s %I %s', r.full_name, p.polname, p.polcmd)
    FROM pg_policy p JOIN relation r ON r.oid = p.polrelid
  UNION ALL SELECT 'rules', format('%s %I', r.full_name, w.rulename)
    FROM pg_rewrite w JOIN relation r ON r.oid = w.ev_class WHERE w.rulename <> '_RETURN'
  UNION ALL SELECT 'functions', format('%s %s', p.oid::regprocedure, md5(coalesce(p.prosrc, '')))
    FROM pg_proc p JOIN space s ON s.oid = p.pronamespace
    WHERE p.oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_proc'::regclass)
  UNION ALL SELECT 'types', format('%s %s %s', format_type(t.oid, NULL), t.typtype,
      (SELECT string_agg(e.enumlabel, ',' ORDER BY e.enumsortorder) FROM pg_enum e WHERE e.enumtypid = t.oid))
    FROM pg_type t JOIN space s ON s.oid = t.typnamespace
    WHERE t.typtype IN ('e', 'd', 'r') AND t.oid NOT IN (SELECT objid FROM member WHERE classid = 'pg_type'::regclass)
  UNION ALL SELECT 'extensions', quote_ident(extname) FROM pg_extension
)
SELECT json_build_object('kind', kind, 'text', concat(count(*), ', ',
  substr(md5(string_agg(what, E'\n' ORDER BY what COLLATE "C")), 1, 16))) FROM found GROUP BY kind;"#;

/// Large objects: by content where this user may read all of them, else by number.
const LARGE_OBJECTS: &str = r"
SELECT json_build_object('count', count(*),
  'readable', has_table_privilege('pg_catalog.pg_largeobject', 'SELECT')) FROM pg_largeobject_metadata;";
const LARGE_OBJECTS_CONTENT: &str = r"
SELECT json_build_object('checksum', concat(coalesce(sum(('x' || substr(h, 1, 16))::bit(64)::bigint), 0), ':',
    coalesce(sum(('x' || substr(h, 17, 16))::bit(64)::bigint), 0)))
  FROM (SELECT md5(ROW(loid, pageno, data)::text) AS h FROM pg_largeobject OFFSET 0) AS hashes;";

/// The tables of a session's database of which a dump may have rows.
pub(crate) async fn dumped_tables(session: &mut Session) -> Result<Vec<Table>, Failure> {
    let found = session.rows(DUMPED_TABLES).await?;
    let table = |row: &Value| {
        Ok(Table {
            name: (text(row, "schema")?, text(row, "name")?),
            shown: text(row, "shown")?,
            inherits: row.get("inherits").and_then(Value::as_bool).ok_or_else(|| lacking("inherits"))?,
            bytes: row.get("bytes").and_then(Value::as_u64).ok_or_else(|| lacking("bytes"))?,
            kind: match text(row, "kind")?.as_str() {
                "p" => TableKind::Partitioned,
                "e" => TableKind::OfExtension,
                _ => TableKind::Own,
            },
        })
    };
    found.iter().map(table).collect()
}

/// Summarises the database of a session, in the session's transaction.
pub(crate) async fn summarise(session: &mut Session) -> Result<DatabaseSummary, Failure> {
    let mut tables = BTreeMap::new();
    for table in session.rows(TABLES).await? {
        let row = session.row(&text(&table, "query")?).await?;
        let rows = row.get("rows").and_then(Value::as_u64).ok_or_else(|| lacking("rows"))?;
        tables.insert(text(&table, "name")?, TableSummary { rows, checksum: text(&row, "checksum")? });
    }
    let (objects, _) = objects_of(session).await?;
    Ok(DatabaseSummary { checksums: Checksums::Server, tables, objects })
}

/// Everything but the rows of tables.
pub(crate) async fn objects_of(
    session: &mut Session,
) -> Result<(BTreeMap<String, String>, Vec<Sequence>), Failure> {
    let mut objects = BTreeMap::new();
    let mut sequences = Vec::new();
    for sequence in session.rows(SEQUENCES).await? {
        let row = session.row(&text(&sequence, "query")?).await?;
        let name = text(&sequence, "name")?;
        let value = row.get("value").and_then(Value::as_i64).ok_or_else(|| lacking("value"))?;
        let called = row.get("called").and_then(Value::as_bool).ok_or_else(|| lacking("called"))?;
        let word = if called { "used" } else { "unused" };
        objects.insert(format!("sequence {name}"), format!("{value}, {word}"));
        sequences.push(Sequence { name, value, called });
    }
    for object in session.rows(OBJECTS).await? {
        objects.insert(text(&object, "kind")?, text(&object, "text")?);
    }
    let large = session.row(LARGE_OBJECTS).await?;
    let count = large.get("count").and_then(Value::as_u64).ok_or_else(|| lacking("count"))?;
    if count > 0 {
        let mut shown = count.to_string();
        if large.get("readable").and_then(Value::as_bool) == Some(true) {
            shown = format!("{count}, {}", text(&session.row(LARGE_OBJECTS_CONTENT).await?, "checksum")?);
        }
        objects.insert("large objects".to_owned(), shown);
    }
    Ok((objects, sequences))
}

pub(crate) fn text(row: &Value, key: &str) -> Result<String, Failure> {
    row.get(key).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| lacking(key))
}

fn lacking(key: &str) -> Failure {
    Failure::Said(format!("psql's answer lacks {key:?}"))
}
