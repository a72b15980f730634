from django.http import JsonResponse

from boutique.api import endpoint

from .services import as_json, takings


@endpoint("GET")
def daily(request):
    return JsonResponse({"days": [as_json(row) for row in takings()]})
