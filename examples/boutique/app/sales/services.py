"""Selling something: stock, sale, payment and invoice, all or nothing."""

from decimal import ROUND_HALF_UP, Decimal

from django.db import transaction
from django.utils import timezone

from billing.services import issue_invoice, receipt_wanted
from boutique.api import BadRequest
from credit.services import charge

from .models import Customer, NumberSeries, Payment, Product, Sale, SaleLine

CENT = Decimal("0.01")


def round_money(amount):
    return amount.quantize(CENT, rounding=ROUND_HALF_UP)


def parse_lines(lines):
    """The wanted quantity per SKU, from the `lines` of a request."""
    if not isinstance(lines, list) or not lines:
        raise BadRequest("lines: at least one is needed")
    wanted = {}
    for line in lines:
        sku = line.get("sku") if isinstance(line, dict) else None
        quantity = line.get("quantity", 1) if isinstance(line, dict) else None
        if not isinstance(sku, str) or not isinstance(quantity, int) or isinstance(quantity, bool) or quantity < 1:
            raise BadRequest("lines: each needs a sku and a quantity of at least 1")
        wanted[sku] = wanted.get(sku, 0) + quantity
    return wanted


@transaction.atomic
def sell(user, lines, method=Payment.Method.CASH, customer_id=None, reference="", sold_at=None):
    """Makes the sale with its payment and its invoice. `lines` maps a SKU to a quantity."""
    if method not in Payment.Method.values:
        raise BadRequest(f"method: one of {', '.join(Payment.Method.values)}")
    customer = None
    if customer_id is not None:
        customer = Customer.objects.filter(pk=customer_id).first()
        if customer is None:
            raise BadRequest("customer: there is none with this id", status=404)
    if method == Payment.Method.CREDIT and customer is None:
        raise BadRequest("customer: needed to sell on credit")

    # Always in the same order, so that two sales of the same things cannot wait for each other.
    products = {
        product.sku: product
        for product in Product.objects.select_for_update().filter(sku__in=lines, active=True).order_by("pk")
    }
    missing = sorted(set(lines) - set(products))
    if missing:
        raise BadRequest(f"sku: not for sale: {', '.join(missing)}", status=404)

    subtotal = tax = Decimal("0.00")
    for sku, quantity in lines.items():
        product = products[sku]
        if product.stock < quantity:
            raise BadRequest(f"{sku}: only {product.stock} in stock", status=409)
        line_total = product.price * quantity
        subtotal += line_total
        tax += round_money(line_total * product.tax_rate / 100)

    now = sold_at or timezone.now()
    sale = Sale.objects.create(
        number=NumberSeries.take("S"),
        customer=customer,
        sold_by=user,
        sold_at=now,
        subtotal=subtotal,
        tax=tax,
        total=subtotal + tax,
    )
    for sku, quantity in lines.items():
        product = products[sku]
        SaleLine.objects.create(
            sale=sale,
            product=product,
            quantity=quantity,
            unit_price=product.price,
            tax_rate=product.tax_rate,
            line_total=product.price * quantity,
        )
        product.stock -= quantity
        product.save(update_fields=["stock"])

    payment = None
    if method == Payment.Method.CREDIT:
        charge(customer, sale)
    if sale.total > 0:
        payment = Payment.objects.create(
            sale=sale, method=method, amount=sale.total, taken_at=now, reference=reference
        )
        receipt_wanted(payment)
    return sale, payment, issue_invoice(sale)
