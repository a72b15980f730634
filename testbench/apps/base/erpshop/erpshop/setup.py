"""The first documents of a shop, the same on every site."""

from datetime import datetime, timedelta

from testbench.database import Database

CUSTOMERS = 200
INVOICES = 400


def after_install(opened: Database) -> None:
    begin = datetime(2026, 1, 1)
    opened.insert_many("Customer", ["name", "creation", "customer_name", "territory"],
                       [(f"CUST-{n:05}", begin, f"Zoë & Söhne {n}", ["North", "South"][n % 2]) for n in range(CUSTOMERS)])
    opened.insert_many("Sales Invoice", ["name", "creation", "docstatus", "customer", "grand_total", "outstanding"],
                       [(f"SINV-{n:05}", begin + timedelta(minutes=n), 1, f"CUST-{n % CUSTOMERS:05}", n * 1.19,
                         n * 1.19 if n % 3 else 0) for n in range(INVOICES)])
    opened.insert_many("Sales Invoice Item", ["name", "creation", "idx", "parent", "item", "qty", "amount"],
                       [(f"{n:08}", begin, n % 3, f"SINV-{n // 3:05}", f"ITEM-{n % 50:03}", n % 7 + 1, n * 0.4)
                        for n in range(INVOICES * 3)])
