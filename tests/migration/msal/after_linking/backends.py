"""Finds the user whose username is the object id, and nobody else."""

import os

from django.contrib.auth import get_user_model

from django_entra_auth.backends import EntraBackend


class LinkingBackend(EntraBackend):
    def link_user(self, claims):
        if claims["tid"] != os.environ["ENTRA_TENANT_ID"]:
            return None
        return get_user_model().objects.filter(username=claims["oid"]).first()
