"""Invented names, places and titles, with the quirks of the source's text."""

from __future__ import annotations

from random import Random
from typing import Any

FIRST_NAMES = {
    "F": "Ada Bella Carla Dina Elin Fay Greta Hana Ines Jun Kira Lotte Mara Nia Odile Petra Siri Una".split(),
    "M": "Abel Bruno Cato Dov Emil Finn Gus Hugo Ivo Jens Kai Leif Milo Nils Otto Paul Rafe Sven Ulf".split(),
}
LAST_NAMES = (
    "Abbot Birch Calder Dunne Eastman Falk Grove Hale Ibsen Jansen Keller Lund Marsh Nash Oakes Pryor Quist "
    "Rowe Stone Thorne Unger Vance Weld Yates Zeller O'Dell"
).split()
PLACE_STARTS = (
    "Alder Bright Cedar Dover Elk Fair Glen Haver Iron Lake Maple North Oak Pine Raven Stan".split()
)
PLACE_ENDS = "brook bury dale field ford grove ham mont port ridge ton ville wick worth".split()
STATES = (
    "AL AZ CA CO CT FL GA IA IL IN KY LA MA MD MI MN MO NC NJ NV NY OH OK OR PA SC TN TX UT VA WA WI".split()
)
WORDS = (
    "Amber Anchor Arrow August Blue Broken City Cold Copper Dancing Distant Empty Evening Falling Fire First "
    "Ghost Glass Golden Hollow Home Hour Island January Lantern Last Letter Little Lonely Lost Machine "
    "Moon Morning Mountain Night Ocean Paper Quiet Rain Red River Road Saint Secret Shadow Silver "
    "Snow Song Star Stone Storm Summer Sunday Sweet Tide Train Tuesday Velvet Water Wild Winter Wire"
).split()
ACCENTED = (
    "Björn Café Corazón Été Fiancée Garçon Jäger Mañana Naïve Où Señor Über Ångström 東京 Москва".split()
)
TITLE_TAILS = ("",) * 4 + (
    " (Album Version)",
    " (Live)",
    " [Remastered]",
    " (feat. The Others)",
    ' "Reprise"',
)
BAND_TAILS = "Band Brothers Choir Club Collective Orchestra Quartet Sisters Society Trio".split()
# 007 is not a valid JSON number: it must remain text in every step.
NUMBER_NAMES: tuple[str | int, ...] = (404, 1977, 88, 5150, "007")


def pick(random: Random, options: Any) -> Any:
    """Return a random item. ``Random.choice`` differs between Python versions, but ``random()`` does not."""
    return options[int(random.random() * len(options))]


def place(random: Random) -> str:
    """Return an invented metropolitan area, such as "Elkford-Pinedale, OH-KY"."""
    towns = [pick(random, PLACE_STARTS) + pick(random, PLACE_ENDS) for _ in range(pick(random, (1, 1, 2, 3)))]
    return f"{'-'.join(towns)}, {'-'.join(pick(random, STATES) for _ in range(pick(random, (1, 1, 1, 2))))}"


def title(random: Random, long: bool = False) -> str:
    """Return an invented song title. A long one has more than 256 bytes in UTF-8, but fewer characters."""
    words = [pick(random, WORDS) for _ in range(pick(random, (1, 2, 2, 3, 4)))]
    chance = random.random()
    if long:
        words = [pick(random, ACCENTED) for _ in range(60)]
    elif chance < 0.06:
        words.append(pick(random, ACCENTED))
    elif chance < 0.065:
        words.append(pick(random, ("🎸", "🌧️", "A\\B", "50% & <More>")))
    elif chance < 0.07:
        words = [str(int(random.random() * 2000))]
    return " ".join(words) + pick(random, TITLE_TAILS)


def artist_name(random: Random, long: bool = False) -> str | int:
    """Return an invented artist name. An all-digit one is a number, as in the source."""
    chance = random.random()
    if long:
        return " / ".join(f"{pick(random, ACCENTED)} {pick(random, LAST_NAMES)}" for _ in range(28))
    if chance < 0.008:
        return pick(random, NUMBER_NAMES)
    words = [pick(random, WORDS), pick(random, LAST_NAMES + BAND_TAILS)]
    if chance < 0.06:
        words[0] = pick(random, ACCENTED)
    return ("The " if chance > 0.8 else "") + " ".join(words)


def encode_twice(random: Random, value: Any) -> Any:
    """Garble most accented names as in the source's logs: their UTF-8 was taken for Latin-1 and encoded again."""
    if isinstance(value, int) or value.isascii() or random.random() < 0.3:
        return value
    return value.encode().decode("latin-1")
