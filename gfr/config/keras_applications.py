"""What gfr knows of `keras.applications` without importing it.

In: nothing. Out: a table by constructor name: the scaling a backbone was trained with, the
smallest side it can take, and Keras' name for its ImageNet weights without top. Held against Keras
itself by tests/test_backbones.py. Never imports Keras.
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
    """One constructor: `scaling` names a row of SCALINGS, `min_side_px` is of height and width."""

    scaling: str
    min_side_px: int
    weights_file: str
    any_size: bool = True  # False: its layers depend on the input size, which must be fixed
    squares_deviation: bool = False  # its ImageNet weights want (x - mean) / variance


# A user's own file: what it can take is known once it is loaded (gfr/models/custom_model.py).
OWN_MODEL = Application(OWN_PREPROCESSING, 1, "")

# MobileNet and MobileNetV2 have files for several sizes; gfr always takes those of 224 px, as Keras
# does for any size without a file of its own.
APPLICATIONS: dict[str, Application] = {
    "ConvNeXtBase": Application("none", 32, "convnext_base_notop.h5"),
    "ConvNeXtLarge": Application("none", 32, "convnext_large_notop.h5"),
    "ConvNeXtSmall": Application("none", 32, "convnext_small_notop.h5"),
    "ConvNeXtTiny": Application("none", 32, "convnext_tiny_notop.h5"),
    "ConvNeXtXLarge": Application("none", 32, "convnext_xlarge_notop.h5"),
    "DenseNet121": Application(
        "torch", 32, "densenet121_weights_tf_dim_ordering_tf_kernels_notop.h5"
    ),
    "DenseNet169": Application(
        "torch", 32, "densenet169_weights_tf_dim_ordering_tf_kernels_notop.h5"
    ),
    "DenseNet201": Application(
        "torch", 32, "densenet201_weights_tf_dim_ordering_tf_kernels_notop.h5"
    ),
    "EfficientNetB0": Application("none", 32, "efficientnetb0_notop.h5", squares_deviation=True),
    "EfficientNetB1": Application("none", 32, "efficientnetb1_notop.h5", squares_deviation=True),
    "EfficientNetB2": Application("none", 32, "efficientnetb2_notop.h5", squares_deviation=True),
    "EfficientNetB3": Application("none", 32, "efficientnetb3_notop.h5", squares_deviation=True),
    "EfficientNetB4": Application("none", 32, "efficientnetb4_notop.h5", squares_deviation=True),
    "EfficientNetB5": Application("none", 32, "efficientnetb5_notop.h5", squares_deviation=True),
    "EfficientNetB6": Application("none", 32, "efficientnetb6_notop.h5", squares_deviation=True),
    "EfficientNetB7": Application("none", 32, "efficientnetb7_notop.h5", squares_deviation=True),
    "EfficientNetV2B0": Application("none", 32, "efficientnetv2-b0_notop.h5"),
    "EfficientNetV2B1": Application("none", 32, "efficientnetv2-b1_notop.h5"),
    "EfficientNetV2B2": Application("none", 32, "efficientnetv2-b2_notop.h5"),
    "EfficientNetV2B3": Application("none", 32, "efficientnetv2-b3_notop.h5"),
    "EfficientNetV2L": Application("none", 32, "efficientnetv2-l_notop.h5"),
    "EfficientNetV2M": Application("none", 32, "efficientnetv2-m_notop.h5"),
    "EfficientNetV2S": Application("none", 32, "efficientnetv2-s_notop.h5"),
    "InceptionResNetV2": Application(
        "tf", 75, "inception_resnet_v2_weights_tf_dim_ordering_tf_kernels_notop.h5"
    ),
    "InceptionV3": Application(
        "tf", 75, "inception_v3_weights_tf_dim_ordering_tf_kernels_notop.h5"
    ),
    "MobileNet": Application("tf", 32, "mobilenet_1_0_224_tf_no_top.h5"),
    "MobileNetV2": Application(
        "tf", 32, "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_224_no_top.h5"
    ),
    "MobileNetV3Large": Application(
        "none", 32, "weights_mobilenet_v3_large_224_1.0_float_no_top_v2.h5"
    ),
    "MobileNetV3Small": Application(
        "none", 32, "weights_mobilenet_v3_small_224_1.0_float_no_top_v2.h5"
    ),
    "NASNetLarge": Application("tf", 32, "nasnet_large_no_top.h5", any_size=False),
    "NASNetMobile": Application("tf", 32, "nasnet_mobile_no_top.h5", any_size=False),
    "ResNet101": Application("caffe", 32, "resnet101_weights_tf_dim_ordering_tf_kernels_notop.h5"),
    "ResNet101V2": Application("tf", 32, "resnet101v2_weights_tf_dim_ordering_tf_kernels_notop.h5"),
    "ResNet152": Application("caffe", 32, "resnet152_weights_tf_dim_ordering_tf_kernels_notop.h5"),
    "ResNet152V2": Application("tf", 32, "resnet152v2_weights_tf_dim_ordering_tf_kernels_notop.h5"),
    "ResNet50": Application("caffe", 32, "resnet50_weights_tf_dim_ordering_tf_kernels_notop.h5"),
    "ResNet50V2": Application("tf", 32, "resnet50v2_weights_tf_dim_ordering_tf_kernels_notop.h5"),
    "VGG16": Application("caffe", 32, "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"),
    "VGG19": Application("caffe", 32, "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"),
    "Xception": Application("tf", 71, "xception_weights_tf_dim_ordering_tf_kernels_notop.h5"),
}
