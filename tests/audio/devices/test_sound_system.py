"""A sound system that is not there is told in one line, and nothing else is printed."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

import pytest

from sertag.audio.devices.sound_system import DeviceError, backends, check_backend, load_miniaudio, opening


def fail(error: Exception) -> None:
    with opening(load_miniaudio(), "the microphone"):
        os.write(2, b"ALSA lib confmisc.c:855: cannot find card '0'\n")
        raise error


def test_what_libraries_print_is_kept_back(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(DeviceError, match=r"the microphone cannot be opened \(no card -401\)") as error:
        fail(load_miniaudio().MiniaudioError("no card", -401))
    assert error.value.code == "no_device"
    sys.stderr.write("after\n")
    assert capfd.readouterr().err == "after\n"


def test_other_errors_go_on_and_standard_error_is_back(capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ZeroDivisionError):
        fail(ZeroDivisionError())
    os.write(2, b"shown\n")
    assert capfd.readouterr().err == "shown\n"


def test_the_stand_in_is_refused_unless_it_is_wanted() -> None:
    library = load_miniaudio()
    assert backends(library, null=False) is None
    found = library.Devices(backends(library, null=True))
    check_backend(found, "the microphone", null=True)
    with pytest.raises(DeviceError, match="there is no sound system here"):
        check_backend(found, "the microphone", null=False)
    check_backend(SimpleNamespace(backend="ALSA"), "the microphone", null=False)
