"""A model file with figures that were measured later: another card and hash, the same network and the same rows."""

from __future__ import annotations

import dataclasses
from importlib import resources
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest

pytest.importorskip("onnx", reason="the extra `export` is not installed")

import onnx

from export.behaviour import behaviour
from export.card import card
from export.errors import ExportError
from export.renew import renew
from sertag.model import load
from sertag.model_file import describe
from sertag.probe import check
from sertag.spec import SPEC_KEY
from tests.export_command import run_export

PHONE = Path(str(resources.files("sertag") / "models" / "phone.onnx"))


def newer(**more: Any) -> dict[str, Any]:
    """The figures that the bundled file has, with something else to tell."""
    return {**describe("phone").spec.metrics["strangers"], "dates": ["2031-02-01"], "commits": ["c0ffee1"], **more}


def stripped(file: Path) -> tuple[bytes, dict[str, str]]:
    """The graph without metadata; the metadata but for the specification."""
    proto = onnx.load(file)
    properties = {entry.key: entry.value for entry in proto.metadata_props if entry.key != SPEC_KEY}
    del proto.metadata_props[:]
    return proto.SerializeToString(), properties


@pytest.mark.parametrize("onto_itself", [False, True])
def test_figures_and_version_change_and_nothing_else(tmp_path, onto_itself):
    before = tmp_path / "phone.onnx"
    before.write_bytes(PHONE.read_bytes())
    out = before if onto_itself else tmp_path / "new.onnx"
    assert renew(before, strangers=newer(), version="9", out=out) == out
    assert stripped(out) == stripped(PHONE)
    old, new = describe("phone"), load(str(out))
    assert new.sha256 != old.sha256
    metrics = MappingProxyType({**old.spec.metrics, "strangers": newer()})
    assert new.spec == dataclasses.replace(old.spec, version="9", metrics=metrics)
    assert check(new) == []
    text = card(new.spec)
    assert "# Model `phone` 9" in text
    assert "Measured 2031-02-01 at c0ffee1." in text


def test_figures_of_other_code_are_refused(tmp_path):
    code = describe("phone").spec.metrics["strangers"]["codes"][0]
    message = f"its figures are of code {code}, the new ones of 0ther; train it anew with `train phone --figures`"
    with pytest.raises(ExportError, match=message) as caught:
        renew(PHONE, strangers=newer(codes=["0ther"]), version="9", out=tmp_path / "new.onnx")
    assert caught.value.code == "bad_figures"
    assert not list(tmp_path.iterdir())


def test_a_file_without_figures_is_refused(tmp_path, tiny_model):
    with pytest.raises(ExportError, match="its figures are of code unknown"):
        renew(tiny_model, strangers=newer(), version="9", out=tmp_path / "new.onnx")


def test_the_same_version_of_another_file_is_refused(tmp_path):
    version = describe("phone").spec.version
    with pytest.raises(ExportError, match=f"is version {version} already; .* another --model-version"):
        renew(PHONE, strangers=newer(), version=version, out=tmp_path / "new.onnx")
    assert not list(tmp_path.iterdir())


def test_the_command_takes_the_figures_of_the_protocol(tmp_path, monkeypatch):
    asked: list[tuple[Path, str]] = []
    monkeypatch.setattr(
        "export.phone_figures.read_figures", lambda place, tags: (asked.append((place, tags)), newer())[1]
    )
    out = tmp_path / "new.onnx"
    figures = ["--figures", tmp_path / "phone.json", "--model-version", "9"]
    done = run_export("renew", PHONE, *figures, "--out", out)
    assert (done.exit_code, done.stdout, done.stderr) == (0, f"{out}\n", "")
    assert asked == [(tmp_path / "phone.json", behaviour("phone"))]
    assert behaviour(str(out)) == behaviour("phone")
    assert describe(str(out)).spec.metrics["strangers"] == newer()


def test_what_are_no_figures_is_one_line(tmp_path):
    figures = ["--figures", tmp_path / "none.json", "--model-version", "9"]
    done = run_export("renew", PHONE, *figures, "--out", tmp_path / "new.onnx")
    assert done.stderr.startswith(f"Error: {tmp_path}/none.json: expected the phone.json of `protocol phone`")
    assert done.exit_code == 1
