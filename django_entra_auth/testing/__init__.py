"""Helpers for the tests of projects that use this app."""

from django_entra_auth.testing.clients import sign_in

__all__ = ["sign_in"]
