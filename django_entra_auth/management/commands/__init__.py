"""Management commands of the app, one module each."""
