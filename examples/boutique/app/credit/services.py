from django.db import transaction
from django.utils import timezone

from boutique.api import BadRequest

from .models import CreditAccount, CreditCharge, CreditPayment


@transaction.atomic
def charge(customer, sale):
    CreditAccount.objects.get_or_create(customer=customer)
    account = CreditAccount.objects.select_for_update().get(customer=customer)
    if account.owed + sale.total > account.limit:
        raise BadRequest(f"credit: the limit of {account.limit} would be exceeded", status=409)
    account.owed += sale.total
    account.save(update_fields=["owed"])
    return CreditCharge.objects.create(account=account, sale=sale, amount=sale.total, charged_at=sale.sold_at)


@transaction.atomic
def pay(customer_id, amount, method="cash", paid_at=None):
    account = CreditAccount.objects.select_for_update().filter(customer_id=customer_id).first()
    if account is None:
        raise BadRequest("customer: has no credit account", status=404)
    if method not in ("cash", "card"):
        raise BadRequest("method: one of cash, card")
    if amount <= 0 or amount > account.owed:
        raise BadRequest(f"amount: between 0.01 and the {account.owed} that is owed", status=409)
    account.owed -= amount
    account.save(update_fields=["owed"])
    payment = CreditPayment.objects.create(
        account=account, amount=amount, method=method, paid_at=paid_at or timezone.now()
    )
    return account, payment
