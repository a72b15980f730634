from django.http import JsonResponse
from django.shortcuts import get_object_or_404

from boutique.api import body_of, endpoint, money

from .models import CreditAccount
from .services import pay


def account_as_json(account):
    return {"customer": account.customer_id, "limit": str(account.limit), "owed": str(account.owed)}


@endpoint("GET")
def account(request, customer_id):
    return JsonResponse(account_as_json(get_object_or_404(CreditAccount, customer_id=customer_id)))


@endpoint("POST")
def payments(request):
    body = body_of(request)
    paid, _ = pay(body.get("customer"), money(body.get("amount"), "amount"), method=body.get("method", "cash"))
    return JsonResponse(account_as_json(paid), status=201)
