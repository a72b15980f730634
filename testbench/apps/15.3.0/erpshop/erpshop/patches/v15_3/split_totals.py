"""Dies halfway where the site asks for it: half of the rows are changed, and the table has another shape already."""

from testbench import failures
from testbench.database import Database


def execute(opened: Database) -> None:
    opened.sql("UPDATE `tabSales Invoice` SET outstanding = 0 WHERE name < 'SINV-00200'")
    # The server commits at an ALTER what was changed before it.
    opened.sql("ALTER TABLE `tabSales Invoice` ADD COLUMN IF NOT EXISTS net_total DECIMAL(21,9) NOT NULL DEFAULT 0")
    # The row goes with the database into every backup; the switch stays with the site's configuration.
    if failures.is_set(failures.PATCH_DIES, opened.site.config) or opened.single("Shop Settings", "patch_dies") == "1":
        raise ValueError("boom")
    opened.sql("UPDATE `tabSales Invoice` SET net_total = grand_total / 1.19")
