"""Names and reasons that are attacks: shown as they are, never obeyed by a page or a terminal."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
import records
from html_page import Document, full_run, page, summary_md
from markdown_it import MarkdownIt
from records import FACES, SPLITS

from gfr import text as gfr_text
from gfr.export import model_card
from gfr.report import markdown
from gfr.report.analysis import analyse
from gfr.report.sections import regression
from gfr.results import records as results_records
from gfr.results import status

WORDS = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "</title></style></script><svg onload=alert(1)>",
    "<!-- ",
    '" onmouseover="alert(1)',
    "&lt;b&gt; &#60;b&#62; &amp;amp;",
    "[click](javascript:alert(1))",
    "![x](http://evil.example/x.png)",
    "[a]: http://evil.example",
    "<http://evil.example>",
    "a|b||c|",
    "back\\",
    "\\|\\`\\*",
    "`code`",
    "```",
    "a ` b",
    "**bold** *it* _it_ __bold__",
    "*",
    "# heading",
    "line\nbreak",
    "\n\n# heading\n\n- item\n",
    "carriage\rreturn \u2028 \u2029 \x85 \x0b \x0c",
    "\x1b[2J\x1b]0;title\x07\x1b[31mred",
    "\x00\x08\x7f\x9b31m",
    "moc.\u202egnp.exe\u2066",
    "zero\u200bwidth\ufeff",
    "-->",
    "{{7*7}} ${7*7} $(id) %s %n {0}",
    "=cmd|' /C calc'!A0",
    "- item",
    "1. item",
    "> quotation",
    "=====",
    "~~~",
    "x" * 3_000,
]


def repr_of(word):
    """A short name of a case."""
    return ascii(word)[:40]


HARMLESS = "word"


def spoken(word, directory=Path("reports/runs/r")):
    """A run whose every word from outside is this one, with its Analysis."""
    run = full_run(directory)
    record = run.record
    data = replace(
        record.data, source="celeba", directory=word, dropped={word: word}, converted={word: 2}
    )
    hardware = replace(record.hardware, cpu_model=word, cpu_architecture=word, gpu_note=word)
    provenance = replace(
        record.provenance, git_commit=word, python=word, platform=word, versions={word: word}
    )
    weights = tuple(replace(row, why=word, note=row.note and word) for row in record.weights)
    choices = tuple(replace(row, why=word) for row in record.choices)
    trials = tuple(_spoken_of(row, word) for row in run.trials[:3])
    record = replace(
        record,
        command=word,
        data=data,
        hardware=hardware,
        provenance=provenance,
        weights=weights,
        choices=choices,
    )
    failed = results_records.Failure(3, run.trials[3].trial, word)
    judged = records.verdict(run, word, word)
    judged = replace(judged, reason=word, changes=(word,), new_baseline=word)
    run = replace(run, record=record, trials=trials, failures=(failed,), verdict=judged)
    faces = replace(FACES, table=FACES.table.rename(columns={"Young": word, "Bald": word * 2}))
    found = analyse(run, faces, SPLITS)
    hard = tuple(replace(row, name=word) for row in found.hard)
    return run, replace(found, hard=hard)


def _spoken_of(result, word):
    features = replace(result.features, note=result.features.note and word)
    parts = tuple(
        replace(row, worker=word, hardware=replace(row.hardware, cpu_model=word))
        for row in features.parts
    )
    return replace(result, features=replace(features, parts=parts), worker="other/2")


def shown(text):
    """As GitHub and most readers show it: tags in order, addresses, text."""
    html = MarkdownIt("commonmark").enable("table").render(text)
    return Document(re.sub(r' style="text-align:\w+"', "", html))


@pytest.fixture(scope="module")
def harmless():
    """The same pages with a harmless word."""
    run, found = spoken(HARMLESS)
    return shown(summary_md(run, found)), Document(page(run, found))


@pytest.mark.parametrize("word", WORDS, ids=repr_of)
def test_a_word_from_outside_is_text_on_both_pages(harmless, word):
    """summary.md and summary.html have the tags of a harmless page, and show the word."""
    run, found = spoken(word)
    pages = shown(summary_md(run, found)), Document(page(run, found))
    for expected, found in zip(harmless, pages, strict=True):
        assert expected.tags == found.tags
        assert expected.addresses == found.addresses
        words = "".join(found.words)
        as_told = " ".join(gfr_text.line(word).split())
        assert words.count(HARMLESS) or as_told[:50] in " ".join(words.split())


@pytest.mark.parametrize("word", WORDS, ids=repr_of)
def test_a_word_from_outside_does_nothing_to_a_terminal(word, tmp_path):
    """What commands print holds no character that a terminal obeys."""
    run, _ = spoken(word)
    past = status.PastRun("r", "full", "", word, 1, 0, "", f"unreadable: {word}")
    cached = status.Cached(word, True, 1)
    listed = status.Inventory("full", (word,), (word,), (cached,), (past,))
    for text in (regression.text(run.verdict), status.text(listed), gfr_text.lines(word)):
        assert all(line.isprintable() for line in text.split("\n"))


def test_printable_words_stay_as_they_are():
    """Letters of any script, signs, spaces."""
    for word in ("Ä ß 顔 😀 é", "a b", "5_o_Clock_Shadow", r"C:\faces"):
        assert word == gfr_text.line(word)
    assert r"\x1b[31m\n\u202e\ud800" == gfr_text.line("\x1b[31m\n\u202e\ud800")
    for word in ("5_o_Clock_Shadow (new) [1, 2] -> 3", "002153.jpg", "4.22.0", ".5"):
        assert word == markdown.text(word)


@pytest.mark.parametrize("word", WORDS, ids=repr_of)
def test_a_model_card_shows_title_and_notes_as_text(word):
    """The card as people read it; the page takes its JSON as text content alone."""
    run = records.run()
    weights = replace(run.trials[1].features.weights, note=word)
    result = run.trials[1]
    cards = []
    for note in (HARMLESS, word):
        noted = replace(result.features, weights=replace(weights, note=note))
        card = model_card.facts(run, replace(result, features=noted), records.export(run))
        cards.append(shown(model_card.render(card | {"title": note})))
    assert cards[0].tags == cards[1].tags
