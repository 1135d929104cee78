"""Generate invented activity logs and song metadata with the shape, proportions and quirks of the real data.

    python -m local.sample FOLDER [--scale N] [--days 30] [--songs N]

Scale 1 is about 270 events per day, 1,000 songs and 97 users. --scale multiplies all three, and --songs sets the number
of songs (14,896 in the full edition of the public data). The same arguments give the same bytes on every machine and
Python version: the code uses only ``Random.random()`` and plain arithmetic (no library call with its own rounding), and
reads no clock. All people, artists, titles and places are invented.

The sample has these quirks, because each has broken a loader: two plays at one instant; sessions over midnight; a
session with two identities (logged out, then in); users who change level, some twice on one day; ``userId`` "" with
null names; ``registration`` as a float; quotes in ``userAgent``; all-digit artist names and locations as JSON numbers;
names encoded twice; titles and names of over 256 bytes (from scale 2 on); emoji, accents, quotes and backslashes; one
artist_id with several names, places and coordinates; songs that match each other; ``year`` 0; HTML as a location; song
files that span several lines; no newline at the end of a file.
"""

from local.sample.spec import Spec
from local.sample.write import MARKER, Counts, write

__all__ = ["MARKER", "Counts", "Spec", "write"]
