"""Where the command `sertag` and `python -m sertag` begin: what has to be settled before anything is loaded."""

from __future__ import annotations

import gc
import signal

from sertag.limits import GARBAGE_OBJECTS


def main() -> None:
    """Entry point of the `sertag` command."""
    gc.set_threshold(GARBAGE_OBJECTS)
    # Until `cli` takes the signals over, a Ctrl-C would show a traceback out of the middle of an import.
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from sertag.cli import commands

    commands.main()


if __name__ == "__main__":
    main()
