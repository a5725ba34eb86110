"""Points django-auth-adfs at the local Entra: its own settings know one server alone."""

import os

from django_auth_adfs.config import Settings


class LocalSettings(Settings):
    """The package's settings with another server."""

    def __init__(self) -> None:
        super().__init__()
        self.SERVER = os.environ["ENTRA_ORIGIN"].removeprefix("https://")
