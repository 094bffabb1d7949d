"""Sort lines by their bytes, as `LC_ALL=C sort` does: `murmur run sort FILE... -o OUT --total-order -r 4`.

Each part of the output is sorted; with `--total-order` so are all of them in a row. With `--input-format key-value`
lines are sorted by what stands before the first tab, and those with the same key stay in the order of the input.
Hadoop's `-m -r -inFormat -outFormat -outKey -outValue -totalOrder` are understood.
"""

from murmuration import Mapper

input_format = "bytes-lines"
output_format = "values"


class LineMapper(Mapper):
    """Gives each line under what it is sorted by."""

    def map(self, key, value):
        """See a line number and a line, or the two halves of a line."""
        if isinstance(key, int):
            yield value, value
        else:
            yield key, f"{key}\t{value}"


reducer = "identity"
