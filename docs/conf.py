"""How the documentation is built: Markdown by MyST, code by autodoc, nothing from the network."""

import sys
from importlib import metadata
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent))

import django
from django.conf import settings

# Enough to import every module of the app; no database is asked, no cache, no Entra.
settings.configure(
    SECRET_KEY="documentation-only",  # noqa: S106  it protects nothing
    INSTALLED_APPS=[
        "django.contrib.auth",
        "django.contrib.contenttypes",
        "django.contrib.sessions",
        "django_entra_auth",
    ],
    DATABASES={},
)
django.setup()

project = "django_entra_auth"
author = "the authors of django_entra_auth"
copyright = "%Y, " + author  # noqa: A001  the name Sphinx reads
release = metadata.version("django-entra-conditional-access")
version = ".".join(release.split(".")[:2])

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]
exclude_patterns = ["_build"]
nitpicky = False
# Docstrings write code in single backticks.
default_role = "code"

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3
copybutton_prompt_text = r"\$ |>>> |\.\.\. "
copybutton_prompt_is_regexp = True

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
add_module_names = False
python_maximum_signature_line_length = 88

html_theme = "furo"
html_title = "django_entra_auth"
html_copy_source = False
html_static_path = ["_static"]
html_css_files = ["tables.css"]
