"""Settings under which every method is quick, whichever there are: by parameter, not by method."""

import inspect

from explainers import registry

# Small networks and images: few predictions, and boxes that fit into 20 pixels.
CHEAP = {
    "box": 8,
    "depth": 2,
    "kernel_size": 1,
    "masks": 60,
    "max_dist": 8,
    "min_pixels": 60,
    "samples": 60,
    "z": 2,
}


def cheap(name):
    """The settings that make this method quick."""
    return {key: value for key, value in CHEAP.items() if key in registry.parameters(name)}


def takes(name, parameter):
    return parameter in inspect.signature(registry.method(name).load()).parameters
