"""Commands that read and write configuration: maintenance mode, keys of site_config.json, caches."""

import ast
import json
from typing import Any

import click

from . import cache, paths
from .cli import bench, chosen, for_sites, require
from .site import Site, read_json, write_json


@bench.command("set-maintenance-mode")
@click.argument("state", type=click.Choice(["on", "off"]))
@for_sites
def set_maintenance_mode(site: Site, state: str) -> None:
    """Close a site, or open it."""
    site.set("maintenance_mode", int(state == "on"))


def parsed(text: str, as_python: bool) -> Any:
    """A value as set-config takes it from its argument; None removes the key."""
    if as_python:
        return ast.literal_eval(text)
    return {"0": 0, "1": 1, "true": True, "false": False, "None": None}.get(text, text)


@bench.command("set-config")
@click.argument("key")
@click.argument("value")
@click.option("-g", "--global", "in_common", is_flag=True)
@click.option("-p", "--parse", "as_python", is_flag=True)
@click.option("--as-dict", is_flag=True)
@click.pass_context
def set_config(context: click.Context, key: str, value: str, in_common: bool, as_python: bool, as_dict: bool) -> None:
    """Set a key of a site's configuration, or of the common one."""
    new = parsed(value, as_python or as_dict)
    if in_common:
        path = paths.SITES / "common_site_config.json"
        config = read_json(path)
        if new is None:
            config.pop(key, None)
        else:
            config[key] = new
        write_json(path, config)
        return
    for site in chosen(context):
        require(site).set(key, new)


def flattened(config: dict[str, Any], prefix: str = "") -> list[tuple[str, str]]:
    rows: list[tuple[str, str]] = []
    for key, value in config.items():
        if isinstance(value, dict):
            rows += flattened(value, f"{prefix}{key}.")
        else:
            rows.append((prefix + key, str(value)))
    return rows


@bench.command("show-config")
@click.option("--format", "-f", "form", default="text", type=click.Choice(["text", "json"]))
@click.pass_context
def show_config(context: click.Context, form: str) -> None:
    """A site's configuration with the common one, passwords in clear."""
    configs = {require(site).name: site.config for site in chosen(context)}
    if form == "json":
        print(json.dumps(configs))
        return
    for name, config in configs.items():
        if len(configs) > 1:
            click.echo(click.style(f"Site {name}", fg="yellow"), color=True)
        rows = [("Config", "Value"), *flattened(config)]
        widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
        line = "+".join(["", *("-" * (width + 2) for width in widths), ""])
        print(line)
        for number, row in enumerate(rows):
            print("| " + " | ".join(value.ljust(width) for value, width in zip(row, widths)) + " |")
            if number == 0:
                print(line)
        print(line)


@bench.command("clear-cache")
@for_sites
def clear_cache(site: Site) -> None:
    """Forget what the cache holds of a site; exits with 0 also when there is no cache."""
    cache.clear(site.config["db_name"])


@bench.command("clear-website-cache")
@for_sites
def clear_website_cache(site: Site) -> None:
    """Forget a site's rendered pages."""
    cache.clear(site.config["db_name"] + "|website_page")
