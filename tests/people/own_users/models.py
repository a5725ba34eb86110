from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.db import models


class Department(models.Model):
    name = models.CharField(max_length=20)

    class Meta:
        app_label = "own_users"

    def __str__(self):
        return self.name


class Customer(AbstractBaseUser):
    """A user model with its own names, an address that has to be there, and no groups."""

    mail = models.EmailField(unique=True)
    nick = models.CharField(max_length=12, unique=True, null=True)  # noqa: DJ001  unique, and not everybody has one
    number = models.IntegerField(null=True)
    department = models.ForeignKey(Department, on_delete=models.SET_NULL, null=True)
    is_staff = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)

    USERNAME_FIELD = "mail"
    EMAIL_FIELD = "mail"
    REQUIRED_FIELDS = []

    objects = BaseUserManager()

    class Meta:
        app_label = "own_users"


class Member(AbstractBaseUser):
    """A user model with a login, and an address that is unique and never empty."""

    login = models.CharField(max_length=30, unique=True)
    mail = models.EmailField(unique=True)
    is_active = models.BooleanField(default=True)

    USERNAME_FIELD = "login"
    EMAIL_FIELD = "mail"

    objects = BaseUserManager()

    class Meta:
        app_label = "own_users"
