from decimal import Decimal

from django.db import models
from django.db.models import F, Q

from sales.models import Customer, Money, Sale


class CreditAccount(models.Model):
    customer = models.OneToOneField(Customer, on_delete=models.PROTECT, related_name="credit_account")
    limit = Money(default=Decimal("500.00"))
    owed = Money(default=Decimal("0.00"))

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(owed__gte=0), name="credit_owed_not_negative"),
            models.CheckConstraint(condition=Q(owed__lte=F("limit")), name="credit_owed_within_limit"),
        ]

    def __str__(self):
        return f"{self.customer}: {self.owed} of {self.limit}"


class CreditCharge(models.Model):
    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="charges")
    sale = models.OneToOneField(Sale, on_delete=models.PROTECT, related_name="credit_charge")
    amount = Money()
    charged_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="credit_charge_positive")]

    def __str__(self):
        return f"{self.account_id}: +{self.amount}"


class CreditPayment(models.Model):
    account = models.ForeignKey(CreditAccount, on_delete=models.PROTECT, related_name="payments")
    amount = Money()
    method = models.CharField(max_length=10, choices=[("cash", "cash"), ("card", "card")])
    paid_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="credit_payment_positive")]

    def __str__(self):
        return f"{self.account_id}: -{self.amount}"
