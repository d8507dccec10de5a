"""summary.html of records made by hand, and what it consists of.

In: records (tests/records.py). Out: a run with all that a report can show, its page as text, its
tags, addresses and tables. Never: opens a browser.
"""

from dataclasses import replace
from html.parser import HTMLParser

import records
from PIL import Image
from records import FACES, IS_MALE, SPLITS

from gfr.config.schema import Refit
from gfr.data import images
from gfr.evaluation import metrics
from gfr.evaluation.metrics import History
from gfr.report import contents, html, markdown, thumbnails
from gfr.report.analysis import analyse
from gfr.report.section import Report
from gfr.results.records import RefitResult


class Document(HTMLParser):
    """What a page consists of: tags, addresses, tables of plain cells, style and script."""

    def __init__(self, text):
        """Read it."""
        super().__init__()
        self.tags, self.addresses, self.tables, self.raw = [], [], [], {}
        self.words, self.is_in_cell = [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        """Keep the tag and where it points to."""
        self.tags.append(tag)
        names = ("src", "href", "srcset", "data", "poster", "action", "xlink:href")
        self.addresses += [value for name, value in attributes if name in names]
        assert not [name for name, _ in attributes if name.startswith("on") or name == "style"]
        if tag == "table":
            self.tables.append([])
        elif tag == "tr":
            self.tables[-1].append([])
        elif tag in ("td", "th"):
            self.tables[-1][-1].append("")
            self.is_in_cell = True

    def handle_endtag(self, tag):
        """Leave a cell."""
        self.is_in_cell &= tag not in ("td", "th")

    def handle_data(self, data):
        """Keep text where it stands."""
        if self.tags[-1:] and self.lasttag in ("style", "script") and self.lasttag not in self.raw:
            self.raw[self.lasttag] = data
            return
        self.words.append(data)
        if self.is_in_cell:
            self.tables[-1][-1][-1] += data


def learnt(result):
    """The trial with curves that move, other seeds, another split and fewer training images."""
    epochs = result.trial.iteration.epochs
    losses = tuple(0.7 / (1 + epoch) for epoch in range(epochs))
    shares = tuple(0.9 - 0.3 / (1 + epoch) for epoch in range(epochs))
    few = metrics.metrics(records.logits(50, "train")[:60], IS_MALE["train"][:60])
    refits = [
        *(Refit("seed", seed, "random", 1024, 1.0) for seed in (1025, 1026)),
        Refit("split", 1024, "random", 1025, 1.0),
        Refit("rule", 1024, "identity", 1024, 1.0),
        Refit("fraction", 1024, "random", 1024, 0.5),
    ]
    found = [
        RefitResult(
            refit,
            result.metrics
            | {"test": records.metrics(80 + number, 100)}
            | ({"train": few} if refit.changed == "fraction" else {}),
        )
        for number, refit in enumerate(refits)
    ]
    history = History(losses, shares, losses, shares)
    return replace(result, history=history, refits=tuple(found))


def full_run(directory):
    """Four trials with everything that a report can show, but for an export."""
    found = records.run(directory)
    asked = found.record.benchmark
    asked = replace(
        asked,
        data=replace(asked.data, splits=2),
        training=replace(asked.training, seeds=3, fractions=(0.5,)),
    )
    data = replace(found.record.data, has_identity=True)
    record = replace(found.record, benchmark=asked, data=data)
    return replace(found, record=record, trials=tuple(map(learnt, found.trials)))


def report_of(run, analysis=None, faces=None, published=None):
    """The report of a run; without pictures unless `faces` has them."""
    analysis = analysis or analyse(run, FACES, SPLITS)
    small = thumbnails.of(faces, analysis.shown) if faces else {}
    return Report(run, analysis, published, small)


def summary_md(run, analysis=None, published=None):
    """summary.md as text."""
    report = report_of(run, analysis, published=published)
    return markdown.document(report.title, contents.of(report), "figures")


def page(run, analysis=None, faces=None, folder=""):
    """summary.html as text."""
    report = report_of(run, analysis, faces)
    return html.document(report.title, contents.of(report), report.thumbnails, folder)


def at_hand(directory):
    """The faces of the records as images that exist, each of one colour."""
    directory.mkdir()
    digests = []
    for number, name in enumerate(FACES.names):
        picture = Image.new("RGB", (178, 218), (number % 256, 90, 120))
        picture.save(directory / name, "JPEG")
        digests.append(images.sha256(images.decode(directory / name).pixels))
    return replace(FACES, image_dir=directory, table=FACES.table.assign(pixels_sha256=digests))
