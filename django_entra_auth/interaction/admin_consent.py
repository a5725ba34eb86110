"""The way to an administrator's consent, for people who are administrators or know one."""

from __future__ import annotations

from dataclasses import dataclass, replace

from django.http import HttpRequest

from django_entra_auth.conf import EntraSettings, get_settings
from django_entra_auth.exceptions import SignInFailed
from django_entra_auth.group_membership import GLOBAL_GRAPH, find_graph_origin, is_local
from django_entra_auth.interaction.answer import Answer
from django_entra_auth.interaction.browser import ensure_browser
from django_entra_auth.interaction.prompt import Prompt, find_keeper
from django_entra_auth.interaction.state import Flow, new_flow_id, seal_flow
from django_entra_auth.oauth2.admin_consent import build_admin_consent_uri
from django_entra_auth.session import EntraSession


@dataclass(frozen=True, slots=True)
class ConsentGiven:
    """An administrator has consented; what was wanted is asked for again at the next click."""

    flow: Flow


def build_admin_consent(request: HttpRequest, flow: Flow) -> Prompt:
    """Where an administrator can allow what `flow` asks for, at the account's tenant."""
    settings = get_settings()
    browser = ensure_browser(request, secure=flow.is_secure)
    asking = replace(flow, id=new_flow_id(), is_admin_consent=True, attempt=0)
    state, _sealed = seal_flow(asking, browser, settings, keep=find_keeper(request, settings))
    account = EntraSession(request).account
    uri = build_admin_consent_uri(
        settings.authority,
        settings.client_id,
        _write_in_full(flow.requirement.scopes or settings.scopes, settings),
        redirect_uri=flow.redirect_uri,
        state=state,
        tenant_id=account.tid if account else None,
        allow_loopback=settings.local_emulator,
    )
    return Prompt(uri, browser, flow.is_secure)


def read_admin_consent(answer: Answer, flow: Flow, *, is_bound: bool) -> ConsentGiven:
    """What came back: an error is an error, whatever stands beside it. Raises SignInFailed.

    The answer is nobody's signature; it decides on nothing but what the page says. Only in the
    browser that asked (`is_bound`) what it says of the error is passed on.
    """
    if answer.error or not answer.has_admin_consent:
        raise SignInFailed("admin_consent_declined", result=answer.error if is_bound else None)
    return ConsentGiven(replace(flow, is_admin_consent=False))


def _write_in_full(scopes: tuple[str, ...], settings: EntraSettings) -> list[str]:
    """Scopes with their resource: bare ones are Graph's, as the local Entra knows it too."""
    graph = (None if is_local(settings) else find_graph_origin(settings)) or GLOBAL_GRAPH
    named = [scope if "/" in scope else f"{graph}/{scope}" for scope in scopes]
    return named or [f"{graph}/.default"]
