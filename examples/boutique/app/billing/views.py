from django.http import FileResponse, JsonResponse
from django.shortcuts import get_object_or_404

from boutique.api import endpoint

from .models import Invoice


@endpoint("GET")
def invoice(request, number):
    found = get_object_or_404(Invoice.objects.select_related("sale"), number=number)
    return JsonResponse(
        {
            "number": found.number,
            "sale": found.sale.number,
            "issued_at": found.issued_at.isoformat(),
            "total": str(found.total),
            "sha256": found.sha256,
        }
    )


@endpoint("GET")
def document(request, number):
    found = get_object_or_404(Invoice, number=number)
    return FileResponse(found.document.open("rb"), content_type="application/pdf", filename=f"{number}.pdf")
