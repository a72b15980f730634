"""What the JSON views share: parsing of what comes in, and errors as JSON."""

import json
from decimal import Decimal, InvalidOperation
from functools import wraps

from django.core.exceptions import ValidationError
from django.db import transaction
from django.http import JsonResponse
from django.views.decorators.csrf import csrf_exempt


class BadRequest(Exception):
    def __init__(self, message, status=400):
        super().__init__(message)
        self.status = status


def endpoint(*methods, login=True):
    """A JSON view for bearer tokens, which browsers never send by themselves: it needs no CSRF token."""

    def decorate(view):
        @csrf_exempt
        @wraps(view)
        def wrapper(request, *arguments, **keywords):
            if request.method not in methods:
                return JsonResponse({"error": "method not allowed"}, status=405)
            if login and not request.user.is_authenticated:
                return JsonResponse({"error": "a token is needed"}, status=401)
            try:
                with transaction.atomic():
                    return view(request, *arguments, **keywords)
            except BadRequest as error:
                return JsonResponse({"error": str(error)}, status=error.status)
            except ValidationError as error:
                return JsonResponse({"error": error.messages}, status=422)

        return wrapper

    return decorate


def body_of(request):
    try:
        body = json.loads(request.body or b"{}")
    except ValueError as error:
        raise BadRequest("the body is not JSON") from error
    if not isinstance(body, dict):
        raise BadRequest("the body is not a JSON object")
    return body


def money(value, name):
    try:
        amount = Decimal(str(value)).quantize(Decimal("0.01"))
    except (InvalidOperation, ValueError) as error:
        raise BadRequest(f"{name} is not an amount of money") from error
    if amount < 0:
        raise BadRequest(f"{name} is negative")
    return amount
