"""How true an edit is: a shot before and after, measured, and its verdict in sentences."""
