"""Device, system and browser families of User-Agent headers."""

from __future__ import annotations

import ua_parser

# Longer names are truncated, because the names of families are short, and a malicious header must not exceed the
# column.
FAMILY_CHARACTERS = 64


def families(user_agent: str) -> tuple[str, str, str]:
    """Return device, operating system and browser family, with Other for a family that ua-parser does not know.

    :param user_agent: the header as delivered, often in quotes, and possibly empty.
    """
    found = ua_parser.parse(user_agent.strip('"'))
    parts = (found.device, found.os, found.user_agent)
    device, os, browser = ((part.family if part else "Other")[:FAMILY_CHARACTERS] for part in parts)
    return device, os, browser
