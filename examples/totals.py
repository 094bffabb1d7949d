"""Add up a column for each value of another: `murmur run totals FILE.csv -o - --param by=city --param of=amount`.

A batch is an Arrow table of some rows; pyarrow groups these, and the job adds up what comes of all batches. Files of
Parquet are read with `--input-format parquet`.
"""

from murmuration import Mapper

input_format = "csv"


class TotalsMapper(Mapper):
    """Groups the rows of a table."""

    def map_batch(self, batch):
        """See a table; what it holds of CSV is text."""
        by, of = self.context.params["by"], self.context.params["of"]
        amounts = batch.select([by]).append_column("amount of it", batch[of].cast("float64"))
        totals = amounts.group_by(by).aggregate([("amount of it", "sum")])
        return zip(totals[by].to_pylist(), totals["amount of it_sum"].to_pylist(), strict=True)


reducer = "sum"
