from django.contrib.auth import authenticate
from django.contrib.auth import login as start_session
from django.http import JsonResponse
from django.middleware.csrf import get_token
from django.views.decorators.http import require_GET, require_POST

from boutique.api import BadRequest, body_of, endpoint

from .models import ApiToken


@require_GET
def csrf(request):
    return JsonResponse({"csrfToken": get_token(request)})


@require_POST
def login(request):
    """Protected by CSRF like any form: it starts a session beside giving a token."""
    try:
        body = body_of(request)
    except BadRequest as error:
        return JsonResponse({"error": str(error)}, status=400)
    user = authenticate(request, username=body.get("username"), password=body.get("password"))
    if user is None:
        return JsonResponse({"error": "unknown user or wrong password"}, status=401)
    start_session(request, user)
    return JsonResponse({"token": ApiToken.issue(user, "login"), "username": user.get_username()})


@endpoint("GET")
def me(request):
    return JsonResponse({"username": request.user.get_username()})
