"""Plan jobs, hand them in, follow them, and receive what they give."""
