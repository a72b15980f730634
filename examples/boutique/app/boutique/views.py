from django.db import connection
from django.http import JsonResponse
from django.shortcuts import render

from sales.models import Product

from .version import BUILD, VERSION


def home(request):
    products = Product.objects.filter(active=True).order_by("name")[:50]
    return render(request, "home.html", {"products": products, "version": VERSION})


def healthz(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"status": "ok", "database": True})


def version(request):
    return JsonResponse({"version": VERSION, "build": BUILD})
