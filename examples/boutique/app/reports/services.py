from decimal import Decimal

from django.db.models import Count, Sum
from django.db.models.functions import TruncDate
from django.utils import timezone

from sales.models import Sale

from .models import DailyReport


def takings(days=30):
    """One row per day with sales, the newest first."""
    return list(
        Sale.objects.filter(status=Sale.Status.COMPLETED)
        .annotate(day=TruncDate("sold_at"))
        .values("day")
        .annotate(sales=Count("id"), subtotal=Sum("subtotal"), tax=Sum("tax"), total=Sum("total"))
        .order_by("-day")[:days]
    )


def refresh(days=2):
    for row in takings(days):
        day = row.pop("day")
        DailyReport.objects.update_or_create(day=day, defaults={**row, "refreshed_at": timezone.now()})


def as_json(row):
    return {key: str(value) if isinstance(value, Decimal) else value for key, value in row.items()} | {
        "day": row["day"].isoformat()
    }
