"""Keep Python's garbage collector from walking through all that a service holds, batch after batch.

A batch makes some hundred thousand objects that live until its commit, and the collector takes so many for a sign that there is something
to find. There is nothing: values hold no cycles and go by themselves. With the collector's usual thresholds a third of the router's time
went into looking (``python -m bench throughput``).
"""

from __future__ import annotations

import gc

# A look at the young objects once in about a batch; at all of them, once in a few hundred.
_THRESHOLDS = (50_000, 20, 20)


def settle() -> None:
    """Take what exists for permanent, and look for garbage more rarely from here on. To be called once, when a process is put together."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_THRESHOLDS)
