from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from billing.models import Invoice
from boutique.version import VERSION
from sales.models import Customer, Product, Sale


def test_every_answer_names_the_version(client, db):
    answer = client.get("/api/v1/version/")
    assert answer.json()["version"] == answer["X-Boutique-Version"] == VERSION


def test_health(client, db):
    assert client.get("/healthz/").json() == {"status": "ok", "database": True}


def test_the_home_page(client, scarf):
    assert b"Scarf" in client.get("/").content


@pytest.mark.parametrize("check", ["login", "sale", "invoice", "credit", "reports"])
def test_the_checks_pass_and_leave_nothing(check, db, settings):
    settings.ALLOWED_HOSTS = ["localhost"]
    out = StringIO()
    call_command("check_shop", check, stdout=out)
    assert out.getvalue().startswith(f"{check}: ok")
    assert not (Sale.objects.exists() or Product.objects.exists() or Customer.objects.exists())
    assert [path for path in settings.MEDIA_ROOT.rglob("*") if path.is_file()] == []


def test_a_failing_check_says_why(db, settings, monkeypatch):
    settings.ALLOWED_HOSTS = ["localhost"]
    monkeypatch.setattr("sales.services.round_money", lambda amount: amount.quantize(1))
    with pytest.raises(CommandError, match="sale: .*came to"):
        call_command("check_shop", "sale")


def test_demo_data(db, settings):
    settings.DJANGO_ENV = "staging"
    call_command("seed_demo_data", customers=12, sales=15, stdout=StringIO())
    assert (Sale.objects.count(), Invoice.objects.count()) == (15, 15)


def test_demo_data_is_refused_in_production(db, settings):
    settings.DJANGO_ENV = "production"
    with pytest.raises(CommandError, match="refused"):
        call_command("seed_demo_data")
    assert not Product.objects.exists()
