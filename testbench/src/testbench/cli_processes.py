"""Commands that stay: the worker, the scheduler, the websocket service; and what makes a bench ready to run."""

import sys
import sysconfig
from pathlib import Path

import click

from . import apps, paths
from .cli import bench


@bench.command("worker")
@click.option("--queue", "names", default="short,default,long")
def worker(names: str) -> None:
    """Serve queues."""
    from .worker import work

    work(names.split(","))


@bench.command("schedule")
def schedule() -> None:
    """Queue scheduled jobs."""
    from .scheduler import run

    run()


@bench.command("websocket")
def websocket() -> None:
    """Serve socket.io."""
    from .websocket import serve

    serve()


@bench.command("build")
@click.option("--app", "only")
def build(only: str | None) -> None:
    """Build assets into this container's layer; they are lost with it."""
    from .assets import build as build_assets

    build_assets([only] if only else apps.in_image())


@bench.group("setup")
def setup() -> None:
    """Make parts of a bench."""


@setup.command("requirements")
def requirements() -> None:
    """Install every application into the virtual environment, so that it is imported from where it lies."""
    packages = Path(sysconfig.get_paths()["purelib"])
    if sys.prefix == sys.base_prefix:
        print("There is no virtual environment.")
        sys.exit(1)
    for path in packages.glob("bench_app_*.pth"):
        path.unlink()
    for app in apps.in_image():
        (packages / f"bench_app_{app}.pth").write_text(f"{paths.APPS / app}\n")
