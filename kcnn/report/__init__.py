"""What a run is worth, as numbers, tables and pictures."""
