"""Commands that stay: the worker, the scheduler, the websocket service; and the build of the assets."""

import click

from . import apps
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
