from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import F, Q


class Money(models.DecimalField):
    def __init__(self, *arguments, **keywords):
        keywords.setdefault("max_digits", 12)
        keywords.setdefault("decimal_places", 2)
        super().__init__(*arguments, **keywords)


class NumberSeries(models.Model):
    """Numbers without gaps, as the law wants them on invoices: the row is locked until the transaction ends."""

    name = models.CharField(max_length=20, unique=True)
    next_value = models.PositiveBigIntegerField(default=1)

    class Meta:
        verbose_name_plural = "number series"

    def __str__(self):
        return self.name

    @classmethod
    def take(cls, name):
        cls.objects.get_or_create(name=name)
        series = cls.objects.select_for_update().get(name=name)
        value = series.next_value
        series.next_value = value + 1
        series.save(update_fields=["next_value"])
        return f"{name}-{value:06d}"


class Product(models.Model):
    sku = models.CharField(max_length=32, unique=True)
    name = models.CharField(max_length=120)
    price = Money()
    tax_rate = models.DecimalField(max_digits=5, decimal_places=2, default=Decimal("20.00"))
    stock = models.IntegerField(default=0)
    active = models.BooleanField(default=True)

    class Meta:
        ordering = ["sku"]
        constraints = [
            models.CheckConstraint(condition=Q(price__gte=0), name="product_price_not_negative"),
            models.CheckConstraint(condition=Q(stock__gte=0), name="product_stock_not_negative"),
            models.CheckConstraint(condition=Q(tax_rate__gte=0, tax_rate__lte=100), name="product_tax_rate_percent"),
        ]

    def __str__(self):
        return f"{self.sku} {self.name}"


class Customer(models.Model):
    name = models.CharField(max_length=120)
    email = models.EmailField(blank=True)
    phone = models.CharField(max_length=40, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["id"]

    def __str__(self):
        return self.name


class Sale(models.Model):
    class Status(models.TextChoices):
        COMPLETED = "completed"
        CANCELLED = "cancelled"

    number = models.CharField(max_length=20, unique=True)
    customer = models.ForeignKey(Customer, null=True, blank=True, on_delete=models.PROTECT, related_name="sales")
    sold_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="sales")
    sold_at = models.DateTimeField(db_index=True)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.COMPLETED)
    subtotal = Money()
    tax = Money()
    total = Money()

    class Meta:
        ordering = ["-sold_at"]
        constraints = [
            models.CheckConstraint(condition=Q(total=F("subtotal") + F("tax")), name="sale_total_adds_up"),
            models.CheckConstraint(condition=Q(total__gte=0), name="sale_total_not_negative"),
        ]

    def __str__(self):
        return self.number


class SaleLine(models.Model):
    sale = models.ForeignKey(Sale, on_delete=models.CASCADE, related_name="lines")
    product = models.ForeignKey(Product, on_delete=models.PROTECT, related_name="lines")
    quantity = models.PositiveIntegerField()
    unit_price = Money()
    tax_rate = models.DecimalField(max_digits=5, decimal_places=2)
    line_total = Money()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["sale", "product"], name="sale_line_once_per_product"),
            models.CheckConstraint(condition=Q(quantity__gt=0), name="sale_line_quantity_positive"),
            models.CheckConstraint(
                condition=Q(line_total=F("quantity") * F("unit_price")), name="sale_line_total_adds_up"
            ),
        ]

    def __str__(self):
        return f"{self.sale}: {self.quantity} x {self.product.sku}"


class Payment(models.Model):
    class Method(models.TextChoices):
        CASH = "cash"
        CARD = "card"
        CREDIT = "credit"

    sale = models.ForeignKey(Sale, on_delete=models.PROTECT, related_name="payments")
    method = models.CharField(max_length=10, choices=Method.choices)
    amount = Money()
    taken_at = models.DateTimeField()
    reference = models.CharField(max_length=60, blank=True)

    class Meta:
        ordering = ["taken_at"]
        indexes = [models.Index(fields=["method", "taken_at"], name="payment_by_method_and_time")]
        constraints = [models.CheckConstraint(condition=Q(amount__gt=0), name="payment_amount_positive")]

    def __str__(self):
        return f"{self.sale}: {self.amount} by {self.method}"
