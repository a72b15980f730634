"""Backups: a gzipped dump, a copy of the configuration, and archives of the files, with bench's names and words."""

import os
import secrets
import subprocess
import tarfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from . import apps, paths
from .database import Database, host_and_port
from .site import Site, write_json
from .schema import table_name


@dataclass(frozen=True)
class Options:
    """What the flags of `bench backup` say; a path that is None goes to the site's backup directory."""

    with_files: bool = False
    compress: bool = False
    directory: Path | None = None
    database: Path | None = None
    config: Path | None = None
    public: Path | None = None
    private: Path | None = None
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    verbose: bool = False


def take(site: Site, options: Options) -> None:
    """Takes a backup and prints its summary. The time in the names is that of the site's time zone."""
    with Database(site) as opened:
        zone = ZoneInfo(opened.single("System Settings", "time_zone") or "UTC")
        encrypted = opened.single("System Settings", "encrypt_backup") == "1"
    now = datetime.now(zone)
    key = _key(site) if encrypted else None
    files = _names(site, options, f"{now:%Y%m%d_%H%M%S}-{site.name.replace('.', '_')}", "-enc" if encrypted else "")
    for path in files.values():
        path.parent.mkdir(parents=True, exist_ok=True)
    # The key that opens the backup is left out; everything else, passwords included, is in clear.
    config = {name: value for name, value in site.own_config.items() if name != "backup_encryption_key"}
    write_json(files["Config"], config)
    _dump(site, files["Database"], options)
    if options.with_files:
        for label, part in (("Public", "public"), ("Private", "private")):
            with tarfile.open(files[label], "w:gz" if options.compress else "w") as archive:
                archive.add(site.directory / part / "files", f"./{site.name}/{part}/files")
    if key:
        for label in files.keys() - {"Config"}:
            _encrypt(files[label], key)
    _summary(site, now, files)
    print(f"Backup for Site {site.name} has been successfully completed{' with files' if options.with_files else ''}")


def _names(site: Site, options: Options, stem: str, mark: str) -> dict[str, Path]:
    directory = options.directory or site.directory / "private" / "backups"
    suffix = "tgz" if options.compress else "tar"
    files = {
        "Config": options.config or directory / f"{stem}-site_config_backup{mark}.json",
        "Database": options.database or directory / f"{stem}-database{mark}.sql.gz",
    }
    if options.with_files:
        files["Public"] = options.public or directory / f"{stem}-files{mark}.{suffix}"
        files["Private"] = options.private or directory / f"{stem}-private-files{mark}.{suffix}"
    return files


def _tables(site: Site, options: Options) -> list[str]:
    if options.include:
        return [table_name(doctype) for doctype in options.include]
    return [f"--ignore-table={site.config['db_name']}.{table_name(doctype)}" for doctype in options.exclude]


def _dump(site: Site, target: Path, options: Options) -> None:
    config = site.config
    host, port = host_and_port(site.config)
    name = config["db_name"]
    argv = ["mariadb-dump", f"--user={name}", f"--host={host}", f"--port={port}", "--single-transaction", "--quick",
            "--lock-tables=false"]
    tables = _tables(site, options)
    argv += [*tables, name] if not options.include else [name, *tables]
    if options.verbose:
        shown = " ".join(["/usr/bin/" + argv[0], *argv[1:4], "--password=**********", *argv[4:]])
        print(f"set -o pipefail; {shown} | /usr/bin/gzip >> {target}")
    head = f"-- begin frappe metadata\n-- [frappe]\n-- version = {apps.version('frappe')}\n-- branch = N/A\n" \
           "-- end frappe metadata\n"
    with target.open("wb") as handle:
        gzip = subprocess.Popen(["gzip"], stdin=subprocess.PIPE, stdout=handle)
        assert gzip.stdin is not None
        gzip.stdin.write(head.encode())
        gzip.stdin.flush()
        dump = subprocess.run(argv, stdout=gzip.stdin, check=False,
                              env=os.environ | {"MYSQL_PWD": config["db_password"]})
        gzip.stdin.close()
        if gzip.wait() or dump.returncode:
            target.unlink()
            raise OSError(f"mariadb-dump ended with {dump.returncode}")


def _key(site: Site) -> str:
    """The key of encrypted backups, made when the first one is taken."""
    if "backup_encryption_key" not in site.own_config:
        site.set("backup_encryption_key", secrets.token_urlsafe(32))
    return site.own_config["backup_encryption_key"]


def _gpg(key: str, *arguments: str) -> int:
    """gpg with its passphrase from a pipe."""
    reader, writer = os.pipe()
    os.write(writer, key.encode())
    os.close(writer)
    try:
        return subprocess.run(
            ["gpg", "--yes", "--batch", "--pinentry-mode", "loopback", "--passphrase-fd", str(reader), *arguments],
            pass_fds=[reader], stderr=subprocess.DEVNULL, check=False,
        ).returncode
    finally:
        os.close(reader)


def _encrypt(path: Path, key: str) -> None:
    plain = path.with_name(path.name + ".plain")
    path.rename(plain)
    code = _gpg(key, "--cipher-algo", "AES256", "-o", str(path), "-c", str(plain))
    plain.unlink()
    if code:
        raise OSError(f"gpg ended with {code}")


def decrypt(path: Path, key: str, target: Path) -> bool:
    """Whether the key opened the file; the file itself is left as it is."""
    return _gpg(key, "-o", str(target), "-d", str(path)) == 0


def _summary(site: Site, now: datetime, files: dict[str, Path]) -> None:
    print(f"Backup Summary for {site.name} at {now.replace(tzinfo=None)}")
    for label, path in files.items():
        shown = f"./{path.relative_to(paths.SITES)}" if path.is_relative_to(paths.SITES) else str(path)
        print(f"{label:<8}: {shown} {_size(path.stat().st_size)}")


def _size(count: float) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count:.1f}{unit}"
        count /= 1024
    return f"{count:.1f}GiB"
