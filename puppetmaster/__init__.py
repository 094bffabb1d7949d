"""Stage faults: a simulated cluster in virtual time whose checkers decide the promises."""
