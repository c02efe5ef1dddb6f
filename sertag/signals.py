"""SIGINT, SIGTERM and SIGHUP end a run cleanly, by one exception that is never handled as the error of a file.

Used by `cli` and `run`. The signals are blocked and a thread waits for them, because an exception out of a signal
handler can be lost (in a finaliser, or where a library catches everything): the thread has it raised again whenever it
was lost, until somebody says that it arrived. Worker processes never get the signals, so that a Ctrl-C in the terminal
is for the parent alone, which ends the workers. A signal that was ignored at the start (`nohup`) stays ignored.
"""

from __future__ import annotations

import signal
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_POKE = signal.SIGUSR1  # from the waiting thread to the main thread
_POKE_EVERY_S = 0.1
_AGAIN_S = 1.0  # after which something must have kept the error to itself


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
    """Have the first of the signals raise `Stopped` in the main thread, the caller's, from here on."""
    wanted = {signum for signum in SIGNALS if signal.getsignal(signum) != signal.SIG_IGN}
    received: list[int] = []
    complain = sys.unraisablehook
    last: weakref.ref[Stopped] | None = None
    raised_s = 0.0

    def stop(signum: int, frame: FrameType | None) -> None:
        nonlocal last, raised_s
        if signum != _POKE:  # a library has lifted the block
            received.append(signum)
        on_its_way = last is not None and last() is not None and time.monotonic() - raised_s < _AGAIN_S
        if not received or on_its_way:  # a second one would cut in two what the first has begun to end
            return
        error, raised_s = Stopped(received[0]), time.monotonic()
        last = weakref.ref(error)
        try:
            raise error
        finally:
            del error  # else this frame and the error keep each other, and it would never be seen to be lost

    def wait() -> None:
        received.append(signal.sigwait(wanted))
        while True:
            signal.pthread_kill(threading.main_thread().ident or 0, _POKE)
            time.sleep(_POKE_EVERY_S)

    def lost(arguments: sys.UnraisableHookArgs) -> None:
        if arguments.exc_type is not Stopped:  # which will be raised again
            complain(arguments)

    sys.unraisablehook = lost
    for signum in (_POKE, *wanted):
        signal.signal(signum, stop)
    signal.pthread_sigmask(signal.SIG_BLOCK, wanted)
    threading.Thread(target=wait, name="sertag-signals", daemon=True).start()


@contextmanager
def blocked() -> Iterator[None]:
    """Keep signals waiting in this thread: for what must not be cut in two, and for processes that must not get any."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, (_POKE, *SIGNALS))
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def handled(act: Callable[[int], object]) -> Iterator[None]:
    """Have the first of the signals call `act` with its number instead of raising `Stopped`.

    A second SIGINT ends the process at once.

    For what ends in order by itself once it is told to. Without `install` nothing is changed.
    """
    if not _is_installed():
        yield
        return
    before = signal.getsignal(_POKE)
    called: list[int] = []

    def call(signum: int, frame: FrameType | None) -> None:
        if not called:  # the waiting thread repeats itself
            called.append(signum)
            act(_received(before))
            if signal.getsignal(signal.SIGINT) != signal.SIG_IGN:
                signal.signal(signal.SIGINT, signal.SIG_DFL)
                signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})

    signal.signal(_POKE, call)
    try:
        yield
    finally:
        signal.signal(_POKE, signal.SIG_IGN if called else before)


def _received(stop: Any) -> int:
    """The signal that the handler of `install` would raise."""
    try:
        stop(_POKE, None)
    except Stopped as stopped:
        return int(stopped.args[0])
    return signal.SIGTERM  # it is on its way to where nobody waits for it


def ignore() -> None:
    """Say that `Stopped` has arrived, or that the rest is short and must not be cut in two; needs `install`."""
    if _is_installed():
        for signum in (_POKE, *SIGNALS):
            signal.signal(signum, signal.SIG_IGN)


def _is_installed() -> bool:
    return signal.getsignal(_POKE) not in (signal.SIG_DFL, signal.SIG_IGN, None)
