"""The backbones of `keras.applications`, known without importing Keras.

A test compares this table with Keras itself.
"""

from dataclasses import dataclass

OWN_PREPROCESSING = "none"

SCALINGS = {
    "tf": "pixels to [-1, 1]",
    "unit": "pixels to [0, 1]",
    "torch": "pixels to [0, 1], then ImageNet's mean and deviation per channel",
    "caffe": "BGR, ImageNet's mean per channel subtracted",
    "none": "pixels as they are, 0..255: the network scales them itself",
}


@dataclass(frozen=True)
class Application:
    """One constructor: `scaling` is a key of SCALINGS, `min_side_px` holds for both sides."""

    scaling: str
    min_side_px: int
    weights_file: str
    any_size: bool = True  # False: its layers depend on a fixed input size
    squares_deviation: bool = False  # its ImageNet weights expect (x - mean) / variance


# A user's own file: its smallest side is known once it is loaded (gfr/models/custom_model.py).
OWN_MODEL = Application(OWN_PREPROCESSING, 1, "")

_NOTOP = "weights_tf_dim_ordering_tf_kernels_notop.h5"

# MobileNet and MobileNetV2 have files for several sizes; gfr always takes those of 224 px, as Keras
# does for any size without a file of its own.
APPLICATIONS: dict[str, Application] = {
    **{
        f"ConvNeXt{size}": Application("none", 32, f"convnext_{size.lower()}_notop.h5")
        for size in ("Base", "Large", "Small", "Tiny", "XLarge")
    },
    **{
        f"DenseNet{depth}": Application("torch", 32, f"densenet{depth}_{_NOTOP}")
        for depth in (121, 169, 201)
    },
    **{
        f"EfficientNetB{k}": Application(
            "none", 32, f"efficientnetb{k}_notop.h5", squares_deviation=True
        )
        for k in range(8)
    },
    **{
        f"EfficientNetV2{size}": Application("none", 32, f"efficientnetv2-{size.lower()}_notop.h5")
        for size in ("B0", "B1", "B2", "B3", "L", "M", "S")
    },
    "InceptionResNetV2": Application("tf", 75, f"inception_resnet_v2_{_NOTOP}"),
    "InceptionV3": Application("tf", 75, f"inception_v3_{_NOTOP}"),
    "MobileNet": Application("tf", 32, "mobilenet_1_0_224_tf_no_top.h5"),
    "MobileNetV2": Application(
        "tf", 32, "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
    ),
    **{
        f"MobileNetV3{size}": Application(
            "none", 32, f"weights_mobilenet_v3_{size.lower()}_224_1.0_float_no_top_v2.h5"
        )
        for size in ("Large", "Small")
    },
    "NASNetLarge": Application("tf", 32, "nasnet_large_no_top.h5", any_size=False),
    "NASNetMobile": Application("tf", 32, "nasnet_mobile_no_top.h5", any_size=False),
    **{
        f"ResNet{depth}{version}": Application(
            scaling, 32, f"resnet{depth}{version.lower()}_{_NOTOP}"
        )
        for depth in (101, 152, 50)
        for version, scaling in (("", "caffe"), ("V2", "tf"))
    },
    "VGG16": Application("caffe", 32, f"vgg16_{_NOTOP}"),
    "VGG19": Application("caffe", 32, f"vgg19_{_NOTOP}"),
    "Xception": Application("tf", 71, f"xception_{_NOTOP}"),
}
