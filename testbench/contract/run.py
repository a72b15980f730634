#!/usr/bin/env python3
"""Holds a bench against the recorded facts: facts.toml says what is run and what has to come of it.

    run.py DIRECTORY PROJECT PORT [--only PATTERN] [--slow]

The stack is one that tests/stack/bench.sh made, with at least two sites. With ECLUSA_REAL_BENCH the facts are held
against a real one instead: the name of a TOML file with `directory`, `project`, `port`, `sites` (two), `variable` (of
the tag, in the directory's .env) and `root_password_variable`; facts about switches of the testbench are left out then.
Ends with 0 when every fact holds.
"""

import argparse
import http.client
import json
import os
import re
import subprocess
import sys
import time
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# A command that takes longer hangs: real ones of a small site stay below a minute.
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Result:
    """What a command said, and its exit code."""

    code: int
    out: str
    err: str


class Stack:
    """A Compose project with a bench in it."""

    def __init__(self, directory: Path, project: str, port: int, sites: list[str], variable: str, password: str) -> None:
        self.directory, self.project, self.port, self.sites, self.variable = directory, project, port, sites, variable
        env = dict(line.split("=", 1) for line in (directory / ".env").read_text().splitlines() if "=" in line)
        # The password goes by the environment: an argument would show it to everybody on this machine.
        self.environment = os.environ | {"ROOT_PASSWORD": env[password]}
        self.away: list[str] = []

    def compose(self, *arguments: str, given: str = "", check: bool = True) -> Result:
        done = subprocess.run(
            ["docker", "compose", "--ansi", "never", "-p", self.project, "--env-file", ".env", *arguments],
            cwd=self.directory, env=self.environment, input=given, capture_output=True, text=True,
            timeout=PATIENCE_SECONDS)
        if check and done.returncode:
            raise RuntimeError(f"compose {' '.join(arguments)}: {done.stderr.strip()}")
        return Result(done.returncode, done.stdout, done.stderr)

    def shell(self, script: str, given: str = "", service: str = "backend") -> Result:
        return self.compose("exec", "-T", "-e", "ROOT_PASSWORD", service, "bash", "-c", script, given=given, check=False)

    def sql(self, site: str, statement: str) -> Result:
        """Runs a statement in a site's database as root; an empty site means none in particular."""
        name = f"$(grep -o '\"_[0-9a-f]\\{{16\\}}\"' sites/{site}/site_config.json | head -1 | tr -d '\"')" if site else ""
        return self.shell(f"MYSQL_PWD=$ROOT_PASSWORD mariadb -h db -u root -BN {name}", statement)

    def step(self, what: str | dict[str, Any]) -> Result:
        """A script, in `backend` or another service, or a statement of SQL."""
        if isinstance(what, str):
            return self.shell(what)
        if "sql" in what:
            return self.sql(what.get("site", ""), what["sql"])
        return self.shell(what["run"], service=what.get("service", "backend"))

    def stop(self, services: list[str]) -> None:
        """Leaves exactly these services stopped; facts in a row that want the same ones stopped share the stop."""
        if services == self.away:
            return
        if self.away:
            self.compose("start", *self.away)
            self.wait("bench doctor && bench --site all list-apps")
        if services:
            self.compose("stop", "-t", "2", *services)
        self.away = services

    def release(self, tag: str) -> None:
        """What an owner does without Eclusa: another tag, and `up`."""
        path = self.directory / ".env"
        path.write_text(re.sub(rf"(?m)^{self.variable}=.*$", f"{self.variable}={tag}", path.read_text()))
        self.compose("up", "-d", "--wait")

    def wait(self, script: str) -> None:
        """Until the script ends with 0."""
        deadline = time.monotonic() + 30
        while self.shell(script).code:
            if time.monotonic() > deadline:
                raise RuntimeError(f"never became true: {script}")
            time.sleep(0.3)

    def get(self, wanted: dict[str, Any]) -> tuple[int, str, dict[str, str]]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        headers = {"Host": wanted["host"]} | wanted.get("headers", {})
        connection.request(wanted.get("method", "GET"), wanted["path"], wanted.get("body"), headers)
        answer = connection.getresponse()
        found = {key.lower(): value for key, value in answer.getheaders()}
        # After an upgrade there is no end of the body to wait for.
        return answer.status, "" if answer.status == 101 else answer.read().decode(errors="replace"), found


def filled(value: Any, names: dict[str, str]) -> Any:
    """The value with `{name}` replaced in every string of it."""
    if isinstance(value, str):
        return re.sub(r"\{(site|other)\}", lambda found: names[found[1]], value)
    if isinstance(value, list):
        return [filled(part, names) for part in value]
    if isinstance(value, dict):
        return {filled(key, names): filled(part, names) for key, part in value.items()}
    return value


def holds(wanted: Any, found: Any) -> bool:
    """Whether all of `wanted` is in `found`; its strings are patterns, an empty list wants an empty one."""
    if isinstance(wanted, dict):
        return isinstance(found, dict) and all(key in found and holds(part, found[key]) for key, part in wanted.items())
    if isinstance(wanted, list):
        if not wanted or not isinstance(found, list):
            return wanted == found
        return all(any(holds(part, one) for one in found) for part in wanted)
    if isinstance(wanted, str):
        return isinstance(found, str) and re.fullmatch(wanted, found) is not None
    return bool(wanted == found)


def line_of(argv: list[str]) -> str:
    """A shell's words: all as they are, but for names of variables."""
    return " ".join(f'"{word}"' if word.startswith("$") else "'" + word.replace("'", "'\\''") + "'" for word in argv)


def text_faults(result: Result, fact: dict[str, Any]) -> list[str]:
    """What of a command's exit code and output is other than the fact says."""
    faults = []
    if result.code != fact.get("rc", 0):
        faults.append(f"exit code {result.code}, not {fact.get('rc', 0)}")
    for name, text in (("stdout", result.out), ("stderr", result.err)):
        faults += [f"no {pattern!r} in {name}" for pattern in fact.get(name, [])
                   if not re.search(pattern, text, re.MULTILINE)]
    if fact.get("silent") and result.out + result.err:
        faults.append("not silent")
    faults += [f"{pattern!r} in the output" for pattern in fact.get("absent", [])
               if re.search(pattern, result.out + result.err, re.MULTILINE)]
    if "json" in fact:
        try:
            found = json.loads(result.out)
        except ValueError:
            faults.append("stdout is no JSON")
        else:
            if not holds(fact["json"], found):
                faults.append(f"JSON without {fact['json']!r}")
    return faults


def page_faults(stack: Stack, wanted: dict[str, Any]) -> list[str]:
    status, body, headers = stack.get(wanted)
    faults = [] if status == wanted["status"] else [f"{wanted['path']}: {status}, not {wanted['status']}"]
    faults += [f"{wanted['path']}: no {pattern!r} in the body" for pattern in wanted.get("contains", [])
               if not re.search(pattern, body, re.MULTILINE)]
    faults += [f"{wanted['path']}: header {key} is {headers.get(key)!r}" for key, pattern in wanted.get("has", {}).items()
               if not re.search(pattern, headers.get(key, ""))]
    faults += [f"{wanted['path']}: header {key} is there" for key in wanted.get("lacks", []) if key in headers]
    return faults


def faults_of(stack: Stack, fact: dict[str, Any]) -> list[str]:
    """Runs one fact and says what of it does not hold."""
    stack.stop(fact.get("stopped", []))
    if "release" in fact:
        stack.release(fact["release"])
    faults = []
    try:
        for script in fact.get("before", []):
            done = stack.step(script)
            if done.code:
                return [f"before: `{script}` ended with {done.code}: {(done.out + done.err)[-300:]}"]
        if "argv" in fact:
            command = "".join(f"{key}={value} " for key, value in fact.get("env", {}).items()) + line_of(fact["argv"])
            result = stack.shell(command, fact.get("stdin", ""))
            faults += text_faults(result, fact)
            if faults:
                faults.append(f"said: {(result.out[-400:] + '|' + result.err[-400:])!r}")
        for check in fact.get("check", []):
            done = stack.step(check)
            wrong = text_faults(done, check)
            if wrong:
                faults.append(f"`{check.get('run', check.get('sql'))}`: {'; '.join(wrong)}; said {(done.out + done.err)[-300:]!r}")
        for wanted in fact.get("http", []):
            faults += page_faults(stack, wanted)
    finally:
        for script in fact.get("after", []):
            done = stack.step(script)
            if done.code:
                faults.append(f"after: `{script}` ended with {done.code}: {(done.out + done.err)[-300:]}")
        if fact.get("flush"):
            stack.compose("exec", "-T", "redis-cache", "redis-cli", "flushall")
    return faults


def chosen_stack(arguments: argparse.Namespace) -> Stack:
    real = os.environ.get("ECLUSA_REAL_BENCH")
    if real:
        given = tomllib.loads(Path(real).read_text())
        return Stack(Path(given["directory"]), given["project"], given["port"], given["sites"], given["variable"],
                     given["root_password_variable"])
    return Stack(arguments.directory, arguments.project, arguments.port, ["s01.localhost", "s02.localhost"],
                 "TESTBENCH_VERSION", "DB_ROOT_PASSWORD")


def main() -> int:
    parser = argparse.ArgumentParser(description="Holds a bench against the recorded facts.")
    parser.add_argument("directory", type=Path, nargs="?")
    parser.add_argument("project", nargs="?")
    parser.add_argument("port", type=int, nargs="?")
    parser.add_argument("--only", default="", help="facts whose name this pattern finds")
    parser.add_argument("--slow", action="store_true", help="also those that wait for a server that is away")
    arguments = parser.parse_args()
    real = "ECLUSA_REAL_BENCH" in os.environ
    if not real and arguments.port is None:
        parser.error("name DIRECTORY, PROJECT and PORT of a stack, or set ECLUSA_REAL_BENCH")
    stack = chosen_stack(arguments)
    names = {"site": stack.sites[0], "other": stack.sites[1]}
    facts = tomllib.loads((Path(__file__).parent / "facts.toml").read_text())["fact"]
    held = failed = left = 0
    started = time.monotonic()
    for fact in (filled(fact, names) for fact in facts):
        if not re.search(arguments.only, fact["name"]):
            continue
        if (real and fact.get("switch")) or (fact.get("slow") and not arguments.slow):
            left += 1
            continue
        begun = time.monotonic()
        try:
            faults = faults_of(stack, fact)
        except (RuntimeError, OSError, subprocess.TimeoutExpired, http.client.HTTPException) as error:
            faults = [f"{type(error).__name__}: {error}"]
        held, failed = held + (not faults), failed + bool(faults)
        print(f"{'FAILS' if faults else 'holds'} {time.monotonic() - begun:5.1f} s  §{fact['section']} {fact['name']}", flush=True)
        for fault in faults:
            print(f"        {fault}", flush=True)
    stack.stop([])
    print(f"{held} facts hold, {failed} do not, {left} left out, in {time.monotonic() - started:.0f} s")
    return int(failed > 0 or held == 0)


if __name__ == "__main__":
    sys.exit(main())
