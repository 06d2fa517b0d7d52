"""tinyml: from a Keras or LiteRT model to measured int8 firmware for Cortex-M boards."""

__version__ = "0.1.0"
