"""Face editors: crops and AU deltas in, edited crops out."""
