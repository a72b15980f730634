"""`bench export-fixtures`: documents that an application's hooks name, as JSON files in the application."""

import json

from . import apps, paths
from .database import Database
from .install import installed_apps


def export(opened: Database, only: str | None) -> None:
    for app in [only] if only else installed_apps(opened):
        for fixture in apps.hook(app, "fixtures", []):
            doctype, filters = fixture["dt"], fixture["filters"]
            print(f"Exporting {doctype} app {app} filters {filters}")
            where = " AND ".join(f"`{field}` {operator} %s" for field, operator, _ in filters)
            rows = opened.rows(f"SELECT * FROM `tab{doctype}`{f' WHERE {where}' if where else ''} ORDER BY name",
                               [value for _, _, value in filters])
            directory = paths.APPS / app / app / "fixtures"
            directory.mkdir(exist_ok=True)
            name = doctype.lower().replace(" ", "_")
            text = json.dumps([row | {"doctype": doctype} for row in rows], indent=1, sort_keys=True, default=str)
            (directory / f"{name}.json").write_text(text)
