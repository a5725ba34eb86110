"""The project's own app, the same before and after."""

from django.apps import AppConfig


class NotesConfig(AppConfig):
    """Notes of people."""

    name = "tests.migration.identity.notes"
    label = "notes"
