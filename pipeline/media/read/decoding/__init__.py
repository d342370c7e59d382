"""From packets to pictures: by number, in order, as fields, by the CPU or a GPU."""
