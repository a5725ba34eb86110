"""The same move with a backend that links people as they come, in the command's place."""

from tests.migration.msal.after.settings import *  # noqa: F403

AUTHENTICATION_BACKENDS = ["tests.migration.msal.after_linking.backends.LinkingBackend"]
