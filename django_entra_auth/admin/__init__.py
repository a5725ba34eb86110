"""The pages of Django's admin for operators: token errors, what is held back, sign-ins."""

from django.contrib import admin

from django_entra_auth.admin.sign_ins import EntraIdentityAdmin, EntraSignInAdmin
from django_entra_auth.admin.token_errors import TokenErrorAdmin
from django_entra_auth.models import EntraIdentity, EntraSignIn, TokenErrorRecord

__all__ = ["EntraIdentityAdmin", "EntraSignInAdmin", "TokenErrorAdmin"]

admin.site.register(TokenErrorRecord, TokenErrorAdmin)
admin.site.register(EntraSignIn, EntraSignInAdmin)
admin.site.register(EntraIdentity, EntraIdentityAdmin)
