from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction
from django.utils import timezone

from sales.models import NumberSeries, Payment, Sale


def test_products_are_listed_without_a_token(client, scarf):
    answer = client.get("/api/v1/products/")
    assert [p["sku"] for p in answer.json()["products"]] == ["SCARF"]


def test_a_sale_takes_stock_and_payment(sell_by_api, scarf, django_capture_on_commit_callbacks, sent_tasks):
    with django_capture_on_commit_callbacks(execute=True):
        answer = sell_by_api(lines=[{"sku": "SCARF", "quantity": 3}], method="card")
    assert (answer["subtotal"], answer["tax"], answer["total"]) == ("30.00", "6.00", "36.00")
    scarf.refresh_from_db()
    assert scarf.stock == 7
    assert Payment.objects.get().amount == Decimal("36.00")
    assert sent_tasks == [[Payment.objects.get().pk]]


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"lines": []}, 400),
        ({"lines": [{"sku": "SCARF", "quantity": 0}]}, 400),
        ({"lines": [{"sku": "NOTHING"}]}, 404),
        ({"lines": [{"sku": "SCARF", "quantity": 11}]}, 409),
        ({"lines": [{"sku": "SCARF"}], "method": "shells"}, 400),
        ({"lines": [{"sku": "SCARF"}], "method": "credit"}, 400),
        ({"lines": [{"sku": "SCARF"}], "customer": 999}, 404),
    ],
)
def test_a_refused_sale_changes_nothing(sell_by_api, scarf, body, status):
    assert "error" in sell_by_api(status=status, **body)
    assert not Sale.objects.exists()
    scarf.refresh_from_db()
    assert scarf.stock == 10


def test_numbers_have_no_gaps(sell_by_api, scarf):
    first = sell_by_api(lines=[{"sku": "SCARF"}])
    sell_by_api(status=409, lines=[{"sku": "SCARF", "quantity": 11}])
    second = sell_by_api(lines=[{"sku": "SCARF"}])
    assert (first["number"], second["number"]) == ("S-000001", "S-000002")
    assert NumberSeries.objects.get(name="S").next_value == 3


def test_the_database_itself_refuses_a_total_that_does_not_add_up(seller):
    with pytest.raises(IntegrityError), transaction.atomic():
        Sale.objects.create(number="X", sold_by=seller, sold_at=timezone.now(), subtotal=1, tax=1, total=3)
