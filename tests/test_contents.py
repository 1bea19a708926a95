"""The docstring of the package is a table of contents: every public name, with what it says of itself.

`uv run python -m tests.test_contents` writes it anew.
"""

import inspect
import re
import textwrap
from pathlib import Path

import conex_nn as cx

PLACE = Path(cx.__file__)
WIDTH = 120
GROUPS = {
    "Networks": (
        "Neocortex CorticalColumn CorticalLayer Population InputLayer OutputLayer Source SpikeGenerator PoissonInput "
        "SpikeTimes Container Connection Synapsis wire_layer wire_column wire_columns Sequential SequenceDropout"
    ),
    "Neurons": "LIF ELIF AELIF Izhikevich IF LI FromSnnTorch Neuron",
    "What else happens in a population": (
        "KWinners Noise AdaptiveThreshold ActivityHomeostasis VoltageHomeostasis Homeostasis Background PoissonDrive "
        "ConstantDrive Behavior"
    ),
    "Dendrites": "Dendrite Compartment Drive Conductance Pull",
    "Synapses": "Dense OneToOne Sparse Conv2d Local2d Lateral AvgPool2d Synapse Uniform Normal LogNormal",
    "Learning rules": "STDP TripletSTDP Clopath ISTDP RSTDP MSTDP MSTDPET ShiftSTDP Oja BCM",
    "To keep": "save load register LoadWarning keep_memory",
    "Parts, with more names": (
        "encoders data training recording plots plasticity rates bridge testing structure neurons synapses dendrites "
        "surrogate functional"
    ),
}
MARKUP = [
    (r",?\s*:math:`[^`]*`", ""),
    (r":\w+:`(?:~?[\w.]*\.)?(\w+)`", r"\1"),
    ("``", ""),
    (r",? see \w+(?=[;,.])", ""),
    (r":?\.$", ""),
    (r":(?=,|\.|$)", ""),
]


def says(name: str) -> str:
    """The first sentence of a docstring, without markup."""
    summary = " ".join((inspect.getdoc(getattr(cx, name)) or "").partition("\n\n")[0].split())
    sentence = re.split(r"(?<=[^.])\.(?:\s|$)", summary + " ")[0] + "."
    for pattern, plain in MARKUP:
        sentence = re.sub(pattern, plain, sentence)
    return sentence


def contents() -> str:
    """What the docstring has to be after its first line."""
    wide = max(len(name) for name in cx.__all__) + 2
    lines = []
    for title, names in GROUPS.items():
        lines += ["", title]
        for name in names.split():
            lines += textwrap.wrap(
                says(name), WIDTH, initial_indent=f"    {name:{wide}}", subsequent_indent=" " * (4 + wide)
            )
    return "\n".join(lines) + "\n"


def test_every_public_name_is_in_the_table_once():
    named = " ".join(GROUPS.values()).split()
    assert sorted(named) == sorted(cx.__all__)


def test_the_table_is_what_the_names_say_of_themselves():
    _, _, found = (cx.__doc__ or "").partition("\n")
    assert found == contents(), "the docstring of conex_nn is out of date: uv run python -m tests.test_contents"


def test_pydoc_begins_with_it():
    import pydoc

    text = pydoc.plain(pydoc.render_doc(cx))
    assert 0 < text.index("Networks\n") < text.index("PACKAGE CONTENTS")
    assert re.search(r"^ +LIF +Leaky integrate-and-fire neurons$", text, re.MULTILINE)


if __name__ == "__main__":
    head, first, rest = PLACE.read_text().partition("\n")
    _, quotes, code = rest.partition('"""\n')
    PLACE.write_text(head.removesuffix('"""') + first + contents() + quotes + code)
