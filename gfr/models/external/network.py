"""Networks from elsewhere as Keras layers: scaled float32 (N, H, W, 3) -> float32 (N, ...).

TensorFlow's own are part of the graph; the others run in their runtime, called from the graph.
"""

import functools
import importlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from gfr.config.scaling import BGR, Scaling, title
from gfr.errors import InputError
from gfr.models.external import base, files, keras_file, litert, onnx, openvino, saved_model

_ANY_SIDE_PX = 224  # of an image with which the output of a network for any size is looked up


def load(path: Path, input: str = "", output: str = "") -> keras.layers.Layer:
    """Load a network from elsewhere; InputError if it cannot be loaded or takes no RGB images.

    Returns:
        A layer, or a model of Keras, with `size` (height, width; None: any), `output_size` (the
        last side of its output), `num_parameters` and `runtime`.
    """
    files.require_runtime(path)
    found = files.kind(path)
    if found.name != "keras":
        return ExternalNetwork(str(path), input, output, name="network")
    network = keras_file.load(path, input, output)
    takes, gives = getattr(network, "inputs", []), getattr(network, "outputs", [])
    is_image = len(takes) == 1 and len(takes[0].shape) == 4
    network.size = tuple(takes[0].shape[1:3]) if is_image else (None, None)
    network.output_size = gives[0].shape[-1] if gives else None
    network.num_parameters = network.count_params() if gives else 0
    network.runtime = found.runtime
    return network


@keras.saving.register_keras_serializable("gfr")
class ExternalNetwork(keras.layers.Layer):
    """The network in a file that is not Keras' own; it has no weights that Keras knows of.

    `size`: the height and width that the file takes; None: any. `is_single`: whether it takes one
    image at a time. `is_exportable`: whether it can be saved as part of a TensorFlow graph.
    """

    def __init__(self, file: str, input: str = "", output: str = "", **others: Any) -> None:
        """Load the file, with the names of its nodes where it has several."""
        super().__init__(**others)
        self.file, self.nodes, path = file, (input, output), Path(file)
        found = files.kind(path)
        self.runtime, self.is_exportable = found.runtime, found.runtime == files.TENSORFLOW
        self._may_compute_channels_first = found.name in ("onnx", "openvino")
        self._network = _LOADERS[found.name](path, input, output)
        self.num_parameters = self._network.num_parameters
        shape = self._network.input_shape
        if not self._may_compute_channels_first and shape[1:] == (None, None, None):
            shape = (shape[0], None, None, 3)  # of TensorFlow's formats, whose channels come last
        self.size, self.is_channels_first = _layout(path, shape)
        self.is_single = self._network.input_shape[0] == 1
        self._output_shape = functools.cache(self._find_output_shape)

    @property
    def takes_integers(self) -> bool:
        """Whether the file takes uint8 pixels, to which scaled ones are rounded."""
        return self._network.dtype == "uint8"

    @property
    def output_size(self) -> int:
        """The last side of the output; 1 if it is a number an image."""
        height, width = self.size
        sides = self._output_shape(height or _ANY_SIDE_PX, width or _ANY_SIDE_PX)
        return sides[-1] if sides else 1

    def call(self, images: tf.Tensor) -> tf.Tensor:
        """Compute float32 (N, H, W, 3), scaled -> float32 (N, ...), channels last."""
        return self.arranged(self._run(images), images.shape)

    def arguments(self, images: tf.Tensor) -> tf.Tensor:
        """Return images float32 (N, H, W, 3), scaled, in the layout and type of the file."""
        if self.is_channels_first:
            images = tf.transpose(images, (0, 3, 1, 2))
        if self.takes_integers:
            images = tf.clip_by_value(tf.round(images), 0, 255)
        return tf.cast(images, self._network.dtype)

    def arranged(self, output: tf.Tensor, shape: base.Shape) -> tf.Tensor:
        """Return what the file gives for images of a shape as float32 (N, ...), channels last."""
        output = tf.cast(output, tf.float32)
        height, width = shape[1:3]
        found = self._output_shape(height or _ANY_SIDE_PX, width or _ANY_SIDE_PX)
        sides: base.Shape = found
        if self._is_output_channels_first(found, (height, width)):
            output = tf.transpose(output, (0, 2, 3, 1))
            sides = (*sides[1:], sides[0])
        if None in (height, width) and len(sides) > 1:
            sides = (*[None] * (len(sides) - 1), sides[-1])
        output.set_shape((shape[0], *sides))
        return output

    def output_spec(self, height: int, width: int) -> tf.TensorSpec:
        """Return shape and type of what the file gives for images of a size."""
        sides = self._output_shape(height, width)
        return tf.TensorSpec((1 if self.is_single else None, *sides), self._network.output_dtype)

    def get_config(self) -> dict[str, Any]:
        """Return what the layer is built from."""
        input, output = self.nodes
        return {**super().get_config(), "file": self.file, "input": input, "output": output}

    def _run(self, images: tf.Tensor) -> tf.Tensor:
        """Return the output in the layout of the file."""
        images = self.arguments(images)
        if not self.is_exportable:
            return tf.numpy_function(self._arrays, [images], tf.float32, stateful=False)
        if not self.is_single:
            return tf.cast(self._network.run(images), tf.float32)
        shape = self._network.output_shape[1:] if self._network.output_shape else None
        return tf.map_fn(
            lambda image: tf.cast(self._network.run(image[None])[0], tf.float32),
            images,
            fn_output_signature=tf.TensorSpec(shape, tf.float32),
        )

    def _arrays(self, images: np.ndarray) -> np.ndarray:
        parts = [images[k : k + 1] for k in range(len(images))] if self.is_single else [images]
        outputs = [self._network.run(part) for part in parts]
        return np.concatenate(outputs).astype(np.float32, copy=False)

    def _find_output_shape(self, height: int, width: int) -> tuple[int, ...]:
        """Return the sides of one image's output, found by running it once."""
        with tf.init_scope():
            output = self._run(tf.zeros((1, height, width, 3)))
        if output.shape.rank == 0 or output.shape[0] != 1:
            raise InputError(
                f"{self.file}: its output for one image is {tuple(output.shape)}; name another "
                "node, whose first side is the batch"
            )
        return tuple(output.shape[1:])

    def _is_output_channels_first(
        self, sides: tuple[int, ...], size: tuple[int | None, int | None]
    ) -> bool:
        """Whether a feature map (sides of one image) has its channels first.

        Converters change the layout within a network, so the sides decide: a map has nearly the
        image's ratio of height to width.
        """
        if len(sides) != 3 or not self._may_compute_channels_first:
            return False
        height, width = (side or _ANY_SIDE_PX for side in size)
        misfit = {
            is_first: abs(math.log(map_height / map_width * width / height))
            for is_first, (map_height, map_width) in ((False, sides[:2]), (True, sides[1:]))
        }
        if misfit[True] == misfit[False]:
            return self.is_channels_first
        return misfit[True] < misfit[False]


def scaling_problem(network: keras.layers.Layer, scaling: Scaling) -> str:
    """Return why a network cannot take pixels scaled so; "" if it can."""
    if not getattr(network, "takes_integers", False) or scaling in ("none", "none" + BGR):
        return ""
    return (
        f"takes uint8 pixels, to which scaling {title(scaling)} would be rounded; set scaling = "
        '"none" or "none-bgr"'
    )


def _layout(path: Path, shape: base.Shape) -> tuple[tuple[int | None, int | None], bool]:
    """Return height and width that a network takes, and whether its channels come first."""
    words = " x ".join("any" if side is None else str(side) for side in shape) or "unknown"
    if len(shape) != 4 or 3 not in (shape[1], shape[3]):
        raise InputError(
            f"{path}: its input is {words}; expected N x height x width x 3 or N x 3 x height x "
            "width"
        )
    if shape[0] not in (None, 1):
        raise InputError(f"{path}: takes batches of {shape[0]} only; export it for 1 or any number")
    if shape[3] == 3:
        return (shape[1], shape[2]), False
    return (shape[2], shape[3]), True


def _tfjs(path: Path, input: str, output: str) -> base.Network:
    module = importlib.import_module("gfr.models.external.tfjs_graph")  # which takes seconds
    graph = module.load(path, input, output)
    return base.Network(graph.function, graph.input_shape, graph.output_shape, graph.num_parameters)


_LOADERS: dict[str, Callable[[Path, str, str], base.Network]] = {
    "tfjs": _tfjs,
    "saved-model": saved_model.load,
    "onnx": onnx.load,
    "litert": litert.load,
    "openvino": openvino.load,
}
