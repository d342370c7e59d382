"""Small wrong changes to what copies a source's own packets (mutants.py makes them).

Each as what is wrong, the file, its text, the replacement, and pytest's arguments.
"""

from __future__ import annotations

WRITE = "tests/pipeline/media/write/test_untouched.py"
JOIN, SCAN = "pipeline/media/write/join.py", "pipeline/media/read/scan.py"

COPYING = (
    (
        "a group that an edit enters is copied",
        "pipeline/edit/segments.py",
        " & ~np.isin(group, group[active])",
        "",
        (WRITE, "-k", "two_seconds"),
    ),
    (
        "a key frame that later frames look back beyond opens a group",
        "pipeline/media/bitstream/units.py",
        "return self.kind(head) in IDR_KINDS[self.codec]",
        "return True",
        (WRITE, "-k", "closed_groups"),
    ),
    (
        "a group opens where an earlier packet is shown later",
        SCAN,
        "    opens[1:] &= np.maximum.accumulate(pts)[:-1] < pts[1:]\n",
        "",
        (WRITE, "-k", "closed_groups"),
    ),
    (
        "a group of which a part is hidden is copied",
        SCAN,
        "    group[np.isin(group, np.unique(group[~is_whole]))] = -1\n",
        "",
        (WRITE, "-k", "closed_groups"),
    ),
    (
        "what was copied is not decoded to see",
        "pipeline/media/write/untouched.py",
        "            if number is not None:\n",
        "            if False:\n",
        (WRITE, "-k", "decodes_otherwise"),
    ),
    (
        "the source's parameter sets may have a number of ours",
        "pipeline/media/write/shared_header.py",
        "        if any(has_number(",
        "        if False and any(has_number(",
        (WRITE, "-k", "beside_encoded_frames_is_encoded"),
    ),
    (
        "pieces keep the numbers of their parameter sets",
        "pipeline/media/write/shared_header.py",
        "            return renumbered(data, self.ours, self.numbers)\n",
        "            return data\n",
        (WRITE, "-k", "own_packets"),
    ),
    (
        "the header has our parameter sets alone",
        "pipeline/media/write/mux.py",
        "            if plan.shared is not None:\n",
        "            if False:\n",
        (WRITE, "-k", "own_packets"),
    ),
    (
        "edited frames of an intra-only source are left to it",
        "pipeline/edit/render.py",
        "            if is_changed or not encode.copies_untouched:\n",
        "            if not encode.copies_untouched:\n",
        (WRITE, "-k", "own_packets or two_seconds"),
    ),
    (
        "copied packets of a piece overtake encoded ones",
        "pipeline/media/write/encoding/encode.py",
        "        if not self._copies:\n",
        "        if True:\n",
        (WRITE,),
    ),
    (
        "what is encoded anew still has the source's packets",
        "pipeline/media/write/untouched.py",
        "            if not packet or _is_the_source_s(packet, form, source, frame.pts or 0):\n",
        "            if not packet:\n",
        (WRITE, "-k", "cannot_stand_beside_its_others"),
    ),
    (
        "a quality that was asked for is not given to untouched frames",
        "pipeline/media/write/encoding/mirror.py",
        ' and wish.quality == "match" and not changes',
        "",
        (WRITE, "-k", "wishes"),
    ),
)
