"""Which recordings are found, in which order, and that nothing on a disk can stop the walk."""

from __future__ import annotations

import io
import os
import socket
from pathlib import Path

import pytest

from sertag.audio.discover import discover, read_list
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


def test_the_same_path_is_taken_once_and_another_name_of_the_file_again(tree: Path) -> None:
    os.link("calls/a.wav", "calls/hard.wav")
    os.symlink("a.wav", "calls/soft.wav")
    found = paths("calls/a.wav", "calls", "calls/a.wav", "./calls/a.wav")
    assert found.count("calls/a.wav") == 1
    assert found[0] == "calls/a.wav"
    assert {"calls/hard.wav", "calls/soft.wav", "./calls/a.wav"} <= set(found)


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


def test_two_links_to_one_directory_are_two_places(tree: Path) -> None:
    os.symlink("2024", "calls/2025")
    assert {"calls/2024/c.flac", "calls/2025/c.flac"} <= set(paths("calls"))


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


def test_a_missing_path_is_a_record(tree: Path) -> None:
    file = only("calls/none.wav")
    assert file.problem is not None
    assert file.problem.code == "not_found"
    assert "calls/none.wav" in file.problem.message
    assert code("") == "not_found"
    assert code("calls/a.wav/b.wav") == "not_found"
    assert code("x" * 5000) == "not_found"


def test_a_zero_byte_in_a_name_is_a_record_that_points_at_the_option() -> None:
    file = only("a.wav\0b.wav")
    assert file.problem is not None
    assert "-0" in file.problem.message
    assert "\0" not in file.problem.message


def test_dangling_links_and_links_to_themselves_are_records(tree: Path) -> None:
    os.symlink("gone.wav", "calls/dangling.wav")
    os.symlink("ring.wav", "calls/ring.wav")
    os.symlink("gone", "calls/no_audio_suffix")
    assert code("calls/dangling.wav") == code("calls/ring.wav") == "dangling_link"
    problems = [file.path for file in discover(["calls"]) if file.problem]
    assert problems == ["calls/dangling.wav", "calls/ring.wav"]


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


def test_a_directory_that_cannot_be_listed_is_a_record(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.listdir  # rights do not bind root, so the refusal is played

    def refuse(path: str) -> list[str]:
        if path == "calls/B":
            raise PermissionError(13, "Permission denied", path)
        return real(path)

    monkeypatch.setattr(os, "listdir", refuse)
    found = list(discover(["calls"]))
    assert [file.path for file in found] == ["calls/2024/c.flac", "calls/B", "calls/a.wav", "calls/b.MP3"]
    assert found[1].problem is not None
    assert found[1].problem.code == "permission_denied"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_rights_are_respected(tree: Path) -> None:
    os.chmod("calls/B", 0)
    assert code("calls/B") == "permission_denied"
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


def test_lists_are_read_by_line_and_by_zero_byte() -> None:
    lines = io.BytesIO(b"a.wav\r\nb c .wav\n\n\xff.wav\n last")
    assert list(read_list(lines, null=False)) == ["a.wav", "b c .wav", "\udcff.wav", " last"]
    zeros = io.BytesIO(b"new\nline.wav\0\0b.wav\r\0last")
    assert list(read_list(zeros, null=True)) == ["new\nline.wav", "b.wav\r", "last"]


def test_long_lists_split_names_nowhere() -> None:
    names = [f"{'d' * 50}/{i}.wav" for i in range(5000)]
    assert list(read_list(io.BytesIO("\0".join(names).encode()), null=True)) == names
