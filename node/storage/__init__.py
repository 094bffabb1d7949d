"""Keep bytes on disk: the one door to diskcache."""
