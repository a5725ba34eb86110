"""The views that use tokens, and those that ask for more than a sign-in."""

from tests.request_tokens.site import urlpatterns as token_views
from tests.site.urls_challenges import urlpatterns as challenges

urlpatterns = [*token_views, *challenges]
