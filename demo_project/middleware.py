"""A strict Content-Security-Policy on every answer: nothing here needs a looser one."""

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse

POLICY = "default-src 'self'; form-action 'self'"


def content_security_policy(
    get_response: Callable[[HttpRequest], HttpResponse],
) -> Callable[[HttpRequest], HttpResponse]:
    """Add the policy to what a view sets itself; a browser obeys all policies of the list."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        own = response.get("Content-Security-Policy")
        response["Content-Security-Policy"] = f"{own}, {POLICY}" if own else POLICY
        return response

    return middleware
