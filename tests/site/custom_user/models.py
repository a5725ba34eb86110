from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.auth.models import PermissionsMixin
from django.db import models


class Employee(AbstractBaseUser, PermissionsMixin):
    """A user model without a username, as many projects have."""

    mail = models.EmailField(unique=True)
    first_name = models.CharField(max_length=20)
    is_active = models.BooleanField(default=True)

    USERNAME_FIELD = "mail"
    EMAIL_FIELD = "mail"

    objects = BaseUserManager()

    class Meta:
        app_label = "custom_user"
