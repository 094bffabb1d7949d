"""Know who the members are, and who of them lives."""
