"""For code that catches exceptions before the middleware: DRF, ninja, a middleware of your own."""

from django_entra_auth.interaction.challenge import challenge_response

__all__ = ["challenge_response"]
