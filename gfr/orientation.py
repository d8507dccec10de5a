"""Which way up a photograph is, as its camera wrote into EXIF.

In: the EXIF bytes of a file. Out: 1..8, the value of the tag Orientation (EXIF 2.32, 4.6.4). Reads
that one tag of the first directory and follows nothing else, so that no EXIF can lead it astray;
Pillow's own reader also takes values that browsers do not (another type, several values, XMP).
Never raises, never turns a pixel.
"""

import struct

UPRIGHT = 1
_TAG, _SHORT = 0x0112, 3
_MARK = b"Exif\0\0"
_BYTE_ORDERS = {b"II*\0": "<", b"MM\0*": ">"}
_ENTRY_BYTES = 12


def of(exif: bytes) -> int:
    """1..8; 1, upright, where the bytes are no EXIF or do not say it as the standard has it."""
    tiff = exif.removeprefix(_MARK)
    order = _BYTE_ORDERS.get(tiff[:4])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(f"{order}I", tiff, 4)
        (num_entries,) = struct.unpack_from(f"{order}H", tiff, start)
        for i in range(num_entries):
            place = start + 2 + i * _ENTRY_BYTES
            tag, kind, count, value = struct.unpack_from(f"{order}HHIH", tiff, place)
            if (tag, kind, count) == (_TAG, _SHORT, 1):
                return value if 1 <= value <= 8 else UPRIGHT
    except struct.error:  # it points beyond its end
        pass
    return UPRIGHT
