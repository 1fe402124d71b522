"""Where a long name may go on in the next line."""

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from markupsafe import Markup

_PLACES = re.compile(r"(?<=[_/.])(?=[^_/.])|(?<=[a-z])(?=[A-Z][a-z])")  # after a sign, and before a word


def breakable(name: str) -> "Markup":
    """A name as HTML that a browser breaks between its words, such as those of ``FrequencyWeightedIoU``."""
    from markupsafe import Markup

    return Markup("<wbr>").join(_PLACES.split(name))
