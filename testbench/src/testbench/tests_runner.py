"""`bench run-tests`: unittest on a site. It changes the site it runs on, and failures leave exit code 0."""

import importlib
import os
import sys
import unittest
from pathlib import Path
from xml.sax.saxutils import quoteattr

from . import context
from .database import Database
from .site import Site


def run(site: Site, module: str, junit: Path | None) -> int:
    """Runs the tests of a module and returns the exit code, which tells of failures only with CI in the
    environment."""
    in_ci = bool(os.environ.get("CI"))
    if not site.config.get("allow_tests") and not in_ci:
        print("Testing is disabled for the site!")
        print("You can enable tests by entering following command:")
        print(f"bench --site {site.name} set-config allow_tests true")
        return 0
    # By hand, so that a module that is not there is an error of its own and no failed test.
    suite = unittest.defaultTestLoader.loadTestsFromModule(importlib.import_module(module))
    with Database(site) as opened, context.use(opened):
        opened.set_single("System Settings", "time_zone", "America/New_York")
        opened.commit()
        result = unittest.TextTestRunner(stream=sys.stderr).run(suite)
    if junit:
        _write_junit(junit, result)
    if in_ci:
        print(f"<frappe.test_runner.TimeLoggingTestResult run={result.testsRun} errors={len(result.errors)} "
              f"failures={len(result.failures)}>")
        return int(not result.wasSuccessful())
    return 0


def _write_junit(path: Path, result: unittest.TestResult) -> None:
    cases = "".join(f"<testcase name={quoteattr(str(test))}><{kind}>{quoteattr(text)}</{kind}></testcase>"
                    for kind, entries in (("failure", result.failures), ("error", result.errors))
                    for test, text in entries)
    path.write_text(f'<testsuites><testsuite tests="{result.testsRun}" failures="{len(result.failures)}" '
                    f'errors="{len(result.errors)}">{cases}</testsuite></testsuites>')
