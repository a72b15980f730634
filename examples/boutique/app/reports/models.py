from django.db import models

from sales.models import Money


class DailyReport(models.Model):
    """The takings of a day, kept by the worker so that the books do not depend on a query over all sales."""

    day = models.DateField(unique=True)
    sales = models.PositiveIntegerField()
    subtotal = Money()
    tax = Money()
    total = Money()
    refreshed_at = models.DateTimeField()

    class Meta:
        ordering = ["-day"]

    def __str__(self):
        return f"{self.day}: {self.total}"
