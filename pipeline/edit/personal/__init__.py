"""How one person's own action units move a face, as a shot shows it."""
