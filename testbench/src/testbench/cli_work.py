"""Commands that run code on a site: migrate, execute, console, tests, clean-up, fixtures."""

import ast
import importlib
import json
import sys
import uuid
from pathlib import Path
from typing import Any

import click

from . import backup, context, fixtures, migrate, trim
from .cli import bench, chosen, for_sites, require
from .database import Database
from .site import LockTimeoutError, Site


@bench.command("migrate")
@click.option("--skip-failing", is_flag=True)
@click.option("--skip-search-index", is_flag=True)
@click.pass_context
def migrate_sites(invocation: click.Context, skip_failing: bool, skip_search_index: bool) -> None:
    """Bring sites to the version of the code; the first that fails ends the command."""
    for site in chosen(invocation):
        print(f"Migrating {site.name}")
        try:
            migrate.migrate(require(site), skip_failing, skip_search_index)
        except LockTimeoutError as error:
            _record_error(site, error)
            raise


def _record_error(site: Site, error: Exception) -> None:
    with Database(site) as opened:
        opened.insert("Error Log", name=uuid.uuid4().hex[:10], method="bench migrate", error=str(error), seen=0)


def resolve(name: str) -> Any:
    """The object of a dotted name, of which any part may be an attribute."""
    parts = name.split(".")
    found: Any = importlib.import_module(parts[0])
    for number, part in enumerate(parts[1:], 2):
        if not hasattr(found, part):
            importlib.import_module(".".join(parts[:number]))
        found = getattr(found, part)
    return found


@bench.command("execute")
@click.argument("method")
@click.option("--args")
@click.option("--kwargs")
@for_sites
def execute(site: Site, method: str, args: str | None, kwargs: str | None) -> None:
    """Call a function on a site and print what it returns as JSON."""
    with Database(site) as opened, context.use(opened):
        result = resolve(method)(*(ast.literal_eval(args) if args else ()),
                                 **(ast.literal_eval(kwargs) if kwargs else {}))
        opened.commit()
    if result is not None:
        print(json.dumps(result, default=_plain))


def _plain(value: Any) -> Any:
    """Dates and decimals as text; anything else cannot be written, after the call has had its effect."""
    if type(value).__module__ in ("datetime", "decimal"):
        return str(value)
    raise TypeError(f"Object of type {type(value)} with value of {value!r} is not JSON serializable")


@bench.command("console")
@for_sites
def run_console(site: Site) -> None:
    """Run Python from standard input."""
    from . import console

    console.run(site)


@bench.command("run-tests")
@click.option("--module", required=True)
@click.option("--junit-xml-output", type=click.Path(path_type=Path))
@for_sites
def run_tests(site: Site, module: str, junit_xml_output: Path | None) -> None:
    """Run tests on a site."""
    from . import tests_runner

    sys.exit(tests_runner.run(site, module, junit_xml_output))


@bench.command("trim-tables")
@click.option("--dry-run", is_flag=True)
@click.option("--no-backup", is_flag=True)
@click.option("--format", "-f", "form", default="table", type=click.Choice(["table", "json"]))
@for_sites
def trim_tables(site: Site, dry_run: bool, no_backup: bool, form: str) -> None:
    """Drop columns that no DocType has."""
    if not dry_run and not no_backup:
        backup.take(site, backup.Options())
    with Database(site) as opened:
        found = trim.leftovers(opened)
        if not dry_run:
            trim.drop(opened, found)
    if form == "json":
        print(json.dumps({site.name: found}))
    else:
        print("DocType | Fields")
        for doctype, columns in found.items():
            print(f"{doctype} | {', '.join(columns)}")


@bench.command("trim-database")
@click.option("--dry-run", is_flag=True, required=True)
@for_sites
def trim_database(site: Site, dry_run: bool) -> None:
    """Name tables that belong to no DocType."""
    with Database(site) as opened:
        ghosts = trim.ghost_tables(opened)
    print(f"{site.name}: {', '.join(ghosts) or 'No ghost tables'}")


@bench.command("export-fixtures")
@click.option("--app")
@for_sites
def export_fixtures(site: Site, app: str | None) -> None:
    """Write documents that hooks name into the applications."""
    with Database(site) as opened:
        fixtures.export(opened, app)
