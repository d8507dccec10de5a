"""Features once, then a head: the same numbers as training end to end with a frozen backbone."""

from pathlib import Path

import numpy as np
import pytest

from gfr.config.schema import Backbone, FeatureSet
from gfr.data import images
from gfr.data.dataset import load
from gfr.data.inspection import inspect
from gfr.data.synthetic import generate
from gfr.models import backbone as models_backbone
from gfr.models import feature_extraction, feature_store, fused_model, head, weights
from gfr.models.precision import Choice

NUM_IMAGES, EPOCHS, BATCH, SEED = 64, 3, 16, 1024


@pytest.fixture(scope="module")
def faces(tmp_path_factory):
    """64 synthetic faces."""
    directory = tmp_path_factory.mktemp("faces")
    generate.write(directory, NUM_IMAGES, SEED)
    return inspect(load(directory, "all", SEED).faces, quiet)[0]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "num_train"),
    [
        ("VGG16", 42),  # a last batch of 10, of 6 in validation
        ("InceptionV3", 48),  # whole batches: Keras builds large networks anew for others
        ("InceptionResNetV2", 48),
    ],
)
def test_head_on_cached_features_equals_fit_end_to_end(name, num_train, faces, tmp_path):
    """Loss per epoch within 1e-5, on training and validation, at 128 x 128 over 3 epochs."""
    models_backbone.make_deterministic()
    row = Backbone(name, "tf", "random", name)
    feature_set = FeatureSet(row, (128, 128), "fixed", "float32")
    used = weights.resolve(row, "random", SEED, tmp_path, allow_download=False)
    job = feature_extraction.Job(feature_set, faces, used, "digest", tmp_path)
    choice = Choice(feature_set.id, "float32", "asked for", "means nothing")
    feature_extraction.extract(job, choice, feature_store.WHOLE, "", quiet)
    table = feature_store.read(job.directory("float32"))
    train, validation = np.arange(num_train), np.arange(num_train, NUM_IMAGES)
    scale = weights.calibrate(table.rows(train))
    fit = head.trainer(table, scale, faces.is_male, BATCH)
    _, ours = fit(train, validation, EPOCHS, SEED, quiet)

    pixels = np.stack([images.decode(path).pixels for path in faces.paths()]).astype(np.float32)
    backbone = models_backbone.build(feature_set, Path(used.path))
    whole = fused_model.fuse(backbone, scale, head.build(table.num_dims, SEED))
    whole.compile(optimizer="adam", loss="binary_crossentropy", metrics=["accuracy"])
    truth = faces.is_male.astype(np.float32)[:, np.newaxis]
    theirs = {"loss": [], "val_loss": [], "accuracy": []}
    for epoch in range(EPOCHS):
        order = train[head.batch_order(num_train, SEED, epoch)]
        history = whole.fit(
            pixels[order],
            truth[order],
            batch_size=BATCH,
            shuffle=False,
            verbose=0,
            validation_data=(pixels[validation], truth[validation]),
        ).history
        for key in theirs:
            theirs[key] += history[key]
    assert pytest.approx(theirs["loss"], abs=1e-5) == list(ours.loss)
    assert pytest.approx(theirs["val_loss"], abs=1e-5) == list(ours.val_loss)
    assert pytest.approx(theirs["accuracy"], abs=1e-6) == list(ours.accuracy)
    assert EPOCHS == len(set(ours.loss))  # the equality is not that of two constants


def quiet(done, total):
    """No progress."""
