"""The official layouts of the corpora, as data: how files are named, what the codes mean, where a corpus can be had.

The audio suffix does not matter: a copy in another container keeps the official stems. No two of a corpus' own classes
are merged here.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from export.corpora.labels import LABELS


@dataclass(frozen=True, slots=True)
class Layout:
    """How one corpus names its files, and where it can be had under which licence."""

    name: str
    pattern: re.Pattern[str]  # of a file's stem: groups `speaker`, `label`, perhaps `sentence` and `intensity`
    labels: Mapping[str, str]  # code in the name -> label
    licence: str  # of the recordings, as their publishers state it
    example: str  # an official path inside the corpus
    source: str  # where its publishers give it out
    folder: re.Pattern[str] | None = None  # of the folder a file lies in, where that says speaker or label once more
    speakers: Mapping[str, str] = field(default_factory=dict)  # code -> speaker, where the two differ
    intensities: Mapping[str, str] = field(default_factory=dict)  # code -> intensity in words
    # Stem of a file that its publishers got wrong -> what is wrong; it is left out. A copy that was re-encoded has
    # other bytes, so these are known by their names.
    oddities: Mapping[str, str] = field(default_factory=dict)


def _codes(text: str) -> dict[str, str]:
    """Codes of file names and what they mean.

    >>> _codes("W angry, L boredom")
    {'W': 'angry', 'L': 'boredom'}
    """
    return {code: meaning for code, meaning in (pair.split() for pair in text.split(", "))}


_ONE_RECORDING = (
    *("1006_TIE_HAP_XX", "1006_TIE_NEU_XX"),
    *("1013_WSI_DIS_XX", "1013_WSI_SAD_XX"),
    *("1017_IWW_ANG_XX", "1017_IWW_FEA_XX"),
)

_LAYOUTS = (
    Layout(
        name="tess",
        pattern=re.compile(r"(?P<speaker>OAF|OA|YAF)_(?P<sentence>[A-Za-z]+)_(?P<label>[A-Za-z]+)"),
        labels={label: label for label in LABELS[:-1]} | {"ps": "surprise"},  # "pleasant surprise"
        licence="CC BY-NC-ND 4.0",
        example="OAF_angry/OAF_back_angry.wav",
        source="https://doi.org/10.5683/SP2/E8H2MF",
        folder=re.compile(r"(?P<speaker>OAF|YAF)_(?P<label>[A-Za-z_]+)"),
        speakers={"OA": "OAF"},  # `OA_bite_neutral.wav` lacks a letter
    ),
    Layout(
        name="ravdess",
        pattern=re.compile(r"03-01-(?P<label>\d\d)-(?P<intensity>\d\d)-(?P<sentence>\d\d)-\d\d-(?P<speaker>\d\d)"),
        labels=_codes("01 neutral, 02 calm, 03 happy, 04 sad, 05 angry, 06 fear, 07 disgust, 08 surprise"),
        licence="CC BY-NC-SA 4.0",
        example="Actor_01/03-01-05-01-02-01-01.wav",
        source="https://doi.org/10.5281/zenodo.1188976",
        folder=re.compile(r"Actor_(?P<speaker>\d\d)"),
        intensities={"01": "normal", "02": "strong"},
        oddities={"03-01-03-01-02-02-07": "identical recording"},  # of 03-01-03-01-02-01-07
    ),
    Layout(
        name="emodb",
        pattern=re.compile(r"(?P<speaker>\d\d)(?P<sentence>[ab]\d\d)(?P<label>[A-Z])[a-z]"),
        labels=_codes("W angry, L boredom, E disgust, A fear, F happy, N neutral, T sad"),
        licence="free for research; CC BY 4.0 by second-hand sources",
        example="wav/03a01Wa.wav",
        source="http://emodb.bilderbar.info/",
    ),
    Layout(
        name="emovo",
        pattern=re.compile(r"(?P<label>[a-z]{3})-(?P<speaker>[fm]\d)-(?P<sentence>[a-z]\d)"),
        labels=_codes("rab angry, dis disgust, pau fear, gio happy, neu neutral, tri sad, sor surprise"),
        licence="free for research; CC BY-NC-SA 4.0 by second-hand sources",
        example="f1/rab-f1-b1.wav",
        source="http://voice.fub.it/activities/corpora/emovo/index.html",
        folder=re.compile(r"(?P<speaker>[fm]\d)"),
    ),
    Layout(
        name="nemo",
        pattern=re.compile(r"(?P<speaker>[A-Z]{2}\d)_(?P<label>[a-z]+)_(?P<sentence>\d+)"),
        labels=_codes("anger angry, fear fear, happiness happy, neutral neutral, sadness sad, surprised surprise"),
        licence="CC BY-NC-SA 4.0",
        example="samples/EB0_anger_1.wav",
        source="https://huggingface.co/datasets/amu-cai/nEMO",
        folder=re.compile(r"(?P<speaker>[A-Z]{2}\d)"),
    ),
    Layout(
        name="crema_d",
        pattern=re.compile(
            r"(?P<speaker>10(?:0[1-9]|[1-8]\d|9[01]))_(?P<sentence>[A-Z]{3})_(?P<label>[A-Z]{3})_(?P<intensity>LO|MD|HI|XX?)"
        ),
        labels=_codes("ANG angry, DIS disgust, FEA fear, HAP happy, NEU neutral, SAD sad"),
        licence="ODbL 1.0, contents DbCL 1.0",
        example="AudioWAV/1001_DFA_ANG_XX.wav",
        source="https://github.com/CheyneyComputerScience/CREMA-D",
        intensities=_codes("LO low, MD medium, HI high, XX unspecified, X unspecified"),  # `1040_ITH_SAD_X.wav`
        oddities=dict.fromkeys(_ONE_RECORDING, "one recording under two labels") | {"1076_MTI_SAD_XX": "silent"},
    ),
    Layout(
        name="savee",
        pattern=re.compile(r"(?:(?P<speaker>DC|JE|JK|KL)_)?(?P<label>[a-z]{1,2})(?P<sentence>\d\d)"),
        labels=_codes("a angry, d disgust, f fear, h happy, n neutral, sa sad, su surprise"),
        licence="free for research, on registration",
        example="DC/a01.wav or DC_a01.wav",
        source="http://kahlan.eps.surrey.ac.uk/savee/",
        folder=re.compile(r"(?P<speaker>DC|JE|JK|KL)"),
    ),
)
LAYOUTS: Mapping[str, Layout] = MappingProxyType({layout.name: layout for layout in _LAYOUTS})
