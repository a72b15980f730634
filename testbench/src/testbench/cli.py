"""The `bench` command: its group, how a site is chosen, and the entry point."""

import functools
import os
import sys
from collections.abc import Callable
from typing import Any

import click

from . import apps, logs, paths
from .site import Site, all_sites


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--site", help="The site, or `all`.")
@click.pass_context
def bench(context: click.Context, site: str | None) -> None:
    """A bench of sites."""
    context.obj = site


def chosen(context: click.Context) -> list[Site]:
    """The sites that --site names; without it the command ends with 1."""
    if not context.obj:
        print("Please specify --site sitename")
        sys.exit(1)
    return [Site(name) for name in (all_sites() if context.obj == "all" else [context.obj])]


def require(site: Site) -> Site:
    """The site, or the end of the command when there is none of that name."""
    if not site.exists:
        print(f"Site {site.name} does not exist!")
        sys.exit(1)
    return site


def for_sites(function: Callable[..., None]) -> Callable[..., None]:
    """A command that does the same for each chosen site that exists, and stops at the first error."""
    @click.pass_context
    @functools.wraps(function)
    def wrapper(context: click.Context, **arguments: Any) -> None:
        for site in chosen(context):
            function(require(site), **arguments)

    return wrapper


def main() -> None:
    logs.command(sys.argv)
    os.chdir(paths.SITES)
    apps.prepare_imports()
    from . import cli_configuration, cli_jobs, cli_processes, cli_sites, cli_work  # noqa: F401  they add commands

    bench()
