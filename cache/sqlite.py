"""The sqlite-utils library, loaded without the data frames that it imports where pandas is installed; it opens no file."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import cast

# pandas takes a quarter of a second and fifty megabytes, and nothing here stores data frames.
_HIDES_PANDAS = "pandas" not in sys.modules
if _HIDES_PANDAS:
    sys.modules["pandas"] = cast(ModuleType, None)
try:
    from sqlite_utils import Database as Database
    from sqlite_utils.db import Table as Table
finally:
    if _HIDES_PANDAS:
        del sys.modules["pandas"]
