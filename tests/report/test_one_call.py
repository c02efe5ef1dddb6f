"""One call in a real browser: its timelines, what plays, and what is said where nothing does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.report.browser import Browser
from tests.report.conftest import A_CALL, made, needs_browser, played_from
from tests.report.tables import ALONE, BOTH, DURATION_S, call, estimated, mixed, write_jsonl

pytestmark = needs_browser


def test_a_click_plays_from_that_second_of_the_recording(opened: Browser) -> None:
    opened.keys("j")
    assert opened.js("document.getElementById('called').textContent") == "2026-03-02_a.wav"
    assert opened.js("audio.getAttribute('src')") == A_CALL
    box = opened.js("(({left, top, width, height}) => [left, top, width, height])(timeline.getBoundingClientRect())")
    wanted_s = 12.0
    place = {"clientX": box[0] + box[2] * wanted_s / DURATION_S, "clientY": box[1] + 0.7 * box[3], "bubbles": True}
    opened.js("timeline.dispatchEvent(new MouseEvent('click', arguments[0]))", place)
    assert played_from(opened) == pytest.approx(wanted_s, abs=0.1)
    opened.keys(" ")
    opened.until("audio.paused")
    before = opened.js("audio.currentTime")
    opened.keys("\ue012")  # arrow left
    opened.until(f"Math.abs(audio.currentTime - {before - 5}) < 0.2")


def test_space_plays_at_the_worst_second_and_n_goes_to_the_next_negative_window(opened: Browser) -> None:
    opened.keys("j")
    opened.keys("n")
    assert played_from(opened) == 6  # the row's peak is at 6 s, and there a negative window begins
    assert opened.texts("#question") == ["Is “angry” right for customer, 0:06\u20130:10?"]
    opened.keys("n")
    assert opened.texts("#said") == ["No further negative window."]


def test_what_browsers_do_not_play_is_said_and_played_from_the_page(opened: Browser, page: Path, folder: Path) -> None:
    opened.open(made(folder, "bare.html", str(folder / "r.jsonl")), "#call=cut.wav")
    said = opened.texts("#sound")[0]
    assert "Browsers do not play this recording: it is a WAV file with IMA ADPCM. sertag report … --embed-audio" in said
    assert opened.js("audio.hidden") is True
    opened.open(page, "#call=cut.wav")
    assert opened.texts("#sound") == ["0:00 to 0:16 are in this page"]
    opened.keys(" ")
    assert played_from(opened) == 6  # the row's peak
    opened.js("audio.pause()")
    opened.js("timeline.dispatchEvent(new MouseEvent('click', {clientX: timeline.getBoundingClientRect().right - 2}))")
    assert opened.texts("#said") == ["That second is not in this page."]


def test_a_recording_that_is_gone_is_said_and_everything_else_works(
    chromium: Browser, folder: Path, page: Path
) -> None:
    table = write_jsonl(folder / "gone.jsonl", [call("gone.wav", attention=0.5), call(A_CALL, attention=0.4)])
    later = made(folder, "gone.html", table)
    chromium.open(later)
    chromium.keys("j")
    assert "not found when the page was made: gone.wav" in chromium.texts("#sound")[0]
    (folder / A_CALL).rename(folder / "moved.wav")
    try:
        chromium.keys("j")
        chromium.keys(" ")
        chromium.until("document.getElementById('sound').textContent.includes('moved, deleted')")
        assert chromium.js("document.querySelectorAll('#timeline .wave').length") == 2
        chromium.open(page)  # which has the worst seconds inside
        chromium.keys("j")
        chromium.keys(" ")
        chromium.until("audio.src.startsWith('data:') && audio.currentTime > 0")
        assert "moved, deleted or cut" in chromium.texts("#sound")[0]
    finally:
        (folder / "moved.wav").rename(folder / A_CALL)
    chromium.log()  # the browser itself says that a file is not there


def test_windows_are_a_table_for_those_who_do_not_see_the_timeline(opened: Browser) -> None:
    opened.keys("j")
    opened.js("document.getElementById('list').open = true")
    opened.until("document.querySelectorAll('#windows tbody tr').length")
    lines = opened.texts("#windows tbody tr")
    assert lines[1] == "0:00customerangry 70 %50 %-20 dBFS"
    assert len(lines) == 7
    opened.js("document.querySelectorAll('#windows button')[3].click()")
    assert played_from(opened) == 2


def test_emotions_have_a_colour_a_hatch_and_a_letter(opened: Browser) -> None:
    opened.keys("j")
    fills = opened.js("[...document.querySelectorAll('#timeline rect[fill]')].map((e) => e.getAttribute('fill'))")
    assert {"url(#h-neg0)", "url(#h-neu0)", "url(#h-unsure)"} <= set(fills)
    assert opened.js("document.querySelectorAll('#h-neg0 .hatch').length") == 1
    assert {"angry", "neutral"} <= set(opened.texts("#timeline .letter"))


def test_whoever_has_no_keys_has_buttons(opened: Browser) -> None:
    opened.click("#worst a")
    opened.click("#negative")
    assert played_from(opened) == 6
    opened.click("#back")
    opened.until("window.sought < 6")
    opened.click("#next")
    assert opened.texts("#called") == ["script><img onerror=alert(1) src=x>.wav"]
    opened.click("#previous")
    opened.click("#close")
    assert opened.js("document.getElementById('call').hidden") is True
    assert opened.js("document.activeElement.dataset.row") == "1"  # where it was left
    unused = "[...document.querySelectorAll('button[id], #q')].filter((e) => !e.matches('[aria-keyshortcuts]'))"
    assert opened.js(f"{unused}.map((e) => e.id)") == ["save", "clear", "whole"]


def test_whoever_opens_a_call_by_keyboard_is_in_it(opened: Browser) -> None:
    opened.js("document.querySelector('#rows .link').focus()")
    opened.keys("\ue007")  # enter
    assert opened.js("document.activeElement.id") == "call"
    opened.keys("\ue004")  # tab, to the first button
    assert opened.js("document.activeElement.id") == "previous"
    opened.keys("\ue00c")
    assert opened.js("document.activeElement.dataset.row") == "1"
    opened.js("document.querySelector('#worst a').click()")
    opened.until("document.activeElement.id === 'call'")


def test_every_control_has_a_name(opened: Browser) -> None:
    opened.keys("j")
    found = opened.spoken("button", "link", "slider", "combobox", "searchbox", "Audio", "complementary", "dialog")
    assert {"2026-03-02_a.wav", "Position in the call", "Recording", "Next row", "Colours"} <= set(found)
    assert "" not in found


def test_dimensions_are_curves_columns_and_words(opened: Browser, folder: Path) -> None:
    results = estimated(mixed(), labels=True)
    opened.open(made(folder, "both.html", write_jsonl(folder / "both.jsonl", results, origin=BOTH)))
    opened.click("#heads [data-key=d_arousal] button")
    assert opened.texts("#heads [aria-sort=descending]") == ["arousal"]
    assert opened.texts("#rows tr:nth-child(2) td:nth-child(6)") == ["3.00"]
    opened.keys("j")
    opened.keys("n")
    assert opened.texts("#readout") == [
        "0:06\u20130:10 customer: angry 70 %, arousal 4.00, depth 0.25, -23 dBFS, speech in 50 %"
    ]
    assert "arousal" in opened.texts("#timeline text")
    assert "arousal 3.00" in opened.texts("#channels .picked")[0]
    shapes = opened.js("[...document.querySelectorAll('#timeline .wave')].map((e) => e.getBBox().height)")
    assert len(shapes) == 6  # sound and two dimensions of each channel
    opened.js("document.getElementById('list').open = true")
    opened.until("document.querySelectorAll('#windows tbody tr').length")
    assert opened.texts("#windows thead tr") == ["FromChannelEmotionConfidencearousaldepthSpeechLevel"]
    assert opened.texts("#windows tbody tr")[1] == "0:00customerangry 70 %1.000.2550 %-20 dBFS"


def test_a_model_without_labels_has_nothing_to_judge(opened: Browser, folder: Path) -> None:
    results = estimated(mixed(), labels=False)
    opened.open(made(folder, "alone.html", write_jsonl(folder / "alone.jsonl", results, origin=ALONE)))
    opened.keys("j")
    opened.keys("y")
    assert opened.texts("#said") == ["No label to judge for agent, the whole call (ok)."]
    opened.keys("r")
    assert opened.texts("#said") == ["The sample is complete."]
    assert opened.js("document.getElementById('said').checkVisibility({opacityProperty: true})") is True
    opened.js("document.getElementById('list').open = true")
    opened.until("document.querySelectorAll('#windows tbody tr').length")
    assert opened.texts("#windows tbody tr")[0] == "0:00agentspeech1.000.2550 %-20 dBFS"
