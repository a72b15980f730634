"""Starts moto's server. It judges a signature over the decoded query, so a prefix with a slash would never be signed right:
the query is encoded again first, as S3 wants it."""

import sys
from urllib.parse import quote

from moto.iam import access_control
from moto.server import main

unencoded = access_control.IAMRequestBase._create_aws_request


def encoded(self):
    request = unencoded(self)
    path, _, query = request.url.partition("?")
    if query:
        parts = (part.partition("=") for part in query.split("&"))
        request.url = path + "?" + "&".join(quote(name, safe="") + "=" + quote(value, safe="") for name, _, value in parts)
    return request


access_control.IAMRequestBase._create_aws_request = encoded
main(sys.argv[1:])
