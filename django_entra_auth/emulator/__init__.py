"""A local Entra: a real HTTP(S) server that behaves as Microsoft Entra ID does on the wire.

For development and tests only. Importing the package is cheap: the constants are here, the server
and what it needs are loaded when first asked for.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .constants import (
    B2C_DOMAINS,
    B2C_POLICY,
    B2C_TENANT_ID,
    CLIENT_ID,
    CLIENT_SECRET,
    CONSUMER_TENANT_ID,
    CUSTOMERS_DOMAINS,
    CUSTOMERS_TENANT_ID,
    FABRIKAM_TENANT_ID,
    MFA_CODE,
    OTHER_CLIENT_ID,
    OTHER_CLIENT_SECRET,
    PASSWORD,
    TENANT_ID,
)

if TYPE_CHECKING:
    from .directory import Application, Person, Tenant
    from .driver import AuthorizationResponse, EmulatorPage
    from .emulator import Emulator
    from .faults import Fault
    from .messages import RecordedRequest
    from .policies import Policy
    from .server import PortTakenError

__all__ = [
    "B2C_DOMAINS",
    "B2C_POLICY",
    "B2C_TENANT_ID",
    "CLIENT_ID",
    "CLIENT_SECRET",
    "CONSUMER_TENANT_ID",
    "CUSTOMERS_DOMAINS",
    "CUSTOMERS_TENANT_ID",
    "FABRIKAM_TENANT_ID",
    "MFA_CODE",
    "OTHER_CLIENT_ID",
    "OTHER_CLIENT_SECRET",
    "PASSWORD",
    "TENANT_ID",
    "Application",
    "AuthorizationResponse",
    "Emulator",
    "EmulatorPage",
    "Fault",
    "Person",
    "Policy",
    "PortTakenError",
    "RecordedRequest",
    "Tenant",
]

_HOMES = {
    "Application": "directory",
    "AuthorizationResponse": "driver",
    "Emulator": "emulator",
    "EmulatorPage": "driver",
    "Fault": "faults",
    "Person": "directory",
    "Policy": "policies",
    "PortTakenError": "server",
    "RecordedRequest": "messages",
    "Tenant": "directory",
}


def __getattr__(name: str) -> object:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOMES[name]}", __name__), name)
