"""The applications of this image: which there are, their versions, hooks, tables and patches."""

import importlib
import sys
import tomllib
from types import ModuleType
from typing import Any

from . import paths


class AppMissing(Exception):
    """This image has no such application."""


def in_image() -> list[str]:
    return (paths.SITES / "apps.txt").read_text().split()


def prepare_imports() -> None:
    """Puts every application of the image on the path, as an editable install would; on a host there is one."""
    if paths.PYTHON.exists():
        return
    for directory in sorted(paths.APPS.iterdir()):
        if str(directory) not in sys.path:
            sys.path.append(str(directory))


def module(name: str, part: str = "") -> ModuleType:
    """The application's package, or a module of it."""
    return importlib.import_module(f"{name}.{part}" if part else name)


def version(name: str) -> str:
    return module(name).__version__


def hook(name: str, key: str, default: Any) -> Any:
    return getattr(module(name, "hooks"), key, default)


def patches(name: str) -> dict[str, list[str]]:
    """Dotted names of the patches in order, by phase: pre_model_sync and post_model_sync."""
    phases: dict[str, list[str]] = {"pre_model_sync": [], "post_model_sync": []}
    phase = "pre_model_sync"
    for line in (paths.APPS / name / name / "patches.txt").read_text().splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("["):
            phase = line.strip("[]")
        elif line:
            phases[phase].append(line)
    return phases


def schema(name: str) -> dict[str, dict[str, Any]]:
    """Tables of an application, by DocType; a later file adds columns to those of an earlier."""
    merged: dict[str, dict[str, Any]] = {}
    for path in sorted((paths.APPS / name / name / "schema").glob("*.toml")):
        for doctype, table in tomllib.loads(path.read_text()).items():
            known = merged.setdefault(doctype, {"fields": {}})
            known["fields"] |= table.get("fields", {})
            known |= {key: value for key, value in table.items() if key != "fields"}
    return merged
