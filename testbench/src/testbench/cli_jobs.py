"""Commands about background jobs and the scheduler."""

import json
import sys
from collections import Counter

import click

from . import queue, scheduler
from .cli import bench, chosen, for_sites, require
from .database import Database
from .site import Site, all_sites


@bench.command("doctor")
@click.pass_context
def doctor(context: click.Context) -> None:
    """Workers and waiting jobs. Exits with 0 whatever it finds, as long as redis-queue answers."""
    online = queue.workers_online()
    sites = chosen(context) if context.obj else []
    print("-----Checking scheduler status-----")
    for site in sites or [Site(name) for name in all_sites()]:
        if scheduler.is_disabled(site):
            print(f"Scheduler disabled for {site.name}")
        if scheduler.is_inactive(site):
            print(f"Scheduler inactive for {site.name}")
    print(f"Workers online: {online}")
    for name in [site.name for site in sites] or [None]:
        print(f"-----{name} Jobs-----")
        for label, waiting in queue.jobs(name).items():
            if waiting:
                print(f"Queue: {label}\nNumber of Jobs:  {len(waiting)}\nMethods:")
                for method, count in Counter(job.kwargs["method"] for job in waiting).items():
                    print(f"{method} : {count}")
                print("------------")


@bench.command("ready-for-migration")
@click.pass_context
def ready_for_migration(context: click.Context) -> None:
    """Whether a site has waiting or running jobs. Of `--site all` only the first is looked at."""
    site = require(chosen(context)[0])
    if any(queue.jobs(site.name).values()) or queue.running(site.name):
        print(f"NOT READY for migration: site {site.name} has pending background jobs")
        sys.exit(1)
    print(f"READY for migration: site {site.name} does not have any background jobs")


@bench.command("purge-jobs")
@click.option("--queue", "name")
@for_sites
def purge_jobs(site: Site, name: str | None) -> None:
    """Delete waiting jobs."""
    print(f"Purged {queue.purge(site.name, name)} jobs")


@bench.command("enable-scheduler")
@for_sites
def enable_scheduler(site: Site) -> None:
    """Let scheduled jobs run."""
    scheduler.set_enabled(site, True)
    print(f"Enabled for {site.name}")


@bench.command("disable-scheduler")
@for_sites
def disable_scheduler(site: Site) -> None:
    """Let no scheduled jobs run."""
    scheduler.set_enabled(site, False)
    print(f"Disabled for {site.name}")


@bench.command("scheduler")
@click.argument("action", type=click.Choice(["status", "pause", "resume", "enable", "disable"]))
@click.option("--format", "-f", "form", default="text", type=click.Choice(["text", "json"]))
@for_sites
def scheduler_command(site: Site, action: str, form: str) -> None:
    """Status of a site's scheduler, or a change of it."""
    state = {"pause": "paused", "resume": "resumed", "enable": "enabled", "disable": "disabled"}.get(action)
    if action in ("pause", "resume"):
        site.set("pause_scheduler", action == "pause")
    elif action in ("enable", "disable"):
        scheduler.set_enabled(site, action == "enable")
    else:
        state = scheduler.status(site)
    if form == "json":
        print(json.dumps({"status": state, "site": site.name}))
    else:
        print(f"Scheduler is {state} for site {site.name}")


@bench.command("trigger-scheduler-event")
@click.argument("event")
@for_sites
def trigger_scheduler_event(site: Site, event: str) -> None:
    """Queue a scheduled job now. It knows the names of methods, not those of frequencies."""
    with Database(site) as opened:
        found = opened.sql("SELECT method FROM `tabScheduled Job Type` WHERE method = %s", (event,))
    if not found:
        print(f"Event {event} does not exist!")
        sys.exit(1)
    queue.enqueue(site, event)
