"""/api/resource: lists of documents, single ones, new ones and changed ones."""

import json
import uuid
from datetime import datetime, timezone
from typing import Any

from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Request

from . import apps, schema
from .database import Database, quoted
from .install import installed_apps


def _columns(opened: Database, doctype: str) -> list[str]:
    """Columns as this version of the code knows them, not as the database has them."""
    for app in installed_apps(opened):
        table = apps.schema(app).get(doctype)
        if table and not table.get("plain"):
            return list(schema.columns(table))
    raise NotFound


def resource(request: Request, opened: Database, user: str) -> dict[str, Any]:
    doctype, _, name = request.path.removeprefix("/api/resource/").strip("/").partition("/")
    columns = _columns(opened, doctype)
    if request.method == "POST":
        return {"data": _write(opened, doctype, columns, None, request.get_json(), user)}
    if request.method == "PUT":
        return {"data": _write(opened, doctype, columns, name, request.get_json(), user)}
    if request.method == "DELETE":
        opened.sql(f"DELETE FROM {quoted('tab' + doctype)} WHERE name = %s", (name,))
        return {"message": "ok"}
    return {"data": _one(opened, doctype, columns, name) if name else _list(request, opened, doctype, columns)}


def _one(opened: Database, doctype: str, columns: list[str], name: str) -> dict[str, Any]:
    names = ", ".join(quoted(column) for column in columns)
    found = opened.rows(f"SELECT {names} FROM {quoted('tab' + doctype)} WHERE name = %s", (name,))
    if not found:
        raise NotFound
    document = found[0] | {"doctype": doctype}
    for app in installed_apps(opened):
        for child, table in apps.schema(app).items():
            if table.get("child") == doctype:
                document["items"] = opened.rows(
                    f"SELECT * FROM {quoted('tab' + child)} WHERE parent = %s ORDER BY idx", (name,))
    return document


def _list(request: Request, opened: Database, doctype: str, columns: list[str]) -> list[dict[str, Any]]:
    wanted = json.loads(request.args.get("fields", '["name"]'))
    names = ", ".join(quoted(column) for column in (columns if wanted == ["*"] else wanted))
    conditions = json.loads(request.args.get("filters", "[]"))
    if isinstance(conditions, dict):
        conditions = [[key, "=", value] for key, value in conditions.items()]
    where, values = "", []
    for condition in conditions:
        field, operator, value = condition[-3:]
        if operator not in ("=", "!=", "<", ">", "<=", ">=", "like"):
            raise NotFound
        where += f" {'AND' if where else 'WHERE'} {quoted(field)} {operator} %s"
        values.append(value)
    start = int(request.args.get("limit_start", 0))
    length = int(request.args.get("limit_page_length", request.args.get("limit", 20))) or 1_000_000
    return opened.rows(
        f"SELECT {names} FROM {quoted('tab' + doctype)}{where} ORDER BY modified DESC, name LIMIT {start}, {length}",
        values)


def _write(opened: Database, doctype: str, columns: list[str], name: str | None, given: dict[str, Any],
           user: str) -> dict[str, Any]:
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    values = {key: value for key, value in given.items() if key in columns}
    values |= {"modified": now, "modified_by": user}
    if name is None:
        name = str(values.get("name") or uuid.uuid4().hex[:10])
        opened.insert(doctype, **(values | {"name": name, "creation": now, "owner": user}))
    else:
        changes = ", ".join(f"{quoted(key)} = %s" for key in values)
        opened.sql(f"UPDATE {quoted('tab' + doctype)} SET {changes} WHERE name = %s", [*values.values(), name])
    return _one(opened, doctype, columns, name)
