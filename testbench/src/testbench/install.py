"""Making a site, putting applications on it, and taking it away."""

import hashlib
import json
import secrets
import shutil
from datetime import datetime, timezone
from pathlib import Path

from . import apps, backup, context, database, passwords, paths, schema
from .site import Site, write_json

DEFAULT_TIME_ZONE = "Asia/Kolkata"


def installed_apps(opened: database.Database) -> list[str]:
    found = opened.sql("SELECT defvalue FROM tabDefaultValue WHERE defkey = 'installed_apps'")
    return json.loads(found[0][0]) if found else []


def set_installed_apps(opened: database.Database, names: list[str]) -> None:
    opened.sql("DELETE FROM tabDefaultValue WHERE defkey = 'installed_apps'")
    opened.insert("DefaultValue", name="installed_apps", parent="__global", defkey="installed_apps",
                  defvalue=json.dumps(names))


def new_site(name: str, root: database.Root, admin_password: str, scope: str | None, names: list[str]) -> None:
    """Makes the database and its user, the tables, and the first documents.

    The directory is made by the caller before it asks for `root`, so that a wrong password leaves half a site.
    """
    site = Site(name)
    if not site.exists:
        write_json(site.config_path, {
            "db_name": "_" + hashlib.sha1(name.encode() + secrets.token_bytes(8)).hexdigest()[:16],
            "db_password": secrets.token_urlsafe(12),
            "db_type": "mariadb",
        })
    config = site.own_config
    root.create(config["db_name"], config["db_password"], scope)
    with database.Database(site) as opened, context.use(opened):
        for app in ["frappe", *names]:
            print(f"\nInstalling {app}...")
            _install(opened, app)
        passwords.set_password(opened, "Administrator", admin_password)


def install_app(site: Site, name: str) -> bool:
    """Puts an application on a site; False when it is there already."""
    if name not in apps.in_image():
        raise apps.AppMissing(name)
    with database.Database(site) as opened, context.use(opened):
        if name in installed_apps(opened):
            return False
        print(f"\nInstalling {name}...")
        _install(opened, name)
    return True


def _install(opened: database.Database, name: str) -> None:
    """Tables, first documents, scheduled jobs; every patch counts as done, for the tables are new."""
    now = datetime.now(timezone.utc).replace(tzinfo=None)
    schema.sync(opened, apps.schema(name))
    apps.module(name, "setup").after_install(opened)
    done = [patch for phase in apps.patches(name).values() for patch in phase]
    opened.insert_many("Patch Log", ["name", "creation", "patch", "skipped"],
                       [(f"{name}-{number:04}", now, patch, 0) for number, patch in enumerate(done)] or [])
    jobs = [(method, method, frequency) for frequency, methods in apps.hook(name, "scheduler_events", {}).items()
            for method in methods]
    opened.insert_many("Scheduled Job Type", ["name", "method", "frequency"], jobs)
    set_installed_apps(opened, [*installed_apps(opened), name])


def drop_site(site: Site, root_password: str, archive: Path | None, with_backup: bool) -> None:
    """Takes a backup, drops database and user, and moves the directory to the archive."""
    if with_backup:
        backup.take(site, backup.Options(with_files=True))
    root = database.Root(root_password)
    print("Dropping site database and user")
    root.drop(site.own_config["db_name"])
    target = archive or paths.ARCHIVED
    print(f"Moving site to archive under {target}")
    target.mkdir(parents=True, exist_ok=True)
    shutil.move(site.directory, target / site.name)
