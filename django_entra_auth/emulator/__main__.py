"""`python -m django_entra_auth.emulator`: run a local Entra until Ctrl-C."""

import functools
import sys

from .cli import main

if __name__ == "__main__":
    write = functools.partial(print, flush=True)
    sys.exit(main(None, write, functools.partial(print, file=sys.stderr)))
