"""Brings a database's tables to what the applications' schema files say."""

from typing import Any

from .database import Database, quoted

# What every document has, whatever its type.
STANDARD = {
    "name": "varchar(140) NOT NULL",
    "creation": "datetime(6)",
    "modified": "datetime(6)",
    "modified_by": "varchar(140)",
    "owner": "varchar(140)",
    "docstatus": "int(1) NOT NULL DEFAULT 0",
    "idx": "int(8) NOT NULL DEFAULT 0",
}
CHILD = {"parent": "varchar(140)", "parentfield": "varchar(140)", "parenttype": "varchar(140)"}


def table_name(doctype: str) -> str:
    """Tables that belong to no DocType begin with two underscores and have no prefix."""
    return doctype if doctype.startswith("__") else f"tab{doctype}"


def columns(table: dict[str, Any]) -> dict[str, str]:
    fields: dict[str, str] = table["fields"]
    if table.get("plain"):
        return fields
    return STANDARD | (CHILD if table.get("child") else {}) | fields


def create_statement(doctype: str, table: dict[str, Any]) -> str:
    parts = [f"{quoted(name)} {kind}" for name, kind in columns(table).items()]
    if not table.get("plain"):
        parts.append("PRIMARY KEY (`name`)")
    if table.get("child"):
        parts.append("KEY `parent` (`parent`)")
    parts += table.get("keys", [])
    return (
        f"CREATE TABLE {quoted(table_name(doctype))} ({', '.join(parts)}) "
        "ENGINE=InnoDB ROW_FORMAT=DYNAMIC CHARACTER SET=utf8mb4 COLLATE=utf8mb4_unicode_ci"
    )


def sync(database: Database, tables: dict[str, dict[str, Any]]) -> list[str]:
    """Creates missing tables and adds missing columns; never drops anything. Returns the tables it touched."""
    present = database.columns()
    touched = []
    for doctype, table in tables.items():
        name = table_name(doctype)
        if name not in present:
            database.sql(create_statement(doctype, table))
            touched.append(name)
            continue
        missing = {key: kind for key, kind in columns(table).items() if key not in present[name]}
        if missing:
            added = ", ".join(f"ADD COLUMN {quoted(key)} {kind}" for key, kind in missing.items())
            database.sql(f"ALTER TABLE {quoted(name)} {added}")
            touched.append(name)
    return touched
