import hashlib

from django.core.files.base import ContentFile
from django.db import transaction

from sales.models import NumberSeries, Payment

from .documents import pdf
from .models import Invoice, Receipt


def invoice_lines(sale, number):
    yield f"INVOICE {number}"
    yield f"Sale {sale.number} of {sale.sold_at:%Y-%m-%d %H:%M}"
    yield f"Customer: {sale.customer.name if sale.customer else 'over the counter'}"
    yield ""
    for line in sale.lines.select_related("product").order_by("pk"):
        yield f"{line.quantity:>4} x {line.product.name:<40} {line.line_total:>12}"
    yield ""
    yield f"{'Subtotal':<47} {sale.subtotal:>12}"
    yield f"{'Tax':<47} {sale.tax:>12}"
    yield f"{'Total':<47} {sale.total:>12}"


def issue_invoice(sale):
    number = NumberSeries.take("I")
    data = pdf(invoice_lines(sale, number))
    invoice = Invoice(
        number=number,
        sale=sale,
        issued_at=sale.sold_at,
        total=sale.total,
        sha256=hashlib.sha256(data).hexdigest(),
    )
    invoice.document.save(f"{number}.pdf", ContentFile(data), save=False)
    try:
        invoice.save()
    except Exception:
        invoice.document.delete(save=False)
        raise
    return invoice


def receipt_wanted(payment):
    """Has the worker write the receipt once the sale is certain. A broker that is away loses no receipt:
    `write_missing_receipts` finds it."""
    from .tasks import write_receipt

    transaction.on_commit(lambda: write_receipt.apply_async([payment.pk], retry=False), robust=True)


@transaction.atomic
def issue_receipt(payment):
    # Two tasks may want the same receipt; the second waits here and then finds it.
    payment = Payment.objects.select_for_update().select_related("sale").get(pk=payment.pk)
    existing = Receipt.objects.filter(payment=payment).first()
    if existing is not None:
        return existing
    number = NumberSeries.take("R")
    data = pdf(
        [
            f"RECEIPT {number}",
            f"For sale {payment.sale.number}",
            f"Taken {payment.taken_at:%Y-%m-%d %H:%M} by {payment.method}",
            f"Amount {payment.amount}",
        ]
    )
    receipt = Receipt(number=number, payment=payment, issued_at=payment.taken_at)
    receipt.document.save(f"{number}.pdf", ContentFile(data), save=False)
    try:
        receipt.save()
    except Exception:
        receipt.document.delete(save=False)
        raise
    return receipt
