"""Which optional packages are installed."""

import importlib.util
from importlib.machinery import ModuleSpec, PathFinder


def installed(name: str) -> bool:
    """Whether a package, or a package inside one, can be imported; nothing is imported to find out.

    A folder of that name in the working directory, which Python would import as an empty namespace, is not
    the package.

    >>> installed("torch.nn"), installed("no_such_package"), installed("torch.no_such_package")
    (True, False, False)
    """
    outer, *inner = name.split(".")
    spec: ModuleSpec | None = importlib.util.find_spec(outer)
    for part in inner:
        if spec is None or spec.origin is None or spec.submodule_search_locations is None:
            return False
        outer = f"{outer}.{part}"
        try:
            spec = PathFinder.find_spec(outer, spec.submodule_search_locations)
        except KeyError:  # a mere folder, inside a package that is not imported
            return False
    return spec is not None and spec.origin is not None
