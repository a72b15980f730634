from .models import ApiToken


class BearerToken:
    """Signs in who sends `Authorization: Bearer TOKEN`."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() == "bearer" and secret:
            token = (
                ApiToken.objects.select_related("user")
                .filter(digest=ApiToken.digest_of(secret), revoked_at=None, user__is_active=True)
                .first()
            )
            if token is not None:
                request.user = token.user
        return self.get_response(request)
