"""Which patches there are, as the running code has them."""

from testbench import apps, context, install


def get_all_patches() -> list[str]:
    """Those of all applications of the site that the running code is about, in order."""
    names = install.installed_apps(context.database())
    return [patch for name in names for phase in apps.patches(name).values() for patch in phase]
