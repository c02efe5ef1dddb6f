"""Which recordings are found, in which order, and that nothing on a disk can stop the walk."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from sertag.audio.discover import AUDIO_SUFFIXES, discover
from sertag.records import AudioFile


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """calls/{a.wav,b.MP3,note.txt,2024/c.flac,B/x.wav/d.ogg}, seen from beside it."""
    for name in ("a.wav", "b.MP3", "note.txt", "2024/c.flac", "B/x.wav/d.ogg"):
        path = tmp_path / "calls" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"12345")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def paths(*arguments: str, include: tuple[str, ...] = (), exclude: tuple[str, ...] = ()) -> list[str]:
    return [file.path for file in discover(arguments, include=include, exclude=exclude)]


def only(*arguments: str) -> AudioFile:
    (file,) = discover(arguments)
    return file


def code(*arguments: str) -> str | None:
    problem = only(*arguments).problem
    return problem.code if problem else None


def test_directories_are_walked_in_bytewise_order_with_paths_as_reached(tree: Path) -> None:
    inside = ["2024/c.flac", "B/x.wav/d.ogg", "a.wav", "b.MP3"]
    assert paths("calls") == [f"calls/{name}" for name in inside]
    assert paths("./calls") == [f"./calls/{name}" for name in inside]
    assert paths("calls/") == [f"calls/{name}" for name in inside]
    assert paths(str(tree / "calls")) == [str(tree / "calls" / name) for name in inside]


def test_arguments_keep_their_order_and_sizes_are_known(tree: Path) -> None:
    assert paths("calls/b.MP3", "calls/a.wav") == ["calls/b.MP3", "calls/a.wav"]
    assert only("calls/a.wav") == AudioFile("calls/a.wav", size_bytes=5)


def test_named_files_are_taken_whatever_their_suffix(tree: Path) -> None:
    assert paths("calls/note.txt") == ["calls/note.txt"]


def test_standard_input_is_not_looked_at() -> None:
    assert only("-") == AudioFile("-")


def test_an_entry_is_taken_once_however_it_is_spelt_and_another_name_of_the_file_again(tree: Path) -> None:
    os.link("calls/a.wav", "calls/hard.wav")
    os.symlink("a.wav", "calls/soft.wav")
    found = paths("calls/a.wav", "calls", "calls/a.wav", "./calls/a.wav", str(tree / "calls/a.wav"))
    assert found[0] == "calls/a.wav"
    assert [path for path in found if path.endswith("a.wav")] == ["calls/a.wav"]
    assert {"calls/hard.wav", "calls/soft.wav"} <= set(found)
    assert paths("./calls/a.wav", "calls")[0] == "./calls/a.wav"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("calls", "calls/2024"), ["calls/2024/c.flac", "calls/B/x.wav/d.ogg", "calls/a.wav", "calls/b.MP3"]),
        (("calls/2024", "calls"), ["calls/2024/c.flac", "calls/B/x.wav/d.ogg", "calls/a.wav", "calls/b.MP3"]),
        (("./calls/B", "calls"), ["./calls/B/x.wav/d.ogg", "calls/2024/c.flac", "calls/a.wav", "calls/b.MP3"]),
        (("calls/2024", "calls/B/../2024", "calls/2024/"), ["calls/2024/c.flac"]),
        (("linked", "calls/2024"), ["linked/c.flac"]),
        (("calls/2024/c.flac", "linked"), ["calls/2024/c.flac"]),
    ],
)
def test_arguments_that_overlap_list_nothing_twice(tree: Path, arguments: tuple[str, ...], expected: list[str]) -> None:
    os.symlink("calls/2024", "linked")
    assert paths(*arguments) == expected


def test_what_one_argument_excludes_another_may_take(tree: Path) -> None:
    """Globs are tried on the path relative to the argument, so nothing is lost by the order of arguments."""
    assert paths("calls", "calls/2024", exclude=("2024/*", "*.MP3", "B")) == ["calls/a.wav", "calls/2024/c.flac"]


def test_include_replaces_the_suffix_filter(tree: Path) -> None:
    assert paths("calls", include=("*.txt",)) == ["calls/note.txt"]
    assert paths("calls", include=("B/*/*.ogg", "*.flac")) == ["calls/2024/c.flac", "calls/B/x.wav/d.ogg"]
    assert paths("calls", include=("*.mp3",)) == [], "globs are case sensitive"


def test_exclude_prunes_files_and_directories_but_not_arguments(tree: Path) -> None:
    assert paths("calls", exclude=("B", "*.MP3")) == ["calls/2024/c.flac", "calls/a.wav"]
    assert paths("calls", exclude=("2024/*",)) == ["calls/B/x.wav/d.ogg", "calls/a.wav", "calls/b.MP3"]
    assert paths("calls/a.wav", exclude=("*",)) == ["calls/a.wav"]


def test_links_to_directories_are_followed_and_loops_survived(tree: Path) -> None:
    os.symlink("../calls", "calls/B/up")
    os.symlink(".", "calls/self")
    (tree / "other").mkdir()
    (tree / "other" / "o.wav").touch()
    os.symlink("../other", "calls/z")
    assert [path for path in paths("calls") if path.endswith(("o.wav", "c.flac"))] == [
        "calls/2024/c.flac",
        "calls/z/o.wav",
    ]


def test_a_directory_that_links_lead_to_as_well_is_listed_by_the_first_way(tree: Path) -> None:
    os.symlink("2024", "calls/2025")
    os.symlink("B", "calls/A")
    assert paths("calls") == ["calls/2024/c.flac", "calls/A/x.wav/d.ogg", "calls/a.wav", "calls/b.MP3"]


def test_links_between_many_directories_do_not_multiply(tree: Path) -> None:
    """Two ways into each of twenty directories would be a million walks."""
    for depth in range(20):
        (tree / "dag" / str(depth)).mkdir(parents=True)
        if depth:
            for name in ("one", "two"):
                os.symlink(f"../{depth}", f"dag/{depth - 1}/{name}")
    (tree / "dag/19/a.wav").touch()
    assert paths("dag/0") == ["dag/0" + "/one" * 19 + "/a.wav"]


def test_a_very_deep_directory_does_not_exhaust_the_stack(tree: Path) -> None:
    descriptors = [os.open(".", os.O_RDONLY)]
    for _ in range(1100):  # one by one, because the whole name is longer than one call takes
        above = descriptors.pop()
        os.mkdir("d", dir_fd=above)
        descriptors.append(os.open("d", os.O_RDONLY, dir_fd=above))
        os.close(above)
    os.close(descriptors.pop())
    found = paths("d", "calls/a.wav")
    for depth in range(1100, 0, -1):  # what cleans up after tests is recursive
        os.rmdir("/".join("d" * depth))
    assert found == ["calls/a.wav"]


def test_what_lies_deeper_than_a_path_can_say_is_a_record(tree: Path) -> None:
    name = "d" * 200
    descriptors = [os.open("calls", os.O_RDONLY)]
    for _ in range(22):  # 4,400 bytes, of 4,096 that the system takes
        os.mkdir(name, dir_fd=descriptors[-1])
        descriptors.append(os.open(name, os.O_RDONLY, dir_fd=descriptors[-1]))
    problems = [file for file in discover(["calls"]) if file.problem]
    for above in reversed(descriptors[:-1]):
        os.rmdir(name, dir_fd=above)
    for descriptor in descriptors:
        os.close(descriptor)
    (file,) = problems
    assert file.problem is not None
    assert file.problem.code == "unreachable_folder"
    assert file.path.startswith(f"calls/{name}/{name}")
    assert "longer than the system takes" in file.problem.message


def test_a_missing_path_is_a_record(tree: Path) -> None:
    file = only("calls/none.wav")
    assert file.problem is not None
    assert file.problem.code == "not_found"
    assert "calls/none.wav" in file.problem.message
    assert code("") == "not_found"
    assert code("calls/a.wav/b.wav") == "not_found"
    assert code("x" * 5000) == "path_too_long"


def test_a_working_folder_that_was_removed_is_no_end(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tree / "gone").mkdir()
    monkeypatch.chdir(tree / "gone")
    (tree / "gone").rmdir()
    assert code("a.wav") == "not_found"
    assert paths(".") == []


def test_a_zero_byte_in_a_name_is_a_record_that_points_at_the_option() -> None:
    file = only("a.wav\0b.wav")
    assert file.problem is not None
    assert "-0" in file.problem.message
    assert "\0" not in file.problem.message


def test_dangling_links_and_links_to_themselves_are_records(tree: Path) -> None:
    os.symlink("gone.wav", "calls/dangling.wav")
    os.symlink("ring.wav", "calls/ring.wav")
    assert code("calls/dangling.wav") == code("calls/ring.wav") == "dangling_link"
    problems = [file.path for file in discover(["calls"]) if file.problem]
    assert problems == ["calls/dangling.wav", "calls/ring.wav"]


@pytest.mark.parametrize(
    ("name", "target", "expected"),
    [
        ("site3", "nowhere/recordings", "unreachable_folder"),
        ("site3", "/mnt/not/mounted", "unreachable_folder"),
        ("site3", "site3", "unreachable_folder"),  # a ring
        ("site3", "../calls/a.wav/inside", "unreachable_folder"),
        ("2024.05", "nowhere", "unreachable_folder"),
        ("pbx.example.com", "nowhere", "unreachable_folder"),
        ("old.wav", "nowhere", "dangling_link"),
        ("notes.txt", "gone.txt", None),
        ("Report.PDF", "/mnt/not/mounted/report.pdf", None),
    ],
)
def test_a_dangling_link_that_may_have_been_a_folder_is_a_record(
    tree: Path, name: str, target: str, expected: str | None
) -> None:
    os.symlink(target, f"calls/{name}")
    problems = {file.path: file.problem for file in discover(["calls"]) if file.problem}
    assert {path: problem.code for path, problem in problems.items()} == (
        {f"calls/{name}": expected} if expected else {}
    )
    for problem in problems.values():
        assert f"calls/{name}: is a link to {target}, which cannot be reached" in problem.message
    assert [file.path for file in discover(["calls"], exclude=(name,)) if file.problem] == []


ERRORS = [errno.EIO, errno.ESTALE, errno.ENOTCONN, errno.EACCES, errno.ELOOP, errno.ETIMEDOUT, errno.ENAMETOOLONG]


def refusing(real: Callable[..., object], refused: str, number: int) -> Callable[..., object]:
    """A system call that fails for one path: rights do not bind root, and volumes cannot be torn out here."""

    def call(path: str, *arguments: object, **more: object) -> object:
        if path == refused:
            raise OSError(number, os.strerror(number), path)
        return real(path, *arguments, **more)

    return call


@pytest.mark.parametrize("number", ERRORS, ids=lambda number: errno.errorcode[number])
@pytest.mark.parametrize("call", ["stat", "scandir"])
@pytest.mark.parametrize("name", ["B", "B/x.wav"])
def test_a_folder_that_cannot_be_looked_into_is_a_record(
    tree: Path, monkeypatch: pytest.MonkeyPatch, call: str, name: str, number: int
) -> None:
    monkeypatch.setattr(os, call, refusing(getattr(os, call), f"calls/{name}", number))
    found = list(discover(["calls"]))
    assert [file.path for file in found] == ["calls/2024/c.flac", f"calls/{name}", "calls/a.wav", "calls/b.MP3"]
    problem = found[1].problem
    assert problem is not None
    assert problem.code == "unreachable_folder"
    assert problem.message.startswith(f"calls/{name}: ")
    assert "no recording in it can be tagged" in problem.message
    assert paths("calls", exclude=("B",)) == ["calls/2024/c.flac", "calls/a.wav", "calls/b.MP3"]


@pytest.mark.parametrize("number", ERRORS, ids=lambda number: errno.errorcode[number])
def test_an_argument_that_cannot_be_looked_at_is_a_record(
    tree: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    codes = {errno.EACCES: "permission_denied", errno.ENAMETOOLONG: "path_too_long"}
    for name, usual in (("calls", "unreachable_folder"), ("calls/a.wav", "unreachable")):
        with monkeypatch.context() as patch:
            patch.setattr(os, "stat", refusing(os.stat, name, number))
            assert code(name) == codes.get(number, usual)
    monkeypatch.setattr(os, "scandir", refusing(os.scandir, "calls", number))
    assert code("calls") == "unreachable_folder"


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES], ids=lambda number: errno.errorcode[number])
def test_a_file_that_cannot_be_looked_at_is_a_record_where_it_is_a_recording(
    tree: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    """The directory says that it is a file, so that a document is no alarm."""
    for name, expected in (("a.wav", ["calls/a.wav"]), ("note.txt", [])):
        with monkeypatch.context() as patch:
            patch.setattr(os, "stat", refusing(os.stat, f"calls/{name}", number))
            assert [file.path for file in discover(["calls"]) if file.problem] == expected


def test_an_entry_that_is_gone_when_it_is_looked_at_is_nothing(tree: Path) -> None:
    (tree / "calls/z").mkdir()
    stream = discover(["calls"])
    next(stream)
    (tree / "calls/z").rmdir()
    assert [file.problem for file in stream] == [None] * 3


def test_an_empty_argument_is_a_record_where_it_is_asked_for(tree: Path) -> None:
    (tree / "empty").mkdir()
    (tree / "calls/empty").mkdir()
    assert paths("empty") == []
    (file,) = discover(["empty"], empty_folders=True)
    assert file.problem is not None
    assert file.problem.code == "empty_folder"
    assert [file.path for file in discover(["calls"], empty_folders=True) if file.problem] == []
    os.symlink("../empty", "calls/volume")
    assert [file.path for file in discover(["calls"], empty_folders=True) if file.problem] == ["calls/volume"]
    assert [file.path for file in discover(["calls"]) if file.problem] == []


def test_own_outputs_are_no_recordings_by_whatever_way_they_are_reached(tree: Path) -> None:
    for name in ("results.csv", "results.csv.lock"):
        Path("calls", name).touch()
    os.symlink("results.csv", "calls/latest")
    os.symlink("calls", "linked")
    own = {os.path.realpath(f"calls/{name}") for name in ("results.csv", "results.csv.lock")}
    arguments = ["linked", "calls/results.csv", "linked/results.csv.lock", "calls/latest"]
    found = [file.path for file in discover(arguments, include=("*",), is_output=own.__contains__)]
    assert found == [f"linked/{name}" for name in ("2024/c.flac", "B/x.wav/d.ogg", "a.wav", "b.MP3", "note.txt")]


@pytest.mark.parametrize(
    "suffix",
    ".mp4 .mkv .mov .webm .3gp .amr .awb .m4v .mka .gsm .ul .ulaw .pcmu .al .alaw .pcma .sln .sln8 .sln16 .sln48 "
    ".slin .g722 .vox".split(),
)
def test_what_phones_and_telephone_systems_write_is_audio(tree: Path, suffix: str) -> None:
    Path("calls", f"z{suffix.upper()}").touch()
    assert suffix in AUDIO_SUFFIXES
    assert paths("calls")[-1] == f"calls/z{suffix.upper()}"


def test_fifos_sockets_and_devices_are_records_and_never_opened(tree: Path) -> None:
    os.mkfifo("calls/fifo.wav")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("calls/socket.wav")
        assert code("calls/socket.wav") == "not_a_file"
    assert code("calls/fifo.wav") == code(os.devnull) == "not_a_file"
    walked = {file.path: file.problem for file in discover(["calls"])}
    fifo = walked["calls/fifo.wav"]
    assert fifo is not None
    assert "FIFO" in fifo.message


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_rights_are_respected(tree: Path) -> None:
    os.chmod("calls/B", 0)
    assert code("calls/B") == "unreachable_folder"
    os.chmod("calls/B", 0o700)


def test_names_hold_any_byte(tree: Path) -> None:
    names = [b"new\nline.wav", b"inv\xffalid.wav", b"-dash.wav", b"=1+1.wav", b'"q",.wav', "☎\x1b[31m.wav".encode()]
    for name in names:
        Path("calls", os.fsdecode(name)).write_bytes(b"1")
    found = {os.path.basename(os.fsencode(path)) for path in paths("calls")}
    assert found >= set(names)
    message = only(os.fsdecode(b"calls/gone\n\x1b\xff.wav")).problem
    assert message is not None
    assert message.message.isprintable()
    assert "\\n\\x1b\\xff" in message.message


def test_the_walk_is_lazy(tree: Path) -> None:
    stream = discover(["calls", "calls/late.wav"])
    next(stream)
    Path("calls/late.wav").write_bytes(b"1")
    assert list(stream)[-1].problem is None
