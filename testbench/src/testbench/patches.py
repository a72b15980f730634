"""Running the patches of an application, each once, each in a transaction of its own."""

import importlib
import traceback
import uuid
from datetime import datetime, timezone

from .database import Database


def run(opened: Database, names: list[str], skip_failing: bool) -> None:
    """Runs those that have not been; one that was skipped after a failure is tried again."""
    done = {patch for (patch,) in opened.sql("SELECT patch FROM `tabPatch Log` WHERE skipped = 0")}
    for name in names:
        if name not in done:
            _run_one(opened, name, skip_failing)


def _run_one(opened: Database, name: str, skip_failing: bool) -> None:
    print(f"Executing {name} in {opened.site.name} ({opened.name})")
    try:
        importlib.import_module(name).execute(opened)
        _record(opened, name, skipped=0, trace=None)
        opened.commit()
    except Exception:
        # What the server committed by itself at an ALTER stays: a patch that dies halfway leaves half.
        opened.rollback()
        if not skip_failing:
            raise
        trace = traceback.format_exc()
        print("Failed to execute patch")
        # The real traceback lists the variables, the password of the database among them.
        print(f"{trace}\n  variables: conf = {opened.site.config}")
        _record(opened, name, skipped=1, trace=trace)
        opened.commit()


def _record(opened: Database, name: str, skipped: int, trace: str | None) -> None:
    opened.sql("DELETE FROM `tabPatch Log` WHERE patch = %s", (name,))
    opened.insert("Patch Log", name=uuid.uuid4().hex[:10], creation=datetime.now(timezone.utc).replace(tzinfo=None),
                  patch=name, skipped=skipped, traceback=trace)
