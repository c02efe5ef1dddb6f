"""SIGINT, SIGTERM and SIGHUP end a run in order: one exception that nothing on the way takes for a bad file.

Used by `cli` and `run`. The signals are blocked and a thread waits for them, which has two reasons. Worker processes
inherit the block, so that a Ctrl-C in the terminal reaches the parent alone, which ends the workers. And an exception
out of a signal handler can be lost (in a finaliser, or where a library catches everything), so the thread has it raised
again until somebody says that it arrived. A signal that was ignored when sertag started (`nohup`) stays ignored.
"""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_POKE = signal.SIGUSR1  # from the waiting thread to the main thread
_POKE_EVERY_S = 0.3


class Stopped(BaseException):
    """Somebody wants the run to end. Not an `Exception`, so that no handler of errors swallows it."""

    def __init__(self, signum: int) -> None:
        """Remember the signal; a lost terminal (SIGHUP) counts as SIGTERM."""
        super().__init__(signum)
        self.signum = signal.SIGTERM if signum == signal.SIGHUP else signal.Signals(signum)

    @property
    def exit_code(self) -> int:
        """As a shell reports it: 130 or 143."""
        return 128 + self.signum


def install() -> None:
    """Have the first of the signals raise `Stopped` in the main thread, which must be the caller."""
    wanted = {signum for signum in SIGNALS if signal.getsignal(signum) != signal.SIG_IGN}
    received: list[int] = []
    complain = threading.excepthook

    def stop(signum: int, frame: FrameType | None) -> None:
        if signum != _POKE:  # a library has lifted the block
            received.append(signum)
        raise Stopped(received[0])

    def wait() -> None:
        received.append(signal.sigwait(wanted))
        while True:
            signal.pthread_kill(threading.main_thread().ident or 0, _POKE)
            time.sleep(_POKE_EVERY_S)

    def excepthook(arguments: threading.ExceptHookArgs) -> None:
        if not received:  # afterwards the threads of the pool trip over their dying workers
            complain(arguments)

    threading.excepthook = excepthook
    for signum in (_POKE, *wanted):
        signal.signal(signum, stop)
    block()
    threading.Thread(target=wait, name="sertag-signals", daemon=True).start()


def block() -> None:
    """Block the signals in this thread once more, after something has lifted the block; nothing without `install`."""
    if _is_installed():
        signal.pthread_sigmask(signal.SIG_BLOCK, [s for s in SIGNALS if signal.getsignal(s) != signal.SIG_IGN])


def ignore() -> None:
    """Say that `Stopped` has arrived, or that the rest is short and must not be cut in two; see `block`."""
    if _is_installed():
        for signum in (_POKE, *SIGNALS):
            signal.signal(signum, signal.SIG_IGN)


def _is_installed() -> bool:
    return signal.getsignal(_POKE) not in (signal.SIG_DFL, signal.SIG_IGN, None)
