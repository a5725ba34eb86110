"""The demo as a Django app: it listens to what `django_entra_auth` tells by signals."""

from django.apps import AppConfig


class DemoConfig(AppConfig):
    """Connects the timeline."""

    name = "demo_project"
    verbose_name = "Entra demo"

    def ready(self) -> None:
        """Start to listen."""
        from .timeline import connect

        connect()
