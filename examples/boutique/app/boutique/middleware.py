from .version import VERSION


class VersionHeader:
    """Every answer says which version gave it."""

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        response = self.get_response(request)
        response["X-Boutique-Version"] = VERSION
        return response
