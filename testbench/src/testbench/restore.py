"""Restoring a site. The database is dropped before the dump is read: a truncated dump leaves a wreck."""

import gzip
import os
import re
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path

import click

from . import apps, backup, paths
from .database import Root, host_and_port
from .site import Site


@dataclass(frozen=True)
class Source:
    """What to restore from."""

    database: str
    public: str | None
    private: str | None
    encryption_key: str | None


def restore(site: Site, source: Source, root_password: str, scope: str | None, force: bool) -> None:
    dump = _find(source.database)
    decrypted = _decrypted(site, source, dump)
    try:
        _check_version(decrypted or dump, force)
        config = site.own_config
        root = Root(root_password)
        root.create(config["db_name"], config["db_password"], scope)
        _load(site, decrypted or dump)
    finally:
        if decrypted:
            decrypted.unlink(missing_ok=True)
    print("App frappe already installed")
    print("*** Scheduler is disabled ***")
    archives = [path for path in (source.public, source.private) if path]
    for path in archives:
        _unpack(site, _find(path))
    print(f"Site {site.name} has been restored{' with files' if archives else ''}")


def _find(name: str) -> Path:
    """A relative name is one below the bench, though the process stands in sites/."""
    path = paths.BENCH / name
    if path.exists():
        return path
    print(f"File {name} not found. Trying to check in alternative directories.")
    print(f"File {name} not found.")
    sys.exit(1)


def _decrypted(site: Site, source: Source, dump: Path) -> Path | None:
    """The plain dump when the file is encrypted. Only a name that is right from sites/ is looked at, which is why
    an encrypted file with a relative name is taken for a plain one."""
    looked_at = paths.SITES / source.database
    if not looked_at.exists():
        return None
    kind = subprocess.run(["file", str(looked_at)], capture_output=True, text=True, check=True).stdout
    if "PGP" not in kind and "GPG" not in kind:
        return None
    if source.encryption_key:
        print("Encrypted backup file detected. Decrypting using provided key.")
    else:
        print("Encrypted backup file detected. Decrypting using site config.")
    target = dump.with_name(dump.name + ".decrypted")
    if backup.decrypt(dump, source.encryption_key or site.own_config.get("backup_encryption_key", ""), target):
        return target
    target.unlink(missing_ok=True)
    print("Decryption failed. Please provide a valid key and try again.")
    sys.exit(1)


def _numbers(version: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", version)]


def _check_version(dump: Path, force: bool) -> None:
    """A dump of a later version goes in only when somebody says so; one that is no gzip ends here, nothing touched."""
    with gzip.open(dump, "rt", errors="replace") as handle:
        head = handle.read(300)
    found = re.search(r"^-- version = (\S+)$", head, re.MULTILINE)
    here = apps.version("frappe")
    if found and not force and _numbers(found[1]) > _numbers(here):
        click.confirm(
            f"Your site is currently on Frappe {here} and your backup is {found[1]}. "
            "This is not recommended and may lead to unexpected behaviour. Do you want to continue anyway?",
            abort=True,
        )


def _load(site: Site, dump: Path) -> None:
    config = site.own_config
    host, port = host_and_port(site.config)
    with subprocess.Popen(["gzip", "-cd", str(dump)], stdout=subprocess.PIPE) as unpacked:
        loaded = subprocess.run(
            ["mariadb", f"--user={config['db_name']}", f"--host={host}", f"--port={port}", config["db_name"]],
            stdin=unpacked.stdout, env=os.environ | {"MYSQL_PWD": config["db_password"]}, check=False,
        )
    if unpacked.returncode or loaded.returncode:
        print("Command failed")
        sys.exit(1)


def _unpack(site: Site, path: Path) -> None:
    """Files go below this site, whatever site's name the archive has them under."""
    with tarfile.open(path) as archive:
        for member in archive.getmembers():
            parts = Path(member.name).parts
            if member.isfile() and len(parts) > 1 and ".." not in parts:
                member.name = str(Path(site.name, *parts[1:]))
                archive.extract(member, paths.SITES, set_attrs=False)
