"""What the command's exit status says."""

from __future__ import annotations

OK = 0
ERROR = 1
CHECK_FAILED = 3
NOT_FOUND = 4
CONFLICT = 5
