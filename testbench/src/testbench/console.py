"""`bench console`: runs what comes on standard input. Nothing that it raises changes the exit code."""

import code
import sys

from . import apps, context, logs
from .database import Database
from .site import Site


def run(site: Site) -> None:
    print("Apps in this namespace:\nfrappe\n")
    with Database(site) as opened, context.use(opened):
        shell = code.InteractiveConsole({"frappe": apps.module("frappe")})
        number = 1
        for line in sys.stdin.read().splitlines():
            print(f"\nIn [{number}]: ", end="")
            logs.write("ipython", "INFO", "ipython", line, site)
            if not shell.push(line):
                number += 1
        shell.push("")
        opened.rollback()
    print(f"\nIn [{number}]: Do you really want to exit ([y]/n)? ")
