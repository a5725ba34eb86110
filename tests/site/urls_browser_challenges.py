from django.urls import path

from tests.site import browser_challenges as views
from tests.site.urls import urlpatterns as plain

NAMES = (
    "token",
    "consent",
    "api",
    "api_context",
    "context",
    "recent",
    "raised",
    "async_context",
    "async_token",
    "order",
    "upload",
    "token_form",
    "script_page",
    "answer",
    "frame_page",
    "framed",
    "prefetch_page",
    "poll",
    "hold",
    "poll_page",
    "empty",
)
urlpatterns = [
    *(path(f"{name.replace('_', '-')}/", getattr(views, name)) for name in NAMES),
    *plain,
]
