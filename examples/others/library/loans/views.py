import json
from datetime import timedelta

from django.db import IntegrityError, connection, transaction
from django.http import JsonResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from .models import Book, Loan


def health(request):
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return JsonResponse({"healthy": True})


@csrf_exempt
def books(request):
    if request.method == "POST":
        book = Book.objects.create(title=str(json.loads(request.body)["title"])[:200])
        return JsonResponse({"id": book.pk, "title": book.title}, status=201)
    return JsonResponse({"books": list(Book.objects.values("id", "title"))})


@csrf_exempt
@require_POST
def loan(request, book_id):
    book = get_object_or_404(Book, pk=book_id)
    reader = str(json.loads(request.body)["reader"])[:100]
    try:
        with transaction.atomic():
            made = Loan.objects.create(book=book, reader=reader, due=timezone.now().date() + timedelta(days=28))
    except IntegrityError:
        return JsonResponse({"error": "already lent"}, status=409)
    return JsonResponse({"reader": made.reader, "due": made.due.isoformat()}, status=201)
