"""The backbones of `keras.applications`, known without importing Keras.

A test compares this table with Keras itself.
"""

from dataclasses import dataclass

OWN_PREPROCESSING = "none"


@dataclass(frozen=True)
class Application:
    """One constructor; `scaling`: a name in gfr/config/scaling.py; `min_side_px`: of both sides."""

    scaling: str
    min_side_px: int
    weights_file: str
    any_size: bool = True  # False: its layers depend on a fixed input size
    squares_deviation: bool = False  # its ImageNet weights expect (x - mean) / variance


# A user's own file: its smallest side is known once it is loaded (gfr/models/external).
OWN_MODEL = Application(OWN_PREPROCESSING, 1, "")

_TF = "weights_tf_dim_ordering_tf_kernels"
_NOTOP = f"{_TF}_notop.h5"
_SQUARES = {"squares_deviation": True}


def _family(
    name: str, members: str, scaling: str, weights_file: str, **others: bool
) -> dict[str, Application]:
    """Applications that differ in one part of the name; files have it in lower case."""
    return {
        name.format(member): Application(scaling, 32, weights_file.format(member.lower()), **others)
        for member in members.split()
    }


# MobileNet and MobileNetV2 have files for several sizes; gfr always takes those of 224 px, as Keras
# does for any size without a file of its own.
APPLICATIONS: dict[str, Application] = {
    **_family("ConvNeXt{}", "Base Large Small Tiny XLarge", "none", "convnext_{}_notop.h5"),
    **_family("DenseNet{}", "121 169 201", "torch", f"densenet{{}}_{_NOTOP}"),
    **_family("EfficientNetB{}", "0 1 2 3 4 5 6 7", "none", "efficientnetb{}_notop.h5", **_SQUARES),
    **_family("EfficientNetV2{}", "B0 B1 B2 B3 L M S", "none", "efficientnetv2-{}_notop.h5"),
    "InceptionResNetV2": Application("tf", 75, f"inception_resnet_v2_{_NOTOP}"),
    "InceptionV3": Application("tf", 75, f"inception_v3_{_NOTOP}"),
    "MobileNet": Application("tf", 32, "mobilenet_1_0_224_tf_no_top.h5"),
    "MobileNetV2": Application("tf", 32, f"mobilenet_v2_{_TF}_1.0_224_no_top.h5"),
    **_family(
        "MobileNetV3{}", "Large Small", "none", "weights_mobilenet_v3_{}_224_1.0_float_no_top_v2.h5"
    ),
    **_family("NASNet{}", "Large Mobile", "tf", "nasnet_{}_no_top.h5", any_size=False),
    **_family("ResNet{}", "101 152 50", "caffe", f"resnet{{}}_{_NOTOP}"),
    **_family("ResNet{}V2", "101 152 50", "tf", f"resnet{{}}v2_{_NOTOP}"),
    **_family("VGG{}", "16 19", "caffe", f"vgg{{}}_{_NOTOP}"),
    "Xception": Application("tf", 71, f"xception_{_NOTOP}"),
}
