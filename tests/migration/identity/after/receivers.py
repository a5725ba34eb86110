"""Gives people the rows that name them by `sub`."""

from django.dispatch import receiver

from django_entra_auth.signals import signed_in
from tests.migration.identity.notes.models import Note


@receiver(signed_in)
def take_over_notes(sender, claims, **kwargs):
    Note.objects.filter(owner=claims["sub"]).update(owner=claims["oid"])
