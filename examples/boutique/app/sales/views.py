from django.http import JsonResponse
from django.shortcuts import get_object_or_404

from boutique.api import body_of, endpoint

from .models import Product, Sale
from .services import parse_lines, sell


def product_as_json(product):
    return {
        "sku": product.sku,
        "name": product.name,
        "price": str(product.price),
        "tax_rate": str(product.tax_rate),
        "stock": product.stock,
    }


def sale_as_json(sale):
    return {
        "number": sale.number,
        "customer": sale.customer_id,
        "sold_at": sale.sold_at.isoformat(),
        "status": sale.status,
        "subtotal": str(sale.subtotal),
        "tax": str(sale.tax),
        "total": str(sale.total),
    }


@endpoint("GET", login=False)
def products(request):
    return JsonResponse({"products": [product_as_json(p) for p in Product.objects.filter(active=True)]})


@endpoint("GET", "POST")
def sales(request):
    if request.method == "GET":
        return JsonResponse({"sales": [sale_as_json(sale) for sale in Sale.objects.all()[:50]]})
    body = body_of(request)
    sale, payment, invoice = sell(
        request.user,
        parse_lines(body.get("lines")),
        method=body.get("method", "cash"),
        customer_id=body.get("customer"),
        reference=str(body.get("reference", ""))[:60],
    )
    answer = sale_as_json(sale)
    answer["payment"] = {"method": payment.method, "amount": str(payment.amount)} if payment else None
    answer["invoice"] = invoice.number
    return JsonResponse(answer, status=201)


@endpoint("GET")
def sale(request, number):
    found = get_object_or_404(Sale.objects.prefetch_related("lines__product", "payments"), number=number)
    answer = sale_as_json(found)
    answer["lines"] = [
        {"sku": line.product.sku, "quantity": line.quantity, "line_total": str(line.line_total)}
        for line in found.lines.all()
    ]
    answer["payments"] = [{"method": p.method, "amount": str(p.amount)} for p in found.payments.all()]
    return JsonResponse(answer)
