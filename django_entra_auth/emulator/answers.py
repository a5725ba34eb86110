"""Delivering the answer of an authorize request: query, fragment or form_post."""

from urllib.parse import urlencode, urlsplit, urlunsplit

from .authorization_request import Reply
from .errors import EntraError, Stamp, describe
from .messages import Response, redirect_response
from .pages import render_page


def deliver(reply: Reply, fields: dict[str, str]) -> Response:
    """Send `fields`, and the client's `state`, the way the client asked for."""
    if reply.state is not None:
        fields = {**fields, "state": reply.state}
    if reply.response_mode == "form_post":
        return render_page(
            "form_post.html", with_script=True, action=reply.redirect_uri, fields=fields.items()
        )
    return redirect_response(_location(reply, urlencode(fields)))


def _location(reply: Reply, encoded: str) -> str:
    parts = urlsplit(reply.redirect_uri)
    parts = parts._replace(path=parts.path or "/")
    if reply.response_mode == "fragment":
        return urlunsplit(parts._replace(fragment=encoded))
    query = f"{parts.query}&{encoded}" if parts.query else encoded
    # The empty fragment keeps one of the page before from surviving the redirect.
    return urlunsplit(parts._replace(query=query)) + "#"


def deliver_error(
    reply: Reply, error: EntraError, stamp: Stamp, origin: str, *, separator: str = " "
) -> Response:
    """Send `error` to the client."""
    fields = {
        "error": error.error,
        "error_description": describe(error, stamp, separator=separator),
        "error_uri": f"{origin}/error?code={error.number}",
        "timestamp": stamp.timestamp,
        "trace_id": stamp.trace_id,
        "correlation_id": stamp.correlation_id,
    }
    fields |= {"suberror": error.suberror} if error.suberror else {}
    fields |= {"claims": error.claims} if error.claims else {}
    return deliver(reply, fields)


def deliver_cancel(reply: Reply) -> Response:
    """Tell the client that the person pressed Cancel: no description, no number."""
    return deliver(reply, {"error": "access_denied", "error_subcode": "cancel"})
