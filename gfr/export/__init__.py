"""TensorFlow.js export, its validation, the model card and the web page."""
