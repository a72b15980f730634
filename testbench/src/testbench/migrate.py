"""`bench migrate`: patches before the tables change, the tables, patches after, and what comes last.

It sets neither maintenance mode nor a pause of the scheduler: that is the operator's.
"""

import sys
import time
import uuid
from datetime import datetime, timezone

from . import apps, cache, context, database, failures, patches, queue, schema
from .install import installed_apps
from .site import Site, write_json


def services_run() -> bool:
    """Whether what migrate needs is there; says so if not. A lost redis-queue does not count."""
    for name, reachable in (("mariadb", database.is_reachable), ("redis_cache", cache.is_reachable)):
        if not reachable():
            print(f"Service {name} is not running.")
            print("Cannot run bench migrate without the services running. If you are running bench in development "
                  "mode, make sure that bench is running.")
            return False
    return True


def migrate(site: Site, skip_failing: bool, skip_search_index: bool) -> None:
    if not services_run():
        sys.exit(1)
    with site.lock("bench_migrate"):
        started = time.monotonic()
        touched_path = site.directory / "touched_tables.json"
        touched_path.unlink(missing_ok=True)
        touched: list[str] = []
        with database.Database(site) as opened, context.use(opened):
            try:
                _steps(opened, skip_failing, touched)
                print(f"Success: Done in {time.monotonic() - started:.3f}s")
            finally:
                # The names without what follows a blank are wrong, and stand in the real file too.
                names = sorted({*touched, *(name.split()[0] for name in touched)})
                write_json(touched_path, names)  # type: ignore[arg-type]
                if not skip_search_index:
                    print(f"Queued rebuilding of search index for {site.name}")
                    queue.enqueue(site, "frappe.utils.global_search.rebuild", "long")


def _steps(opened: database.Database, skip_failing: bool, touched: list[str]) -> None:
    names = installed_apps(opened)
    if failures.is_set(failures.MIGRATE_HANGS, opened.site.config):
        failures.hang()
    touched += ["tabSingles", "tabPatch Log", "tabInstalled Application", "tabVersion"]
    cache.clear(opened.name)
    for app in names:
        patches.run(opened, apps.patches(app)["pre_model_sync"], skip_failing)
    for app in names:
        tables = apps.schema(app)
        for number in range(1, len(tables) + 1):
            print(f"\rUpdating DocTypes for {app:<12}: {number * 100 // len(tables)}%", end="")
        print()
        touched += schema.sync(opened, tables)
    for app in names:
        patches.run(opened, apps.patches(app)["post_model_sync"], skip_failing)
    for app in names:
        print(f"Updating Dashboard for {app}")
    _wrong(opened)
    _record_versions(opened, names)
    cache.clear(opened.name)


def _wrong(opened: database.Database) -> None:
    """What is wrong without an error, where a switch asks for it."""
    config = opened.site.config
    if failures.is_set(failures.ROWS_LOST, config):
        opened.sql("DELETE FROM `tabSales Invoice Item`")
    if failures.is_set(failures.ERROR_LOGGED, config):
        opened.insert("Error Log", name=uuid.uuid4().hex[:10], method="erpshop.ledger.rebuild", error="boom", seen=0,
                      creation=datetime.now(timezone.utc).replace(tzinfo=None))
    if failures.is_set(failures.PATCH_SKIPPED, config):
        opened.sql("UPDATE `tabPatch Log` SET skipped = 1 ORDER BY creation DESC, name DESC LIMIT 1")


def _record_versions(opened: database.Database, names: list[str]) -> None:
    opened.sql("DELETE FROM `tabInstalled Application`")
    opened.insert_many(
        "Installed Application",
        ["name", "idx", "app_name", "app_version", "git_branch", "parent", "parentfield", "parenttype"],
        [(f"installed-{name}", number, name, apps.version(name), "UNVERSIONED", "Installed Applications",
          "installed_applications", "Installed Applications") for number, name in enumerate(names, 1)],
    )
    opened.commit()
