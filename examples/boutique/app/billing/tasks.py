from celery import shared_task

from sales.models import Payment

from .services import issue_receipt


@shared_task
def write_receipt(payment_id):
    payment = Payment.objects.select_related("sale").filter(pk=payment_id).first()
    if payment is not None:
        issue_receipt(payment)


@shared_task
def write_missing_receipts():
    for payment in Payment.objects.select_related("sale").filter(receipt=None).order_by("pk")[:500]:
        issue_receipt(payment)
