"""Columns that no schema file names any more."""

from . import apps, schema
from .database import Database, quoted
from .install import installed_apps


def leftovers(opened: Database) -> dict[str, list[str]]:
    """Such columns by DocType."""
    present = opened.columns()
    found = {}
    for app in installed_apps(opened):
        for doctype, table in apps.schema(app).items():
            extra = present.get(schema.table_name(doctype), set()) - schema.columns(table).keys()
            if extra:
                found[doctype] = sorted(extra)
    return found


def drop(opened: Database, found: dict[str, list[str]]) -> None:
    for doctype, columns in found.items():
        parts = ", ".join(f"DROP COLUMN {quoted(column)}" for column in columns)
        opened.sql(f"ALTER TABLE {quoted(schema.table_name(doctype))} {parts}")


def ghost_tables(opened: Database) -> list[str]:
    known = {schema.table_name(doctype) for app in installed_apps(opened) for doctype in apps.schema(app)}
    return sorted(name for name in opened.columns() if name.startswith("tab") and name not in known)
