"""The model card's header, read back as the Hugging Face Hub's own package reads it."""

from dataclasses import replace

import pytest
import records
import yaml
from huggingface_hub import ModelCard, ModelCardData

from gfr.data.download import catalog
from gfr.export import model_card
from gfr.storage.paths import ROOT

CELEBA = catalog.load(ROOT / "benchmarks" / "sources.toml").huggingface.repository


def card_of(data, weights):
    """The card of a trial with 88 of 100 test images right, trained on this with these weights."""
    run = records.run()
    run = replace(run, record=replace(run.record, data=replace(run.record.data, source=data)))
    result = run.trials[1]
    features = result.features
    features = replace(features, weights=replace(features.weights, source=weights))
    return model_card.facts(run, replace(result, features=features), records.export(run))


NO_LICENCE = {"license": "unknown", "license_name": None, "datasets": None}


@pytest.mark.parametrize(
    ("data", "weights", "tags", "expected", "dataset"),
    [
        (
            "celeba",
            "imagenet",
            ["celeba", "imagenet"],
            {
                "license": "other",
                "license_name": "celeba-non-commercial-research",
                "datasets": [CELEBA],
            },
            (CELEBA, "CelebA"),
        ),
        (
            "synthetic",
            "random",
            ["synthetic-data", "random-weights"],
            NO_LICENCE,
            ("synthetic-faces", "synthetic faces (model with RANDOM backbone weights)"),
        ),
        (
            "csv",
            "own",
            ["own-images", "own-weights"],
            NO_LICENCE,
            ("own-images", "own images (model with the owner's own backbone file)"),
        ),
    ],
)
def test_the_hub_reads_what_was_recorded(data, weights, tags, expected, dataset):
    """Licence, tags, data set and every result, unrounded; the card's text follows."""
    card = card_of(data, weights) | {"uncertain_share": 1 / 3}
    read = ModelCard(model_card.render(card))
    assert "VGG16 / iteration 2" == read.data.model_name
    assert "image-classification" == read.data.pipeline_tag
    assert expected == {key: read.data.get(key) for key in expected}
    assert ["face", "gender-recognition", "tensorflowjs", *tags] == read.data.tags
    found = read.data.eval_results
    assert {(*dataset, "test", False)} == {
        (row.dataset_type, row.dataset_name, row.dataset_split, row.verified) for row in found
    }
    # 88 of 100; the uint16 files have 90 right; 60 of 100 test images show women.
    assert [
        ("accuracy", 0.88),
        ("loss", 0.5),
        ("accuracy", 0.9),
        ("majority_class_accuracy", 0.6),
        ("uncertain_share", 1 / 3),
    ] == [(row.metric_type, row.metric_value) for row in found]
    interval = "n = 100, Wilson's 95% interval 0.802 to 0.930"
    assert f"Test accuracy ({interval})" == found[0].metric_name
    assert {"num_images": 100, "data_sha256": records.DATA.digest} == found[0].dataset_args
    assert read.text.startswith("# VGG16 / iteration 2\n\n")


@pytest.mark.parametrize(
    ("data", "weights", "expected"),
    [
        (
            "celeba",
            "imagenet",
            ["non-commercial research only", "how a person identifies", "ImageNet"],
        ),
        ("synthetic", "random", ["no real face was seen", "weights are random"]),
        ("csv", "own", ["for their owner to say", "owner's own model file"]),
    ],
)
def test_limits_and_licence_are_of_the_data_and_weights_that_were_used(data, weights, expected):
    """A model of drawn faces and random weights knows neither CelebA nor ImageNet."""
    text = ModelCard(model_card.render(card_of(data, weights))).text
    assert all(words in text for words in expected)
    if data == "synthetic":
        assert "ImageNet" not in text and "commercial" not in text


def test_the_hubs_package_writes_the_same_header_again():
    """What it made of the header has no key less and no value changed."""
    text = model_card.render(card_of("celeba", "imagenet"))
    again = ModelCardData(**ModelCard(text).data.to_dict()).to_yaml()
    assert yaml.safe_load(text.split("---\n")[1]) == yaml.safe_load(again)


def test_a_model_no_better_than_a_constant_answer_says_so_beside_its_accuracy():
    """62 of 100 right where one answer has 60; both numbers are in the header."""
    run = records.run()
    text = model_card.render(model_card.facts(run, run.trials[3], records.export(run)))
    accuracy, *_ = ModelCard(text).data.eval_results
    assert 0.62 == accuracy.metric_value
    assert "not shown to be better than the majority class" in accuracy.metric_name


@pytest.mark.parametrize(
    "title",
    [
        "a: 'b' \"c\" # d\n---\n# e\n- f: {g\n",
        "\x1b[2J\x00\u202e\ud800",
        "!!python/object:os.system",
    ],
)
def test_a_hostile_title_is_one_value_of_the_header(title):
    """Line breaks, dashes, quotes, control characters: the same keys, and nothing in the text."""
    card = card_of("celeba", "imagenet")
    harmless, hostile = (
        ModelCard(model_card.render(card | {"title": row})) for row in ("a", title)
    )
    assert harmless.data.model_name == "a"
    hostile_name = hostile.data.model_name
    assert hostile_name.isprintable() and len(hostile_name) >= len(title)
    hostile.data.model_name = "a"
    assert harmless.data.to_dict() == hostile.data.to_dict()
    assert harmless.text.split("\n")[1:] == hostile.text.split("\n")[1:]
