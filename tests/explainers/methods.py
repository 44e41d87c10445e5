"""Settings under which every method is quick, whichever there are: by parameter, not by method."""

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
# The same for the demo's scenes of 96 x 96 pixels.
ON_SCENES = CHEAP | {"kernel_size": 4, "max_dist": 200, "min_pixels": 2000}


def cheap(name, settings=CHEAP):
    """The settings that make this method quick."""
    return {key: value for key, value in settings.items() if key in registry.parameters(name)}
