"""Sort lines by their bytes, as `LC_ALL=C sort` does: `murmur run sort FILE... -o OUT --total-order -r 4`.

Each part of the output is sorted; with `--total-order` so are all of them in a row. With `--input-format key-value`
lines are sorted by what stands before the first tab, and those with the same key stay in the order of the input; with
`--input-format fixed:100:10 --output-format fixed`, records of 100 bytes are sorted by their first 10.
Hadoop's `-m -r -inFormat -outFormat -outKey -outValue -totalOrder` are understood.
"""

from murmuration import Mapper

input_format = "bytes-lines"
output_format = "values"


class LineMapper(Mapper):
    """Passes all lines on, each under what it is sorted by."""

    def map_batch(self, batch):
        """See many lines, or records."""
        return batch


reducer = "identity"
