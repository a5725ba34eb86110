"""Sign alice in to a site with a user model of its own; prints what became of her."""

import django
from django.conf import settings
from django.core.management import call_command

from django_entra_auth.emulator import Emulator
from tests.settings import base


def main() -> None:
    values = {name: getattr(base, name) for name in dir(base) if name.isupper()}
    values["INSTALLED_APPS"] = [
        *(app for app in base.INSTALLED_APPS if app != "django.contrib.admin"),
        "tests.site.custom_user",
    ]
    values["AUTH_USER_MODEL"] = "custom_user.Employee"
    values["ROOT_URLCONF"] = "tests.site.urls_without_admin"
    with Emulator(port=0) as entra:
        values["ENTRA_AUTH"] = {**base.ENTRA_AUTH, "AUTHORITY": entra.authority}
        settings.configure(**values)
        django.setup()
        call_command("migrate", run_syncdb=True, verbosity=0)
        _sign_in(entra)


def _sign_in(entra: Emulator) -> None:
    from django.contrib.auth import get_user_model

    from tests.visitor import Visitor

    visitor = Visitor(entra)
    status = visitor.sign_in().status_code
    user = get_user_model().objects.get()
    page = visitor.client.get("/private/").status_code
    print(user.mail, user.first_name, user.is_superuser, status, page, sep="\n")


if __name__ == "__main__":
    main()
