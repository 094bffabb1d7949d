"""Have peers on strings: start, stop and fault them here, or through the puppet master of another machine."""
