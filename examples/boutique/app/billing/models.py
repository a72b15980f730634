from django.db import models
from django.db.models import Q

from sales.models import Money, Payment, Sale


class Invoice(models.Model):
    number = models.CharField(max_length=20, unique=True)
    sale = models.OneToOneField(Sale, on_delete=models.PROTECT, related_name="invoice")
    issued_at = models.DateTimeField()
    total = Money()
    document = models.FileField(upload_to="invoices/%Y/%m/", max_length=200)
    sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ["number"]
        constraints = [models.CheckConstraint(condition=Q(total__gte=0), name="invoice_total_not_negative")]

    def __str__(self):
        return self.number


class Receipt(models.Model):
    number = models.CharField(max_length=20, unique=True)
    payment = models.OneToOneField(Payment, on_delete=models.PROTECT, related_name="receipt")
    issued_at = models.DateTimeField()
    document = models.FileField(upload_to="receipts/%Y/%m/", max_length=200)

    class Meta:
        ordering = ["number"]

    def __str__(self):
        return self.number
