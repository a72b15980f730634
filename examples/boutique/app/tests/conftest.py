from decimal import Decimal

import pytest
from django.test import Client

from accounts.models import ApiToken
from credit.models import CreditAccount
from sales.models import Customer, Product


@pytest.fixture(autouse=True)
def away_from_the_machine(settings, tmp_path):
    """Tests may run in the production image: they need no Redis, no TLS and no shared files."""
    settings.SECURE_SSL_REDIRECT = False
    settings.ALLOWED_HOSTS = ["testserver"]
    settings.MEDIA_ROOT = tmp_path
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


@pytest.fixture(autouse=True)
def sent_tasks(monkeypatch):
    sent = []
    monkeypatch.setattr("billing.tasks.write_receipt.apply_async", lambda args, **_: sent.append(args))
    return sent


@pytest.fixture
def seller(db, django_user_model):
    return django_user_model.objects.create_user("seller", password="a long one, please")


@pytest.fixture
def api(seller):
    return Client(headers={"authorization": f"Bearer {ApiToken.issue(seller, 'test')}"})


@pytest.fixture
def scarf(db):
    return Product.objects.create(sku="SCARF", name="Scarf", price=Decimal("10.00"), stock=10)


@pytest.fixture
def customer(db):
    customer = Customer.objects.create(name="Ana Almeida", email="ana@example.org")
    CreditAccount.objects.create(customer=customer, limit=Decimal("100.00"))
    return customer


@pytest.fixture
def sell_by_api(api):
    def sell(status=201, **body):
        answer = api.post("/api/v1/sales/", body, content_type="application/json")
        assert answer.status_code == status, answer.content
        return answer.json()

    return sell
