from __future__ import annotations

from pathlib import Path

import pytest

from sertag.cli.config import ConfigError, read, user_file

KINDS: dict[str, tuple[type, ...]] = {
    "jobs": (int,),
    "min-confidence": (float,),
    "strict": (bool,),
    "roles": (list, str),
    "out": (str,),
}


def toml(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "sertag.toml"
    path.write_text(text)
    return path


def test_reads_known_keys_in_both_spellings(tmp_path: Path) -> None:
    path = toml(tmp_path, 'jobs = 3\nmin_confidence = 1\nstrict = true\nroles = ["agent", "customer"]\n')
    assert read(path, kinds=KINDS) == {"jobs": 3, "min-confidence": 1, "strict": True, "roles": ["agent", "customer"]}


def test_unknown_key_names_file_key_and_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"sertag\.toml: unknown key 'min-confidense'; did you mean 'min-confidence'\?"
    ):
        read(toml(tmp_path, "min-confidense = 0.5"), kinds=KINDS)


def test_unknown_key_without_a_near_one_lists_all(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="unknown key 'zzz'; known keys are jobs, min-confidence, out, roles, strict"):
        read(toml(tmp_path, "zzz = 1"), kinds=KINDS)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('jobs = "four"', r"key 'jobs' is 'four' \(a string\), expected an integer"),
        ("jobs = true", r"key 'jobs' is True \(true or false\), expected an integer"),
        ("jobs = 1.5", r"key 'jobs' is 1.5 \(a number\), expected an integer"),
        ('strict = "yes"', "expected true or false"),
        ("roles = [1, 2]", "expected a list of strings or a string"),
        ("[out]\nname = 1", "expected a string"),
        ("jobs = ", "not valid TOML"),
    ],
)
def test_wrong_values_name_file_and_key(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=rf"sertag\.toml: .*{message}"):
        read(toml(tmp_path, text), kinds=KINDS)


def test_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"missing\.toml: No such file"):
        read(tmp_path / "missing.toml", kinds=KINDS)


def test_user_file_follows_xdg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert user_file() is None
    (tmp_path / "sertag").mkdir()
    (tmp_path / "sertag" / "config.toml").write_text("")
    assert user_file() == tmp_path / "sertag" / "config.toml"


def test_user_file_defaults_to_dot_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".config" / "sertag").mkdir(parents=True)
    (tmp_path / ".config" / "sertag" / "config.toml").write_text("")
    assert user_file() == tmp_path / ".config" / "sertag" / "config.toml"
