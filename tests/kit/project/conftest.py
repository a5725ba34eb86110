pytest_plugins = ["django_entra_auth.testing.fixtures"]
