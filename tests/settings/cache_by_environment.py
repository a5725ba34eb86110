"""The plain shape with the caches that a test names, for processes that a test starts."""

import json
import os

from tests.settings.base import *  # noqa: F403

CACHES = json.loads(os.environ["TEST_CACHES"])
