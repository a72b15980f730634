"""What every site has: users, settings, jobs, the log of patches. Not Frappe, and named like it."""

__version__ = "@VERSION@"


def get_installed_apps() -> list[str]:
    """The applications of the site that the running code is about."""
    from testbench import context, install

    return install.installed_apps(context.database())
