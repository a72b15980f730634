from decimal import Decimal

from reports.models import DailyReport
from reports.tasks import refresh_daily_report


def test_the_daily_report_adds_up(api, sell_by_api, scarf):
    sell_by_api(lines=[{"sku": "SCARF", "quantity": 1}])
    sell_by_api(lines=[{"sku": "SCARF", "quantity": 2}])
    days = api.get("/api/v1/reports/daily/").json()["days"]
    assert len(days) == 1
    assert (days[0]["sales"], days[0]["total"]) == (2, "36.00")


def test_the_worker_keeps_it(sell_by_api, scarf):
    sell_by_api(lines=[{"sku": "SCARF"}])
    refresh_daily_report()
    refresh_daily_report()
    assert DailyReport.objects.get().total == Decimal("12.00")
