"""Why Keras refused a file, in one line."""

import pytest

from gfr.errors import reason

WRAPPED = """<class 'keras.src.models.functional.Functional'> could not be deserialized properly. \
Please ensure that components that are Python object instances (layers, models, etc.) returned by \
`get_config()` are explicitly deserialized in the model's `from_config()` method.

config={'module': 'keras.src.models.functional'}.

Exception encountered: Error when deserializing class 'Conv2D' using config={'name': 'conv'}.

Exception encountered: Unrecognized keyword arguments passed to Conv2D: {'newer': None}"""
SENTENCES = (
    "A total of 3 objects could not be loaded. Example error message for object <Conv2D "
    "name=conv, built=True>: Layer 'conv' expected 2 variables, but received 0 variables"
)
CALL = """\x1b[1mException encountered when calling Conv2D.call().\x1b[0m

Negative dimension size caused by subtracting 3 from 1

Arguments received by Conv2D.call():"""


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (WRAPPED, "Unrecognized keyword arguments passed to Conv2D: {'newer': None}"),
        (SENTENCES, "A total of 3 objects could not be loaded"),
        (CALL, "Negative dimension size caused by subtracting 3 from 1"),
        ("Exception encountered: ''no such layer''", "no such layer"),
        ("'no such layer'", "no such layer"),
        ("'x' is not known", "'x' is not known"),
        ("'x' is not 'y'", "'x' is not 'y'"),
        (
            "Unknown layer e.g. Dense " + "word " * 30,
            "Unknown layer e.g. Dense " + "word " * 19 + "…",
        ),
        ("Failed. Cause " + "word " * 30, "Failed. Cause " + "word " * 21 + "…"),
        ("word " * 40, "word " * 24 + "…"),
        ("x" * 300, "x" * 120 + " …"),
        ("", "ValueError"),
    ],
    ids=[
        "wrapped",
        "sentences",
        "call",
        "quoted",
        "once",
        "name",
        "names",
        "e.g.",
        "short",
        "words",
        "one word",
        "empty",
    ],
)
def test_the_cause_is_given_and_no_sentence_is_cut(message, expected):
    """Of messages as Keras 3.15 writes them."""
    assert expected == reason(ValueError(message))
