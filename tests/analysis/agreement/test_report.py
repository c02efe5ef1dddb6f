"""What is printed holds the numbers, and the JSON the same ones."""

from __future__ import annotations

import json
from pathlib import Path

from sertag.analysis.agreement.report import document, report, text
from sertag.analysis.agreement.verdicts import Sample, Verdict, match
from tests.analysis.tables import judged, loaded


def test_text_and_document(tmp_path: Path) -> None:
    calls = [judged(f"{index}.wav", (0.95, "angry"), (0.6, "happy"), (0.5, None)) for index in range(60)]
    verdicts = [Verdict(f"{index}.wav", "0", 0.0, True, "angry") for index in range(60)]
    verdicts += [Verdict(f"{index}.wav", "0", 2.0, index % 3 == 0, "happy") for index in range(60)]
    verdicts += [Verdict("0.wav", "0", 4.0, True, None), Verdict("x.wav", "0", 2.0, True, None)]
    verdicts += [Verdict("1.wav", "0", None, False, "angry")]
    table = loaded(tmp_path, calls)
    found = report(table, match(verdicts, table), precision=0.8)
    said = text(found)
    for line in (
        "120 verdicts on windows of 60 calls\nchosen by listeners, so this says nothing about other windows",
        "agreement: 66.7% (95 %: 60.8% to 72.5%), 80 of 120 right\n",
        "1 on rows (see --of)\n1 on windows without an emotion\n",
        "1 on something that is in no table: x.wav channel 0 at 2.000 s\n",
        "                   angry       happy     another\n  angry               60           0           0\n",
        "  0.6-0.7             60         60%         33%     23%-46%\n",
        "precision of 80%: min_confidence = 0.61 (95 %: 0.61 to 0.61)\n",
        "precision there: 100.0% (95 %: 94.0% to 100.0%) on 60 verdicts\n",
        "with an emotion would be left: 60 of 120 windows, 60 of 60 rows\n",
    ):
        assert line in said
    told = json.loads(json.dumps(document(found)))
    assert (told["verdicts"], told["calls"], told["agreement"]["value"]) == (120, 60, 0.6667)
    assert told["missing"] == ["x.wav channel 0 at 2.000 s"]
    assert told["threshold"]["min_confidence"] == 0.61
    assert told["threshold"]["left"]["windows"] == {"left": 60, "of": 120}
    assert [one["verdicts"] for one in told["reliability"]] == [60, 60]


def test_rows_can_be_asked_for_and_nothing_is_said_of_nothing(tmp_path: Path) -> None:
    table = loaded(tmp_path, [judged("a.wav", (0.9, "angry"))])
    verdicts = [Verdict("a.wav", "", 0.0, True, None)]
    found = report(table, match(verdicts, table), precision=0.9, of="rows")
    assert text(found) == (
        "0 verdicts on rows of 0 calls\n1 on windows (see --of)\n\n"
        "precision of 90%: too few verdicts to say; "
        "it takes at least 35 more verdicts and verdicts in 10 more calls\n"
    )
    assert document(found)["agreement"] is None


def test_only_verdicts_on_the_random_sample_count(tmp_path: Path) -> None:
    table = loaded(tmp_path, [judged(f"{index}.wav", (0.95, "angry"), (0.6, "happy")) for index in range(60)])
    worst = [Verdict(f"{index}.wav", "0", 2.0, False, "happy") for index in range(40)]
    drawn = [
        Verdict(f"{index}.wav", "0", 0.0, index % 10 != 0, "angry", Sample("", "1", index + 1 + (index > 20)))
        for index in range(60)
    ]
    other = [Verdict("50.wav", "0", 2.0, True, "happy", Sample("role customer", "1", 1))]
    matched = match([*worst, *drawn, *other], table)
    said = text(report(table, matched, precision=0.8))
    assert said.startswith(
        "60 verdicts on windows of 60 calls\n"
        "a random sample of all windows with an emotion; 1 more were drawn and do not count\n"
        "agreement: 90.0% (95 %: 81.7% to 96.7%), 54 of 60 right\n"
        "41 not of the random sample, left out (see --all)\n"
    )
    assert "55 of 101 right" in text(report(table, matched, precision=0.8, everything=True))
    told = document(report(table, matched, precision=0.8))
    assert (told["random_sample_of"], told["drawn_and_not_judged"], told["not_of_the_sample"]) == ("", 1, 41)
