"""What a moved project sets to sign in at the local Entra in the real one's place."""

import os
from typing import Any

from django_entra_auth.emulator import TENANT_ID


def local_entra() -> dict[str, Any]:
    """The keys of ENTRA_AUTH that differ."""
    return {
        "AUTHORITY": f"{os.environ['ENTRA_ORIGIN']}/{TENANT_ID}",
        "CA_BUNDLE": os.environ["REQUESTS_CA_BUNDLE"],
        "LOCAL_EMULATOR": True,
    }
