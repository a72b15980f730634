//! Of a dump, what comes after its structure for some tables alone: their rows, their keys and their indexes. What stands
//! before that passes as it is; between both, statements of ours are put in.
//!
//! `pg_dump` announces each thing in a comment: `-- Name: …; Type: …; Schema: …`. Which table it belongs to is said by its
//! statement.

use std::collections::BTreeSet;
use std::io::{self, BufRead, BufReader, Read};

use super::quote::{qualified, unquoted};
use super::rows_dumped::TableName;
use crate::server::{PIECE, TRAILER};

const ANNOUNCED: [&[u8]; 2] = [b"-- Name: ", b"-- Data for Name: "];
const TYPE: &[u8] = b"; Type: ";
/// What stands behind everything of `pg_dump`'s: the sequences, which may be of tables that are not there.
const SEQUENCES: &[u8] = b"-- Sequences, as the summary of this dump saw them.";
/// The commands of newer versions of `psql` between which nothing else may be done.
const UNRESTRICT: &[u8] = b"\\unrestrict ";

/// A dump on its way.
pub(super) struct Chosen<R> {
    inner: BufReader<R>,
    tables: BTreeSet<TableName>,
    /// What is put between the structure and the rest.
    between: Vec<u8>,
    /// Whether the structure is over.
    over: bool,
    place: Place,
    /// What was read and not given away.
    out: Vec<u8>,
    given: usize,
}

/// Where in the dump it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Everything passes.
    Structure,
    /// Nothing passes until the next announcement.
    Left,
    /// What its statement says decides.
    Announced(Kind),
    /// The rest of something that passes.
    Passing,
    /// Rows, which end with a line of their own; whether they pass.
    Rows(bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Rows,
    Constraint,
    Index,
}

impl<R: Read> Chosen<R> {
    pub(super) fn new(inner: R, tables: &BTreeSet<String>, between: String) -> Self {
        let tables = tables.iter().filter_map(|table| Some(qualified(table)?.0)).collect();
        let inner = BufReader::with_capacity(PIECE, inner);
        let between = between.into_bytes();
        Self { inner, tables, between, over: false, place: Place::Structure, out: Vec::new(), given: 0 }
    }

    fn line(&mut self, line: &[u8]) {
        let text = line.strip_suffix(b"\n").unwrap_or(line);
        if let Place::Rows(pass) = self.place {
            if pass {
                self.out.extend_from_slice(line);
            }
            if text == b"\\." {
                self.place = Place::Left;
            }
            return;
        }
        if let Some(announcement) = announced(text) {
            self.place = match announcement {
                Announcement::Structure if !self.over => Place::Structure,
                Announcement::Structure | Announcement::Left => Place::Left,
                Announcement::After(place) => {
                    if !std::mem::replace(&mut self.over, true) {
                        self.out.append(&mut self.between);
                    }
                    place
                }
            };
        } else if text == SEQUENCES {
            self.place = Place::Left;
        } else if let Place::Announced(kind) = self.place
            && !text.is_empty()
            && !text.starts_with(b"--")
        {
            let wanted = table_of(kind, text).is_some_and(|table| self.tables.contains(&table));
            self.place = match kind {
                Kind::Rows => Place::Rows(wanted),
                Kind::Constraint | Kind::Index if wanted => Place::Passing,
                Kind::Constraint | Kind::Index => Place::Left,
            };
            if wanted {
                self.out.extend_from_slice(line);
            }
            return;
        }
        let end = TRAILER.strip_prefix(b"\n").unwrap_or(TRAILER);
        let always = line == end || text.starts_with(UNRESTRICT);
        if always || matches!(self.place, Place::Structure | Place::Passing) {
            self.out.extend_from_slice(line);
        }
    }
}

impl<R: Read> Read for Chosen<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let mut line = Vec::new();
        while self.given == self.out.len() {
            self.out.clear();
            self.given = 0;
            line.clear();
            if self.inner.read_until(b'\n', &mut line)? == 0 {
                return Ok(0);
            }
            self.line(&line);
        }
        let count = self.out.get(self.given..).unwrap_or_default().read(buffer)?;
        self.given += count;
        Ok(count)
    }
}

/// What a comment announces.
enum Announcement {
    /// What stands before rows.
    Structure,
    /// What may stand anywhere, and is never wanted.
    Left,
    /// Rows, and what comes after them.
    After(Place),
}

fn announced(line: &[u8]) -> Option<Announcement> {
    if !ANNOUNCED.iter().any(|begin| line.starts_with(begin)) {
        return None;
    }
    let at = memchr::memmem::rfind(line, TYPE)?;
    let kind = line.get(at + TYPE.len()..)?;
    let kind = kind.split(|byte| *byte == b';').next()?;
    Some(match kind {
        b"TABLE DATA" => Announcement::After(Place::Announced(Kind::Rows)),
        b"CONSTRAINT" => Announcement::After(Place::Announced(Kind::Constraint)),
        b"INDEX" => Announcement::After(Place::Announced(Kind::Index)),
        b"SEQUENCE SET"
        | b"BLOB"
        | b"BLOBS"
        | b"BLOB METADATA"
        | b"MATERIALIZED VIEW DATA"
        | b"FK CONSTRAINT"
        | b"TRIGGER"
        | b"EVENT TRIGGER"
        | b"RULE"
        | b"INDEX ATTACH"
        | b"POLICY"
        | b"ROW SECURITY"
        | b"PUBLICATION"
        | b"PUBLICATION TABLE"
        | b"PUBLICATION TABLES IN SCHEMA"
        | b"SUBSCRIPTION"
        | b"STATISTICS"
        | b"STATISTICS DATA" => Announcement::After(Place::Left),
        b"ACL" | b"DEFAULT ACL" | b"SECURITY LABEL" => Announcement::Left,
        _ => Announcement::Structure,
    })
}

/// The table that a statement is of.
fn table_of(kind: Kind, line: &[u8]) -> Option<TableName> {
    let line = std::str::from_utf8(line).ok()?;
    let rest = match kind {
        Kind::Rows => line.strip_prefix("COPY ")?,
        Kind::Constraint => {
            let rest = line.strip_prefix("ALTER TABLE ")?;
            rest.strip_prefix("ONLY ").unwrap_or(rest)
        }
        Kind::Index => {
            let rest = line.strip_prefix("CREATE ")?;
            let rest = rest.strip_prefix("UNIQUE ").unwrap_or(rest).strip_prefix("INDEX ")?;
            let rest = unquoted(rest)?.1.strip_prefix(" ON ")?;
            rest.strip_prefix("ONLY ").unwrap_or(rest)
        }
    };
    Some(qualified(rest)?.0)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    const DUMP: &str = r#"SET search_path = '';
--
-- Name: sale; Type: TABLE; Schema: public; Owner: shop
--

CREATE TABLE public.sale (id integer);
--
-- Name: TABLE sale; Type: ACL; Schema: public; Owner: shop
--

GRANT SELECT ON TABLE public.sale TO PUBLIC;
--
-- Name: Odd "one"; Type: TABLE; Schema: public; Owner: shop
--

CREATE TABLE public."Odd ""one""" (id integer);
--
-- Data for Name: sale; Type: TABLE DATA; Schema: public; Owner: shop
--

COPY public.sale (id) FROM stdin;
1
-- Name: x; Type: INDEX; Schema: public; Owner: nobody
\.

--
-- Data for Name: Odd "one"; Type: TABLE DATA; Schema: public; Owner: shop
--

COPY public."Odd ""one""" (id) FROM stdin;
2
\.

--
-- Name: sale_id_seq; Type: SEQUENCE SET; Schema: public; Owner: shop
--

SELECT pg_catalog.setval('public.sale_id_seq', 1, true);
--
-- Name: sale sale_pkey; Type: CONSTRAINT; Schema: public; Owner: shop
--

ALTER TABLE ONLY public.sale
    ADD CONSTRAINT sale_pkey PRIMARY KEY (id);
--
-- Name: odd_id; Type: INDEX; Schema: public; Owner: shop
--

CREATE UNIQUE INDEX odd_id ON public."Odd ""one""" USING btree (id);
--
-- Name: sale sale_fkey; Type: FK CONSTRAINT; Schema: public; Owner: shop
--

ALTER TABLE ONLY public.sale
    ADD CONSTRAINT sale_fkey FOREIGN KEY (id) REFERENCES public.other(id);
--
-- PostgreSQL database dump complete
--

\unrestrict abc

-- Sequences, as the summary of this dump saw them.
SELECT pg_catalog.setval('public.sale_id_seq', 7, true);

-- Eclusa dump complete
"#;

    fn of(tables: &[&str]) -> Vec<String> {
        let tables = tables.iter().map(|table| (*table).to_owned()).collect();
        let mut text = String::new();
        Chosen::new(DUMP.as_bytes(), &tables, "DROP;\n".to_owned()).read_to_string(&mut text).unwrap();
        let told = |line: &&str| !line.is_empty() && !line.starts_with("--");
        text.lines().filter(told).map(str::to_owned).collect()
    }

    #[test]
    fn only_what_is_of_these_tables_comes_after_the_structure() {
        let structure = [
            "SET search_path = '';",
            "CREATE TABLE public.sale (id integer);",
            r#"CREATE TABLE public."Odd ""one""" (id integer);"#,
            "DROP;",
        ];
        // The grant in between is left out, and the structure goes on behind it.
        let sale = [
            "COPY public.sale (id) FROM stdin;",
            "1",
            "\\.",
            "ALTER TABLE ONLY public.sale",
            "    ADD CONSTRAINT sale_pkey PRIMARY KEY (id);",
            "\\unrestrict abc",
        ];
        assert_eq!(of(&["public.sale"]), [&structure[..], &sale].concat());
        let odd = [
            r#"COPY public."Odd ""one""" (id) FROM stdin;"#,
            "2",
            "\\.",
            r#"CREATE UNIQUE INDEX odd_id ON public."Odd ""one""" USING btree (id);"#,
            "\\unrestrict abc",
        ];
        assert_eq!(of(&[r#"public."Odd ""one""""#]), [&structure[..], &odd].concat());
    }

    #[test]
    fn its_last_line_stays() {
        let mut text = String::new();
        let tables = BTreeSet::from(["public.sale".to_owned()]);
        Chosen::new(DUMP.as_bytes(), &tables, String::new()).read_to_string(&mut text).unwrap();
        assert!(text.as_bytes().ends_with(TRAILER), "{text}");
    }
}
