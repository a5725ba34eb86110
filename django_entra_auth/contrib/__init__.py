"""Optional integrations; each needs a package that the app itself does without."""
