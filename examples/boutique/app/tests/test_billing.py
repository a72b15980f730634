import hashlib

from billing.models import Invoice, Receipt
from billing.tasks import write_missing_receipts, write_receipt
from sales.models import Payment


def test_the_invoice_is_a_file_that_can_be_read_back(api, sell_by_api, scarf):
    sale = sell_by_api(lines=[{"sku": "SCARF", "quantity": 2}])
    answer = api.get(f"/api/v1/invoices/{sale['invoice']}/document")
    data = b"".join(answer.streaming_content)
    assert data.startswith(b"%PDF-1.4") and b"24.00" in data
    assert hashlib.sha256(data).hexdigest() == Invoice.objects.get().sha256


def test_receipts_are_written_once(sell_by_api, scarf):
    sell_by_api(lines=[{"sku": "SCARF"}])
    write_receipt(Payment.objects.get().pk)
    write_receipt(Payment.objects.get().pk)
    assert Receipt.objects.get().document.read().startswith(b"%PDF-")


def test_receipts_that_were_missed_are_found(sell_by_api, scarf):
    sell_by_api(lines=[{"sku": "SCARF"}])
    sell_by_api(lines=[{"sku": "SCARF"}])
    write_missing_receipts()
    assert Receipt.objects.count() == 2
