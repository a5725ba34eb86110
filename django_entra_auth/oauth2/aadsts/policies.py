"""Numbers about an organization's decisions: policies, devices, tenants and consent."""

from __future__ import annotations

from typing import Final

from .entry import Entry, group
from .entry import gettext_noop as _

POLICIES: Final[tuple[Entry, ...]] = (
    *group(
        "additional_action",
        "person",
        _("Use a device that your organization knows, or register this one, then try again."),
        {
            50005: _("The device's operating system is not allowed by a policy"),
            50097: _("The device has to identify itself"),
            50127: _("The device lacks the application that manages work accounts"),
            50129: _("The device has to be registered with the organization"),
            50155: _("The device could not identify itself"),
            50187: _("The device sent no information about itself"),
            53000: _("The device has to comply with the organization's rules"),
            530002: _("The device has to comply with the organization's rules (variant)"),
            53001: _("The device has to be joined to the organization's domain"),
            530003: _("The device has to be managed by the organization"),
            53008: _("The browser is not supported by a policy"),
            700003: _("The device is no longer known to the organization"),
        },
    ),
    *group(
        "blocked",
        "administrator",
        _("A policy forbids this. Give the number and the correlation id to your administrator."),
        {
            50131: _("A policy, the device's state or suspicious activity prevents the sign-in"),
            53002: _("Only approved client applications are allowed, which a web site cannot be"),
            530021: _("Only approved client applications are allowed (variant)"),
            53003: _("A Conditional Access policy blocks the access"),
            530031: _("An access policy does not allow a token to be issued"),
            530032: _("A security policy of the organization blocks the access"),
            530033: _("Signing in with a device code is blocked"),
            530034: _("The delegated administrator is blocked because of risk"),
            530035: _("The organization's security defaults block the request"),
            53004: _("Setting up multi-factor authentication was blocked as risky"),
            53005: _("Only applications with Intune protection are allowed"),
            53009: _("Only applications that enforce Intune protection are allowed"),
            53010: _("Security information may be registered from certain places only"),
            53011: _("The person is blocked because of risk in their home organization"),
            54008: _("The credential cannot be used as the first factor"),
            130500: _("Signing in by phone is blocked"),
            130007: _("The device used with Windows Hello is disabled"),
            135011: _("The device is disabled"),
        },
    ),
    *group(
        "blocked",
        "administrator",
        _("Ask the administrators of the organizations involved to allow the access."),
        {
            530004: _("Another organization's devices are not trusted"),
            50002: _("The network's restrictions do not allow this organization"),
            500021: _("The network restricts which organizations can be used"),
            500022: _("The network restricts which organizations can be used (variant)"),
            500212: _("The home organization does not allow access to this one"),
            500213: _("This organization does not allow access from the other one"),
            5000224: _("The resource is not available in this organization"),
            5000225: _("The organization was blocked because it was inactive"),
            50161: _("The external provider of multi-factor authentication is not set up"),
            50170: _("The external control is not set up"),
            50180: _("Windows single sign-on has to be set up"),
            90123: _("Another identity provider refused the sign-in"),
            1000031: _("The application cannot be reached at the moment"),
        },
    ),
    *group(
        "blocked",
        "administrator",
        _("Ask an administrator to check how sign-ins are federated with the other provider."),
        {
            20001: _("The federated provider answered with an error"),
            50006: _("The federated provider's signature could not be confirmed"),
            50008: _("The federated provider's token is not valid"),
            50017: _("The person's certificate could not be validated"),
            399284: _("The federated provider's token names an unexpected issuer"),
        },
    ),
    *group(
        "consent",
        "person",
        _("Sign in again and accept the permissions that the application asks for."),
        {
            65001: _("Nobody has consented to the permissions that are asked for"),
            50150: _("The consent that was given cannot be confirmed"),
        },
    ),
    *group(
        "consent",
        "administrator",
        _("Ask an administrator to grant the application's permissions for the organization."),
        {
            90093: _("The permissions could not be granted by this person"),
            90094: _("Only an administrator can grant these permissions"),
            900941: _("Only an administrator can grant permissions to an application rated risky"),
            900981: _("The application that asks for permissions is rated risky"),
            90095: _("An administrator is asked to approve the permissions"),
            90099: _("The partner's application has not been granted permissions here"),
        },
    ),
    *group(
        "cancelled",
        "person",
        _("Start again and accept the permissions if you want to use the application."),
        {65004: _("The person declined the permissions")},
    ),
    *group(
        "blocked",
        "administrator",
        _("Ask an administrator to enable the application or the resource in the organization."),
        {
            500014: _("The resource is disabled in this organization"),
            650052: _("The organization has no subscription for the resource"),
            7000112: _("The application is disabled"),
            7000116: _("The application is disabled in this organization"),
            7000229: _("The application has not been added to this organization"),
        },
    ),
)
