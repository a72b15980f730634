"""Commands that make, change, save and remove sites."""

import json
import sys
import traceback
from pathlib import Path

import click
import pymysql

from . import apps, backup, database, install, restore
from .cli import bench, chosen, for_sites
from .site import Site

database_options = [
    click.option("--db-root-username", "--mariadb-root-username", default="root"),
    click.option("--db-root-password", "--mariadb-root-password", "root_password", default=""),
]
scope_options = [
    click.option("--mariadb-user-host-login-scope", "scope"),
    click.option("--no-mariadb-socket", "from_anywhere", is_flag=True, help="DEPRECATED"),
]


def with_options(options):  # type: ignore[no-untyped-def]
    def add(function):  # type: ignore[no-untyped-def]
        for option in reversed(options):
            function = option(function)
        return function

    return add


@bench.command("new-site")
@click.argument("name")
@with_options(database_options + scope_options)
@click.option("--admin-password", default="admin")
@click.option("--install-app", "names", multiple=True)
@click.option("--force", is_flag=True)
def new_site(name: str, db_root_username: str, root_password: str, scope: str | None, from_anywhere: bool,
             admin_password: str, names: tuple[str, ...], force: bool) -> None:
    """Make a site."""
    site = Site(name)
    if site.directory.exists() and not force:
        print(f"Site {name} already exists")
        sys.exit(1)
    site.make_directories()
    with site.lock("bench_new_site"):
        root = database.Root(root_password, db_root_username)
        print("Warning: MariaDB version 10.11 is more than 10.8 which is not yet tested with Frappe Framework.")
        install.new_site(name, root, admin_password, "%" if from_anywhere else scope, list(names))
    for app in ["frappe", *names]:
        print(f"Updating Dashboard for {app}")
    print("*** Scheduler is disabled ***")


@bench.command("install-app")
@click.argument("names", nargs=-1, required=True)
@for_sites
def install_app(site: Site, names: tuple[str, ...]) -> None:
    """Put applications on a site."""
    for name in names:
        try:
            if install.install_app(site, name):
                print(f"Updating Dashboard for {name}")
            else:
                print(f"App {name} already installed")
        except apps.AppMissing:
            print(f'Could not find app "{name}":\nNo module named \'{name}\'')
            traceback.print_exc(file=sys.stdout)
            sys.exit(1)


@bench.command("drop-site")
@click.argument("name")
@with_options(database_options)
@click.option("--archived-sites-path", type=click.Path(path_type=Path))
@click.option("--no-backup", is_flag=True)
@click.option("--force", is_flag=True)
def drop_site(name: str, db_root_username: str, root_password: str, archived_sites_path: Path | None, no_backup: bool,
              force: bool) -> None:
    """Remove a site."""
    site = Site(name)
    if not site.exists:
        raise IncorrectSitePath(f"404 Not Found: {name} does not exist")
    install.drop_site(site, root_password, archived_sites_path, not no_backup)


class IncorrectSitePath(Exception):
    """There is no such site to drop."""


@bench.command("backup")
@click.option("--with-files", is_flag=True)
@click.option("--compress", is_flag=True)
@click.option("--backup-path", type=click.Path(path_type=Path))
@click.option("--backup-path-db", type=click.Path(path_type=Path))
@click.option("--backup-path-conf", type=click.Path(path_type=Path))
@click.option("--backup-path-files", type=click.Path(path_type=Path))
@click.option("--backup-path-private-files", type=click.Path(path_type=Path))
@click.option("--include", "--only", "-i", default="")
@click.option("--exclude", "-e", default="")
@click.option("--ignore-backup-conf", is_flag=True)
@click.option("--verbose", is_flag=True)
@click.pass_context
def take_backup(context: click.Context, with_files: bool, compress: bool, backup_path: Path | None,
                backup_path_db: Path | None, backup_path_conf: Path | None, backup_path_files: Path | None,
                backup_path_private_files: Path | None, include: str, exclude: str, ignore_backup_conf: bool,
                verbose: bool) -> None:
    """Back sites up. A site that fails is named, the others follow, and the exit code is 1."""
    options = backup.Options(
        with_files, compress, backup_path, backup_path_db, backup_path_conf, backup_path_files,
        backup_path_private_files, tuple(filter(None, include.split(","))), tuple(filter(None, exclude.split(","))),
        verbose)
    failed = False
    for site in chosen(context):
        try:
            backup.take(site.require(), options)
        except Exception:
            if verbose:
                traceback.print_exc(file=sys.stdout)
            print(f"Backup failed for Site {site.name}. Database or site_config.json may be corrupted")
            failed = True
    sys.exit(int(failed))


@bench.command("restore")
@click.argument("sql_file_path")
@with_options(database_options + scope_options)
@click.option("--with-public-files")
@click.option("--with-private-files")
@click.option("--encryption-key", "--backup-encryption-key")
@click.option("--admin-password", hidden=True)
@click.option("--force", is_flag=True)
@for_sites
def restore_site(site: Site, sql_file_path: str, db_root_username: str, root_password: str, scope: str | None,
                 from_anywhere: bool, with_public_files: str | None, with_private_files: str | None,
                 encryption_key: str | None, admin_password: str | None, force: bool) -> None:
    """Put a backup in the place of a site's database and files."""
    source = restore.Source(sql_file_path, with_public_files, with_private_files, encryption_key)
    try:
        restore.restore(site, source, root_password, "%" if from_anywhere else scope, force)
    except pymysql.err.OperationalError as error:
        print(error)
        sys.exit(1)


@bench.command("list-apps")
@click.option("--format", "-f", "form", default="text", type=click.Choice(["text", "json"]))
@click.pass_context
def list_apps(context: click.Context, form: str) -> None:
    """Applications of a site, as the last migrate wrote them down."""
    result = {}
    for site in chosen(context):
        # It reads the hooks, and so fails on a pickle of another version.
        apps.module("frappe", "cached").load()
        with database.Database(site.require()) as opened:
            rows = opened.sql("SELECT app_name, app_version, git_branch FROM `tabInstalled Application` ORDER BY idx")
            names = [row[0] for row in rows] or install.installed_apps(opened)
        result[site.name] = [row[0] for row in rows]
        if form == "text":
            if context.obj == "all":
                click.echo(click.style(site.name, fg="green"), color=True)
            width = max(map(len, names))
            lines = [f"{name:<{width}} {version} {branch}" for name, version, branch in rows] or names
            print("\n".join(lines))
    if form == "json":
        print(json.dumps(result))


@bench.command("version")
@click.option("--format", "-f", "form", default="legacy", type=click.Choice(["legacy", "plain", "table", "json"]))
def version(form: str) -> None:
    """Versions of the applications of this image."""
    found = [(app, apps.version(app)) for app in apps.in_image()]
    if form == "json":
        print(json.dumps([{"commit": "", "app": app, "branch": "", "version": number} for app, number in found],
                         indent=1))
    else:
        for app, number in found:
            print(f"{app} {number}")
