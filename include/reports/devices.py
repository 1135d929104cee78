"""Which devices, systems and browsers people listen with.

one row per device, system and browser family
key: device, os, browser
load: made anew after every publication, from user_agents
late data: counts like any other
columns:
  device varchar(256): Device family by ua-parser (Mac, iPhone ...); Other if it says none
  os varchar(256): Operating system family (Windows, Mac OS X, iOS ...); Other if it says none
  browser varchar(256): Browser family (Chrome, Safari ...); Other if it says none
  plays bigint: Plays
  listeners bigint: Users with a play; one who uses several counts for each
"""

import pandas as pd
import ua_parser

# A family is a name; what a made-up header smuggles into one is cut before it is too long for its column.
FAMILY_CHARACTERS = 64


def families(user_agents: pd.DataFrame) -> pd.DataFrame:
    """Plays and listeners by family.

    :param user_agents: ``user_id``, ``user_agent`` (text as delivered, often in quotes; or None), ``plays``.
    :returns: the columns above, most plays first.
    """
    parsed = {text: _family(text) for text in user_agents["user_agent"].unique()}
    table = user_agents.assign(
        **{
            column: user_agents["user_agent"].map(lambda text, place=place: parsed[text][place])
            for place, column in enumerate(("device", "os", "browser"))
        }
    )
    grouped = table.groupby(["device", "os", "browser"], as_index=False).agg(
        plays=("plays", "sum"), listeners=("user_id", "nunique")
    )
    return grouped.sort_values(["plays", "device", "os", "browser"], ascending=[False, True, True, True])


def _family(text: str | None) -> tuple[str, str, str]:
    """Device, system and browser family of one header."""
    found = ua_parser.parse((text or "").strip('"'))
    parts = (found.device, found.os, found.user_agent)
    device, os, browser = ((part.family if part else "Other")[:FAMILY_CHARACTERS] for part in parts)
    return device, os, browser
