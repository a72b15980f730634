def test_credit_is_charged_and_paid(api, sell_by_api, scarf, customer):
    sell_by_api(lines=[{"sku": "SCARF", "quantity": 5}], method="credit", customer=customer.pk)
    path = f"/api/v1/credit/{customer.pk}/"
    assert api.get(path).json()["owed"] == "60.00"

    def pay(amount):
        body = {"customer": customer.pk, "amount": amount}
        return api.post("/api/v1/credit/payments/", body, content_type="application/json")

    assert pay("45.50").status_code == 201
    assert api.get(path).json()["owed"] == "14.50"
    assert pay("14.51").status_code == 409
    assert pay("shells").status_code == 400


def test_the_limit_holds(sell_by_api, scarf, customer):
    sell_by_api(status=409, lines=[{"sku": "SCARF", "quantity": 9}], method="credit", customer=customer.pk)
