"""The app, and the check that its import name is its own."""

from importlib import metadata

from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

NAMESAKE = "django-entra-auth"


class DjangoEntraAuthConfig(AppConfig):
    """Sign-in with Microsoft Entra ID."""

    name = "django_entra_auth"
    verbose_name = _("Microsoft Entra sign-in")
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Register the checks; raises ImproperlyConfigured beside the namesake distribution."""
        refuse_namesake()
        from django.contrib.auth.signals import user_logged_out

        from django_entra_auth import checks, recorder  # noqa: F401  checks register themselves
        from django_entra_auth.interaction.sign_out import forget_sign_in

        recorder.connect()
        user_logged_out.connect(forget_sign_in, dispatch_uid="django_entra_auth.forget_sign_in")


def refuse_namesake() -> None:
    """Raise when the distribution that installs the same import name is present.

    The two overwrite each other's files, so nothing that runs could be trusted.
    """
    try:
        metadata.distribution(NAMESAKE)
    except metadata.PackageNotFoundError:
        return
    from django.core.exceptions import ImproperlyConfigured

    raise ImproperlyConfigured(
        f"The distribution {NAMESAKE} installs the same import name, django_entra_auth. Uninstall"
        " both, then install django-entra-conditional-access again."
    )
