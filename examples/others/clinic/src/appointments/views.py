import json

from django.core.cache import cache
from django.core.files.base import ContentFile
from django.db import IntegrityError, connection, transaction
from django.http import HttpResponse, JsonResponse
from django.utils.dateparse import parse_datetime
from django.views.decorators.csrf import csrf_exempt

from .models import Appointment


def healthz(request):
    connection.ensure_connection()
    cache.set("seen", 1, 5)
    return HttpResponse("ok", content_type="text/plain")


def as_json(appointment):
    return {"patient": appointment.patient, "starts_at": appointment.starts_at.isoformat()}


@csrf_exempt
def appointments(request):
    if request.method != "POST":
        return JsonResponse({"appointments": [as_json(appointment) for appointment in Appointment.objects.all()]})
    try:
        body = json.loads(request.body)
        starts_at = parse_datetime(body["starts_at"])
        if starts_at is None:
            raise ValueError("no date and time")
        appointment = Appointment(patient=body["patient"], starts_at=starts_at)
        with transaction.atomic():
            appointment.save()
    except IntegrityError:
        return JsonResponse({"error": "this time is taken"}, status=409)
    except (ValueError, KeyError, TypeError):
        return JsonResponse({"error": "patient and starts_at are needed"}, status=400)
    letter = f"Dear {appointment.patient}, we expect you on {appointment.starts_at:%d %B %Y at %H:%M}.\n"
    appointment.letter.save(f"{appointment.pk}.txt", ContentFile(letter.encode()))
    return JsonResponse(as_json(appointment), status=201)
