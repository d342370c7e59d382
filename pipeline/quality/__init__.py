"""How true an edit is: one file per measure, values in and values out."""
