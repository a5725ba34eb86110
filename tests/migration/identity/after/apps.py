"""The project's start: connects what gives people their rows back."""

from django.apps import AppConfig


class AfterConfig(AppConfig):
    """The project."""

    name = "tests.migration.identity.after"
    label = "after"

    def ready(self) -> None:
        from tests.migration.identity.after import receivers  # noqa: F401  connects
