"""Functional checks of the running code against the running database, which they leave as it was: everything
happens in a transaction that is rolled back, and the files that were written are deleted again."""

import hashlib
import logging
import secrets
from contextlib import contextmanager
from datetime import datetime, timezone
from decimal import Decimal

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction
from django.test import Client

from accounts.models import ApiToken
from billing.models import Invoice
from billing.services import issue_receipt
from credit.models import CreditAccount
from reports.models import DailyReport
from reports.services import refresh
from sales.models import Customer, Product, Sale
from sales.services import sell

PASSWORD = secrets.token_urlsafe(18)


class CheckFailed(Exception):
    pass


def require(condition, message):
    if not condition:
        raise CheckFailed(message)


class Shop:
    """A user, a customer and a product of its own, which nobody else ever sees."""

    def __init__(self):
        mark = secrets.token_hex(4)
        hosts = [host for host in settings.ALLOWED_HOSTS if not host.startswith((".", "*"))]
        self.host = hosts[0] if hosts else "localhost"
        self.user = get_user_model().objects.create_user(f"check-{mark}", password=PASSWORD)
        self.customer = Customer.objects.create(name=f"Check {mark}", email=f"check-{mark}@example.org")
        self.product = Product.objects.create(
            sku=f"CHECK-{mark}", name="Check", price=Decimal("19.90"), tax_rate=Decimal("20.00"), stock=5
        )
        self.documents = []
        self.token = ApiToken.issue(self.user, "check")

    def client(self, **keywords):
        return Client(SERVER_NAME=self.host, raise_request_exception=False, **keywords)

    def call(self, method, path, status, body=None):
        request = getattr(self.client(), method)
        keywords = {"secure": True, "headers": {"authorization": f"Bearer {self.token}"}}
        if body is not None:
            keywords |= {"data": body, "content_type": "application/json"}
        response = request(path, **keywords)
        if response.status_code != status:
            said = b"" if response.streaming else response.content[:300]
            raise CheckFailed(f"{method.upper()} {path} answered {response.status_code} instead of {status}: {said!r}")
        return response

    def sale(self, method="cash", quantity=2):
        body = {
            "lines": [{"sku": self.product.sku, "quantity": quantity}],
            "method": method,
            "customer": self.customer.pk,
        }
        answer = self.call("post", "/api/v1/sales/", 201, body).json()
        self.documents.append(Invoice.objects.get(number=answer["invoice"]).document)
        return answer


@contextmanager
def rolled_back():
    with transaction.atomic():
        shop = Shop()
        try:
            yield shop
        finally:
            # While the transaction still holds the numbers, so that these names belong to nobody else.
            for document in shop.documents:
                document.storage.delete(document.name)
            transaction.set_rollback(True)


def check_login(shop):
    client = shop.client(enforce_csrf_checks=True)
    answer = client.get("/api/v1/auth/csrf/", secure=True)
    require(answer.status_code == 200, f"the csrf endpoint answered {answer.status_code}")
    headers = {"x-csrftoken": answer.json()["csrfToken"], "referer": f"https://{shop.host}/"}

    def login(password):
        return client.post(
            "/api/v1/auth/login/",
            {"username": shop.user.username, "password": password},
            content_type="application/json",
            secure=True,
            headers=headers,
        )

    require(login("not it").status_code == 401, "a wrong password was not refused")
    answer = login(PASSWORD)
    require(answer.status_code == 200, f"the login answered {answer.status_code}: {answer.content[:300]!r}")
    shop.token = answer.json()["token"]
    me = shop.call("get", "/api/v1/auth/me/", 200).json()
    require(me["username"] == shop.user.username, f"the token belongs to {me['username']}")
    return f"logged in as {shop.user.username}, a wrong password is refused"


def check_sale(shop):
    answer = shop.sale()
    require(answer["total"] == "47.76", f"2 x 19.90 with 20 % tax came to {answer['total']}")
    require(answer["payment"] == {"method": "cash", "amount": "47.76"}, f"the payment is {answer['payment']}")
    shop.product.refresh_from_db()
    require(shop.product.stock == 3, f"the stock is {shop.product.stock} instead of 3")
    found = shop.call("get", f"/api/v1/sales/{answer['number']}/", 200).json()
    require(found["lines"][0]["quantity"] == 2, f"the sale's lines are {found['lines']}")
    body = {"lines": [{"sku": shop.product.sku, "quantity": 4}]}
    shop.call("post", "/api/v1/sales/", 409, body)
    return f"sale {answer['number']} of {answer['total']} with its payment, overselling refused"


def check_invoice(shop):
    answer = shop.sale()
    invoice = shop.call("get", f"/api/v1/invoices/{answer['invoice']}/", 200).json()
    require(invoice["total"] == answer["total"], f"the invoice says {invoice['total']}, the sale {answer['total']}")
    response = shop.call("get", f"/api/v1/invoices/{answer['invoice']}/document", 200)
    data = b"".join(response.streaming_content)
    require(data.startswith(b"%PDF-"), "the document is no PDF")
    require(answer["total"].encode() in data, "the document does not name the total")
    require(hashlib.sha256(data).hexdigest() == invoice["sha256"], "the document is not what was issued")
    receipt = issue_receipt(Sale.objects.get(number=answer["number"]).payments.get())
    shop.documents.append(receipt.document)
    with receipt.document.open("rb") as document:
        require(document.read(5) == b"%PDF-", "the receipt is no PDF")
    return f"invoice {answer['invoice']} of {len(data)} bytes and receipt {receipt.number} written and read back"


def check_credit(shop):
    CreditAccount.objects.create(customer=shop.customer, limit=Decimal("100.00"))
    shop.sale(method="credit")
    path = f"/api/v1/credit/{shop.customer.pk}/"
    account = shop.call("get", path, 200).json()
    require(account["owed"] == "47.76", f"{account['owed']} is owed after a sale of 47.76")
    body = {"lines": [{"sku": shop.product.sku, "quantity": 3}], "method": "credit", "customer": shop.customer.pk}
    shop.call("post", "/api/v1/sales/", 409, body)
    payment = {"customer": shop.customer.pk, "amount": "40.00", "method": "cash"}
    account = shop.call("post", "/api/v1/credit/payments/", 201, payment).json()
    require(account["owed"] == "7.76", f"{account['owed']} is owed after 40.00 of 47.76 were paid")
    shop.call("post", "/api/v1/credit/payments/", 409, payment)
    return "sold on credit, the limit held, 40.00 of 47.76 paid"


def check_reports(shop):
    # A day on which nobody else sells.
    day = datetime(2199, 1, 1, 12, tzinfo=timezone.utc)
    for quantity in (1, 2):
        _, _, invoice = sell(shop.user, {shop.product.sku: quantity}, sold_at=day)
        shop.documents.append(invoice.document)
    days = shop.call("get", "/api/v1/reports/daily/", 200).json()["days"]
    row = days[0] if days else None
    require(
        row is not None and row["day"] == "2199-01-01" and row["sales"] == 2 and row["total"] == "71.64",
        f"two sales of 71.64 are reported as {row}",
    )
    refresh(1)
    kept = DailyReport.objects.get(day=day.date())
    require(str(kept.total) == "71.64", f"the kept report says {kept.total}")
    return "two sales of 71.64 are in the daily report"


CHECKS = {
    "login": check_login,
    "sale": check_sale,
    "invoice": check_invoice,
    "credit": check_credit,
    "reports": check_reports,
}


class Command(BaseCommand):
    help = "Checks that the shop works: " + ", ".join(CHECKS) + ". Changes nothing."

    def add_arguments(self, parser):
        parser.add_argument("check", nargs="+", choices=[*CHECKS, "all"])

    def handle(self, check, **options):
        # The refusals that are provoked on purpose are no news; answers of 500 still are.
        logging.getLogger("django.request").setLevel(logging.ERROR)
        for name in CHECKS if "all" in check else check:
            try:
                with rolled_back() as shop:
                    said = CHECKS[name](shop)
            except CheckFailed as failure:
                raise CommandError(f"{name}: {failure}") from failure
            except Exception as failure:
                raise CommandError(f"{name}: {type(failure).__name__}: {failure}") from failure
            self.stdout.write(f"{name}: ok, {said}")
